"""What working with the machine changes: how often people take its word, whether they look, and what time it saves.

Pure over the table of judgements (`labeling.judgements`), in which arms are told apart (`labeling.arms`). As JSON:

    annotations    {plain, blind, audit, seeded, unknown, untold}: how many; audits are blind because the machine had
                   accepted the task, so they are no random tasks and in no figure; `untold` ones do not say what was
                   shown
    acceptance     {overall, controls: {NAME}, annotators: [{annotator, …, controls}]}: answers equal to what was shown,
                   of plain tasks; the others are edits
    rubber_stamping {overall, annotators: [{annotator, …}], right_after_all, luck}: seeded wrong answers submitted as
                   they were, of those shown. Seeds that are right by what is settled are left out; of the others so
                   many at most may be right, too (`luck`): a share below it is no sign of anything
    corrections    {NAME: {spoilt, kept, decided}}: right answers that were changed to wrong ones, of the right ones
                   shown; wrong ones that were kept, of the wrong ones shown; `decided` of these are settled
    time           see `time_saved`
    anchoring      {controls: {NAME: {shown, blind, shift, low, high}}, left_out, note}: answers equal to the machine's
                   where it was seen, and where it was not; `shift` is the difference
    accuracy       {NAME: {plain, blind, difference, low, high}}: right answers by reviews' decisions, else by one
                   annotation that somebody made ground truth
    notes          what cannot be said, and why

A share is {n, tasks, count, share, low, high}; share and interval are null where n is below LEAST. Where shown and
blind tasks are compared, their shares are standardised to the same confidence of the machine (`compared`). Intervals
are 95 % score intervals (Wilson, 1927), of differences Newcombe's (1998, method 10), with the number of tasks for n if
several people judged the same: their answers are not independent. Where nothing is settled, right is what most of the
others say, two at least; they saw the same prediction, so it errs in the machine's favour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.judgements import decisions, judgements, of_annotators
from ml_backend.presented import SEEDED_FROM
from sdk_scripts.blind_answers import BlindAnswers, blind_answers
from sdk_scripts.time_saved import band, time_saved

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from sdk_scripts.sources import Dataset

LEAST = 5
"""From which on a share is said, with its interval."""
ARMS = ("plain", "blind", "audit", "seeded", "unknown")

Rate = dict[str, float | int | None]


def collaboration(
    table: pl.DataFrame,
    config: LabelConfig,
    blind: BlindAnswers | None = None,
    *,
    seen: pl.DataFrame | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """The document above. `table` is all of `judgements`, `blind` what the machine would have said unseen; `seen`
    saves working out `referred` of everybody's last answers again."""
    blind = blind or BlindAnswers()
    rows = referred(of_people(table), table) if seen is None else seen
    names = [control.name for control in config.answerable]
    shown = rows.filter((pl.col("arm") == "plain") & pl.col("shown").is_not_null())
    return {
        "annotations": _annotations(rows),
        "acceptance": _acceptance(shown, names),
        "rubber_stamping": _rubber_stamping(rows.filter("seeded")),
        "corrections": {name: it for name in names if (it := _corrections(shown.filter(control=name)))},
        "time": time_saved(rows.unique("annotation", keep="first", maintain_order=True), seed=seed),
        "anchoring": _anchoring(shown, rows.filter(arm="blind"), names, blind),
        "accuracy": {name: it for name in names if (it := _accuracy(rows.filter(control=name)))},
        "notes": _notes(rows),
    }


def of_dataset(
    dataset: Dataset, settings: Settings, table: pl.DataFrame | None = None, seen: pl.DataFrame | None = None
) -> dict[str, Any]:
    """The document of a source; `table` and `seen` save working out its judgements again. Loads the encoder where some
    task was labelled blind."""
    table = judgements(dataset.tasks, dataset.config) if table is None else table
    found = collaboration(table, dataset.config, blind_answers(dataset, settings), seen=seen)
    if dataset.project is not None and not dataset.project.get("model_version"):
        found["notes"].append(
            "The project shows no model version, so Label Studio's exports will not say what was on the screen: run "
            "`tiebreak prelabel`, which sets it."
        )
    return found


def says_anything(document: Mapping[str, Any]) -> bool:
    """Whether anybody labelled with a prediction on the screen, or in an experiment."""
    return any(document["annotations"][arm] for arm in ("plain", "blind", "seeded"))


def share(n: int, count: int, tasks: int | None = None) -> Rate:
    """`count` of `n`, which are about so many tasks."""
    units = n if tasks is None else tasks
    known = n >= LEAST
    low, high = wilson_interval(count / n, units) if known else (None, None)
    return {"n": n, "tasks": units, "count": count, "share": count / n if known else None, "low": low, "high": high}


