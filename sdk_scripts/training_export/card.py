"""The data card: what the export holds, how its labels came about, and what it does not tell (Gebru et al., 2021)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sdk_scripts.training_export.formats import FORMATS
from sdk_scripts.training_export.front_matter import front_matter
from sdk_scripts.training_export.markdown import table, words
from sdk_scripts.training_export.model import SPLITS, ControlSet, Export

_FRONT = ("huggingface", "parquet", "jsonl")
"""Of the formats that `datasets` reads the first that was written is the one it loads."""
_MOST = 200
"""Lines of a table."""
WHY = {
    "seeded": "answered only by a wrong answer shown on purpose, or from under a seal that could not be opened",
    "unsettled": "no answer stands: what was decided was taken back",
    "mapping": "the mapping drops its labels",
    "gold": "a gold question: a model trained on it would give the answer away",
    "unsure": "tied, or a confidence below the bar",
}
PROVENANCE = {
    "human": "people answered, unaided",
    "machine-assisted": "people answered, somebody of them with the machine's answer on the screen",
    "reviewed": "a review decided",
    "machine": "the machine answered, and nobody has looked",
}


def card(
    export: Export,
    formats: Sequence[str],
    lost: Mapping[str, Mapping[str, int]],
    front: Mapping[str, Mapping[str, Any]],
) -> str:
    """README.md. `front` has the front matter of each format that `datasets` reads (`Format.front`)."""
    parts = [*_front(export, front), *_what(export, formats, front), *_splits(export)]
    for control in export.controls:
        parts += _control(control, export.about)
    parts += [*_annotators(export.about), *_left_out(export, lost), *_limits(export.about)]
    return "\n".join(parts).rstrip().encode(errors="replace").decode() + "\n"


def _front(export: Export, front: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    said: dict[str, Any] = {"pretty_name": export.name}
    if export.about["licence"]:
        said["license"] = export.about["licence"]
    said |= next((front[name] for name in (*_FRONT, *sorted(front)) if name in front), {})
    yield front_matter(said).rstrip()


def _what(export: Export, formats: Sequence[str], front: Mapping[str, Any]) -> Iterator[str]:
    about = export.about
    rows, used = sum(len(it.rows) for it in export.controls), sum(about["balance"]["rows"].values())
    yield f"\n# {words(export.name)}\n"
    yield (
        f"{rows:,} labels, for {used:,} of {about['tasks']:,} tasks. A row is "
        "one task's label for one control, with how sure it is and where it comes from."
    )
    yield f"\nLicence: {words(about['licence']) if about['licence'] else 'not stated. Ask whoever owns the data.'}\n"
    yield from table(["folder", "what"], [[f"{name}/", FORMATS[name].what] for name in formats])
    if front:
        name = export.controls[0].folder
        yield f"\n`datasets.load_dataset(DIR, {name!r})` opens it, where DIR is this folder."


def _splits(export: Export) -> Iterator[str]:
    it = export.about["balance"]
    yield "\n## Splits\n"
    yield from table(
        ["split", "tasks", "share", "asked for"],
        [[name, it["rows"][name], it["got"][name], it["asked"][name]] for name in it["rows"]],
    )
    yield (
        f"\nTasks that are nearly the same are in one split: {it['groups']:,} groups, {it['alike']:,} of them "
        f"of several tasks, the largest of {it['largest']:,}. A task's split is the same for all controls, and stays "
        f"when labels are added (seed {export.about['options']['seed']})."
    )
    if it["too_large"]:
        yield f"\n{it['too_large']:,} groups are larger than the smallest split should be: shares cannot be kept."


def _control(of: ControlSet, about: Mapping[str, Any]) -> Iterator[str]:
    name = of.control.name
    yield f"\n## {words(name)}\n"
    how = about["consensus"].get(name)
    yield f"Kind: {of.kind}. " + (f"Consensus: {words(how['method'])}. {words(how['reason'], 500)}" if how else "")
    yield from _agreed(about["agreement"].get(name))
    rows = {split: of.of(split) for split in SPLITS}
    counts = {split: Counter(label for row in found for label in row.labels) for split, found in rows.items()}
    lines: list[list[object]] = [["all rows", *(len(found) for found in rows.values())]]
    lines += [[label, *(counts[split][label] for split in rows)] for label in of.labels[:_MOST]]
    yield ""
    yield from table(["label", *rows], lines)
    if len(of.labels) > _MOST:
        yield f"\nand {len(of.labels) - _MOST:,} more labels, see export.json."
    came = Counter(row.provenance for row in of.rows)
    yield ""
    yield from table(
        ["provenance", "rows", "share", "what"],
        [[it, came[it], came[it] / len(of.rows), what] for it, what in PROVENANCE.items() if came[it]],
    )
    policies = Counter(row.policy or "not known" for row in of.rows)
    yield ""
    yield from table(["guidelines, by version", "rows"], [[it, policies[it]] for it in sorted(policies)])
    if mapping := about["mapping"].get(name):
        yield f"\nLabels as mapped by {words(about['mapping_file'])}:\n"
        yield from table(
            ["annotation label", "training label"], [[label, to or "left out"] for label, to in mapping[:_MOST]]
        )
        if len(mapping) > _MOST:
            yield f"\nand {len(mapping) - _MOST:,} more, see export.json."


def _agreed(found: Mapping[str, Any] | None) -> Iterator[str]:
    if not found:
        return
    if found["alpha"] is None:
        yield f"\nAgreement is not known: {words(found['note'] or 'no task has two judgements')}"
        return
    low, high = (_number(found[name]) for name in ("alpha_low", "alpha_high"))
    yield (
        f"\nAgreement, of annotation labels: Krippendorff's alpha {_number(found['alpha'])} "
        f"(95 % interval {low} to {high}), {_number(found['percent'])} of pairs the same, on {found['items']:,} tasks "
        f"with several of the {found['judgements']:,} judgements by {found['annotators']:,} annotators."
    )


def _annotators(about: Mapping[str, Any]) -> Iterator[str]:
    rows = about["annotators"]
    if not rows:
        return
    yield "\n## Annotators\n"
    yield "Quality is how probably a judgement is right, with a 95 % interval, by what others and reviews said.\n"
    shown = ("control", "annotator", "judgements", "quality", "low", "high")
    yield from table(shown, [[row[name] for name in shown] for row in rows[:_MOST]])
    if len(rows) > _MOST:
        yield f"\nand {len(rows) - _MOST:,} more, see export.json."


def _left_out(export: Export, lost: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    about, options = export.about, export.about["options"]
    dropped = about["dropped"]
    yield "\n## What was left out\n"
    lines: list[list[object]] = [[it, why, n, WHY[why]] for it, found in dropped.items() for why, n in found.items()]
    if lines:
        yield from table(["control", "why", "labels", ""], lines)
    else:
        yield "Nothing."
    yield (
        f"\nGold questions are {options['gold']}; unsure labels, tied or with a confidence below "
        f"{options['sure']:g}, are {options['unsure']}."
    )
    if lost:
        yield ""
        yield from table(
            ["format", "did not come through", "number"],
            [[name, why, n] for name, found in lost.items() for why, n in found.items()],
        )
        yield "\nexport.json has the task of each."


def _limits(about: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Known limits\n"
    yield "- A confidence is an estimate from how annotators agree; where tasks have one judgement, an assumption."
    if about["options"]["texts"]:
        yield "- The consensus rests on what the texts say, too: a model was heard beside people."
    if about["file"]:
        yield "- Made from an export file: gold questions are not known, nor guidelines but those of reviews."
    yield "- Near-duplicates are told by their words and image addresses, not by what images show or texts mean."
    for note in about["notes"]:
        yield f"- {words(note, 500)}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