def compared(one: pl.DataFrame, other: pl.DataFrame) -> tuple[Rate, Rate, dict[str, float | None]]:
    """The shares of `hit` in both, as if the machine had been as sure of the tasks of one as of the other's (bands of
    `score`, weighted n₁n₂/(n₁+n₂)), and their difference with Newcombe's interval.

    A share keeps its own n and count. Bands where only one has rows say nothing; where too little is left, the shares
    are as they are, and the difference is null.
    """
    counts = [pl.len().alias("n"), pl.col("hit").sum().alias("hits"), pl.col("task").n_unique().alias("tasks")]
    a, b = (rows.group_by(band()).agg(counts) for rows in (one, other))
    weight = pl.col("n") * pl.col("n_other") / (pl.col("n") + pl.col("n_other"))
    both = a.join(b, on="band", suffix="_other").with_columns(weight=weight)
    raw = [share(rows.height, int(rows["hit"].sum()), rows["task"].n_unique()) for rows in (one, other)]
    if min(both["n"].sum(), both["n_other"].sum()) < LEAST:
        return raw[0], raw[1], {"difference": None, "low": None, "high": None}
    first, second = ({**rate, **_standardised(both, side)} for rate, side in zip(raw, ("", "_other"), strict=True))
    return first, second, _difference(first, second)


def _standardised(both: pl.DataFrame, side: str) -> Rate:
    names = (f"n{side}", f"hits{side}", f"tasks{side}", "weight")
    n, hits, tasks, weight = (both[name].to_numpy() for name in names)
    of = float((weight * hits / n).sum() / weight.sum())
    units = float(weight.sum() ** 2 / (weight**2 / tasks).sum())  # as many tasks are worth that
    low, high = wilson_interval(of, units)
    return {"share": of, "low": low, "high": high}


def _difference(of: Rate, than: Rate) -> dict[str, float | None]:
    a, a_low, a_high, b, b_low, b_high = (float(it[end] or 0) for it in (of, than) for end in ("share", "low", "high"))
    low, high = a - b - math.hypot(a - a_low, b_high - b), a - b + math.hypot(a_high - a, b - b_low)
    return {"difference": a - b, "low": low, "high": high}


def of_people(table: pl.DataFrame) -> pl.DataFrame:
    """Everybody's last answer to each control of each task, those that are no judgements because of a seed too."""
    nobody = pl.when(pl.col("annotator") == "").then(pl.int_range(pl.len()))
    rows = table.filter(~pl.col("decided"), ~pl.col("machine"))
    rows = rows.sort("task", "updated_at", "annotation", nulls_last=False, maintain_order=True).with_columns(
        nobody=nobody
    )
    last = rows.unique(["task", "control", "annotator", "nobody"], keep="last", maintain_order=True).drop("nobody")
    audit = (pl.col("arm") == "blind") & (pl.col("score") == 0)  # see `ml_backend.presented.shown`
    arm = pl.when(audit).then(pl.lit("audit")).otherwise("arm")
    return last.with_columns(same=pl.col("answer") == pl.col("shown"), arm=arm)


def referred(rows: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """With `truth`, what is settled, and `reference`, that or what most of the others say; null where nothing."""
    where = ["task", "control"]
    judged = of_annotators(rows)
    stars = judged.filter(pl.col("ground_truth")).group_by(where)
    starred = stars.agg(star=pl.col("answer").first(), by=pl.col("annotation").first(), stars=pl.len())
    counts = judged.group_by([*where, "answer"], maintain_order=True).agg(votes=pl.len())
    most = (
        counts.sort("votes", descending=True, maintain_order=True)
        .group_by(where)
        .agg(
            n=pl.col("votes").sum(),
            first=pl.col("answer").first(),
            first_votes=pl.col("votes").first().cast(pl.Int64),
            second=pl.col("answer").slice(1, 1).first(),
            second_votes=pl.col("votes").slice(1, 1).first().cast(pl.Int64),
        )
    )
    own = (~pl.col("void")).cast(pl.Int64)

    def of_others(answer: str) -> pl.Expr:
        votes = pl.col(f"{answer}_votes") - pl.when(pl.col("answer") == pl.col(answer)).then(own).otherwise(0)
        return pl.when((votes >= 2) & (2 * votes > pl.col("n") - own)).then(answer)

    star = pl.when((pl.col("stars") == 1) & (pl.col("by") != pl.col("annotation"))).then("star")
    return (
        rows.join(decisions(table).select(*where, settled="answer"), on=where, how="left")
        .join(starred, on=where, how="left")
        .join(most, on=where, how="left")
        .with_columns(truth=pl.coalesce("settled", star))
        .with_columns(reference=pl.coalesce("truth", of_others("first"), of_others("second")))
        .select(*rows.columns, "truth", "reference")
    )


def _annotations(rows: pl.DataFrame) -> dict[str, int]:
    arms = rows.unique("annotation")["arm"].value_counts()
    counts = dict(zip(arms["arm"].to_list(), arms["count"].to_list(), strict=True))
    return {**{arm: counts.get(arm, 0) for arm in ARMS}, "untold": counts.get("", 0)}


def _share(rows: pl.DataFrame, what: pl.Expr) -> Rate:
    return share(rows.height, rows.filter(what).height, rows["task"].n_unique())


def _acceptance(shown: pl.DataFrame, names: list[str]) -> dict[str, Any]:
    def by_control(rows: pl.DataFrame) -> dict[str, Rate]:
        parts = {name: rows.filter(control=name) for name in names}
        return {name: _share(part, pl.col("same")) for name, part in parts.items() if part.height}

    named = shown.filter(pl.col("annotator") != "")
    people = [
        {"annotator": who, **_share(rows, pl.col("same")), "controls": by_control(rows)}
        for (who,), rows in named.group_by(["annotator"])
    ]
    people.sort(key=lambda it: str(it["annotator"]))
    return {"overall": _share(shown, pl.col("same")), "controls": by_control(shown), "annotators": people}


def _rubber_stamping(seeded: pl.DataFrame) -> dict[str, Any]:
    wrong = seeded_wrong(seeded)
    people = [
        {"annotator": who, **_share(rows, pl.col("void"))}
        for (who,), rows in wrong.filter(pl.col("annotator") != "").group_by(["annotator"])
    ]
    people.sort(key=lambda it: str(it["annotator"]))
    return {
        "overall": _share(wrong, pl.col("void")),
        "annotators": people,
        "right_after_all": seeded.filter(pl.col("truth") == pl.col("shown")).height,
        "luck": round(1 - SEEDED_FROM, 6),
    }


def seeded_wrong(rows: pl.DataFrame) -> pl.DataFrame:
    """Those of `referred` whose shown answer was wrong on purpose, and is not right after all by what is settled."""
    right = (pl.col("truth") == pl.col("shown")).fill_null(False)
    return rows.filter("seeded", ~right, pl.col("shown").is_not_null())


def _corrections(shown: pl.DataFrame) -> dict[str, Any] | None:
    told = shown.drop_nulls("reference")
    if not told.height:
        return None
    right, wrong = (told.filter((pl.col("shown") == pl.col("reference")) == it) for it in (True, False))
    return {
        "spoilt": _share(right, ~pl.col("same")),
        "kept": _share(wrong, pl.col("same")),
        "decided": told.drop_nulls("truth").height,
    }


def _anchoring(shown: pl.DataFrame, unseen: pl.DataFrame, names: list[str], blind: BlindAnswers) -> dict[str, Any]:
    said = pl.DataFrame(
        [(task, control, key) for (task, control), key in blind.answers.items()],
        schema={"task": pl.Int64, "control": pl.String, "said": pl.String},
        orient="row",
    )
    asked = unseen.join(said, on=["task", "control"]).with_columns(hit=pl.col("answer") == pl.col("said"))
    controls = {}
    for name in names:
        seen, hidden = shown.filter(control=name).with_columns(hit="same"), asked.filter(control=name)
        if seen.height or hidden.height:
            with_it, without, found = compared(seen, hidden)
            controls[name] = {"shown": with_it, "blind": without, "shift": found.pop("difference"), **found}
    note = blind.why
    if any(it["shift"] is not None for it in controls.values()):
        note = "Part of a shift may be help: who is shown a right answer gives it more often. See accuracy."
    return {"controls": controls, "left_out": dict(blind.left_out), "note": note}


def _accuracy(rows: pl.DataFrame) -> dict[str, Any] | None:
    told = rows.drop_nulls("truth")
    if not told.height:
        return None
    told = told.with_columns(hit=pl.col("answer") == pl.col("truth"))
    plain, blind, found = compared(told.filter(arm="plain"), told.filter(arm="blind"))
    return {"plain": plain, "blind": blind, **found} if plain["n"] or blind["n"] else None


def _notes(rows: pl.DataFrame) -> list[str]:
    counts, notes = _annotations(rows), []
    if counts["untold"]:
        notes.append(
            f"{counts['untold']} annotations do not say what was on the screen: nothing was predicted, they were "
            "imported, or the project showed no model version when they were submitted."
        )
    if counts["unknown"]:
        notes.append(f"{counts['unknown']} annotations bear a seal that TIEBREAK_POLICY_SECRET does not open.")
    if not counts["blind"] and (counts["plain"] or counts["seeded"]):
        notes.append("Nobody labelled blind: time saved and anchoring need `policy: {blind: …}` in project.yaml.")
    if not counts["seeded"] and (counts["plain"] or counts["blind"]):
        notes.append("Nothing was seeded: rubber-stamping needs `policy: {seeded: …}` in project.yaml.")
    return notes
