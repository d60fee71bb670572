"""What changed since the last report, in sentences with the figures of both times.

A change of a figure that is measured on few tasks may be chance; it is called so where its interval says so. Labels and
annotators are many, so theirs are told only where all of them together leave no room for chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from ml_backend.cases import policy_version
from sdk_scripts.report.chance import Estimate, beyond_chance, holm, number, p_value
from sdk_scripts.report.compare import Document, alpha, by, day, of_labels, paired, part, rows, text, why_not
from sdk_scripts.report.sections import Given, Section, Sheet, register
from sdk_scripts.tables import plain
from sdk_scripts.wording import short

_NOT_COMPARED: Any = {"judgements": True, "sections": True, "hard_cases": {"__all__": {"text", "reasons"}}}
_SEVERITIES = {"high": 0, "medium": 1, "low": 2}
MOST_NAMED = 5
MOST_FINDINGS = 3


class Change(BaseModel, frozen=True):
    what: str
    """labels, annotators, agreement, hard cases, findings, model, gold or guidelines."""
    said: str
    better: bool | None = None
    """None: neither, or within chance."""
    section: str = ""


class ChangesPart(BaseModel, frozen=True):
    since: str
    """When the earlier report was made; "" where there is none to compare with."""
    said: list[Change]
    unchanged: list[str]
    """What could be compared and is as it was."""
    note: str
    """Why nothing is compared."""
    policy_version: str
    """Of the guidelines (`ml_backend.cases.policy_version`); "" for a file, and without guidelines."""


@register("changes")
class Changes(Section):
    title = "What changed"
    place = 10
    looks_back = True

    def collect(self, given: Given) -> ChangesPart:
        now: dict[str, Any] = given.core.model_dump(mode="json", exclude=_NOT_COMPARED)
        now |= {name: it.model_dump(mode="json") for name, it in given.parts.items()}
        policy = policy_version(given.evidence.dataset.project or {})
        return compared(given.before, {**now, "changes": {"policy_version": policy}})

    def sheets(self, part: ChangesPart) -> Iterable[Sheet]:
        better = {True: "better", False: "worse", None: ""}
        yield Sheet("Changes", ["what", "change", "way"], [[it.what, it.said, better[it.better]] for it in part.said])


def compared(before: Mapping[str, Any] | None, now: Document) -> ChangesPart:
    """`before` may be anything that was read from JSON."""
    policy = text(part(now, "changes").get("policy_version"))
    if before is None:
        note = "There is no earlier report to compare with."
        return ChangesPart(since="", said=[], unchanged=[], note=note, policy_version=policy)
    if note := why_not(before, now):
        return ChangesPart(since="", said=[], unchanged=[], note=note, policy_version=policy)
    said: list[Change] = []
    unchanged: list[str] = []
    for what, tell in TOLD.items():
        found = [it.model_copy(update={"said": plain(it.said)}) for it in tell(before, now)]
        said += found
        if not found and _told(what, before) and _told(what, now):
            unchanged.append(what)
    return ChangesPart(since=day(before), said=said, unchanged=unchanged, note="", policy_version=policy)


def _told(what: str, document: Document) -> bool:
    """Whether the report says anything about it."""
    where = {"hard cases": "hard_cases", "findings": "inspection", "model": "versions", "agreement": "controls"}
    if what == "guidelines":
        return bool(text(part(document, "changes").get("policy_version")))
    found = document.get({"labels": "overview", **where}.get(what, what))
    return bool(found) or (what == "hard cases" and isinstance(found, list))


def _labels(before: Document, now: Document) -> Iterator[Change]:
    names = {
        "judgements": "judgements",
        "tasks": "tasks",
        "labeled": "tasks labeled",
        "overlapped": "tasks by two people or more",
        "skipped": "skipped",
    }
    told = []
    for name, words in names.items():
        old, new = (number(part(it, "overview").get(name)) for it in (before, now))
        if old is not None and new is not None and old != new:
            told.append(f"{words} {old:,.0f} → {new:,.0f} ({new - old:+,.0f})")
    if told:
        yield Change(what="labels", said=f"{'; '.join(told)}."[:1].upper() + f"{'; '.join(told)}."[1:])


def _annotators(before: Document, now: Document) -> Iterator[Change]:
    old, new = (by(rows(it, "annotators"), "annotator") for it in (before, now))
    for names, words in ((new.keys() - old.keys(), "New"), (old.keys() - new.keys(), "No longer there")):
        if names:
            yield Change(what="annotators", said=f"{words}: {_named(n for (n,) in names)}.", section="annotators")
    pairs = paired(old, new, _quality)
    for (name,), (was, is_) in _beyond_chance(pairs):
        better = is_.value > was.value
        said = f"{short(name)}: quality {_both(was, is_)}, {'better' if better else 'worse'} by more than chance."
        yield Change(what="annotators", said=said, better=better, section="annotators")


def _quality(row: Document) -> Estimate | None:
    return None if row.get("few") is not False else Estimate.read(row, "quality")


def _agreement(before: Document, now: Document) -> Iterator[Change]:
    old, new = (by(rows(it, "controls"), "control") for it in (before, now))
    for names, words in ((new.keys() - old.keys(), "New control"), (old.keys() - new.keys(), "Control gone")):
        if names:
            yield Change(what="agreement", said=f"{words}: {_named(n for (n,) in names)}.", section="agreement")
    for (name,), (was, is_) in paired(old, new, lambda row: alpha(row, number(row.get("items")))).items():
        if was == is_:
            continue
        better = is_.value > was.value if beyond_chance(was, is_) else None
        way = "within chance" if better is None else f"{'better' if better else 'worse'} by more than chance"
        said = f"{short(name)}: alpha {_both(was, is_)}, {way}."
        yield Change(what="agreement", said=said, better=better, section="agreement")
    labels = paired(dict(of_labels(before)), dict(of_labels(now)), lambda row: alpha(row, number(row.get("count"))))
    for (control, label), (was, is_) in _beyond_chance(labels):
        better = is_.value > was.value
        way = "better" if better else "worse"
        said = f"{short(label)} of {short(control)}: alpha {_both(was, is_)}, {way} by more than chance."
        yield Change(what="agreement", said=said, better=better, section="agreement")


def _hard_cases(before: Document, now: Document) -> Iterator[Change]:
    if not isinstance(before.get("hard_cases"), list):
        return
    old, new = ({it["task"] for it in rows(doc, "hard_cases") if type(it.get("task")) is int} for doc in (before, now))
    if old != new:
        was, is_ = (_share(len(tasks), part(doc, "overview")) for tasks, doc in ((old, before), (new, now)))
        better = is_.value < was.value if was and is_ and beyond_chance(was, is_) else None
        said = f"Hard cases {len(old):,} → {len(new):,}: {len(new - old):,} new, {len(old - new):,} no longer hard."
        if was and is_:
            way = "within chance" if better is None else f"{'better' if better else 'worse'} by more than chance"
            said += f" Of the tasks: {_both(was, is_, percent=True)}, {way}."
        yield Change(what="hard cases", said=said, better=better, section="hard_cases")
    if not isinstance(before.get("causes"), list):
        return
    then, today = (
        {name: number(it.get("cases")) or 0 for (name,), it in by(rows(doc, "causes"), "signal").items()}
        for doc in (before, now)
    )
    moved = [(name, then.get(name, 0), today.get(name, 0)) for name in sorted(then.keys() | today.keys())]
    moved = sorted((it for it in moved if it[1] != it[2]), key=lambda it: -abs(it[2] - it[1]))[:MOST_NAMED]
    if moved:
        told = ", ".join(f"{short(name).replace('_', ' ')} {old:,.0f} → {new:,.0f}" for name, old, new in moved)
        yield Change(what="hard cases", said=f"By cause: {told}.", section="causes")


def _share(count: int, overview: Document) -> Estimate | None:
    tasks = number(overview.get("tasks")) or 0
    return Estimate.share(min(count, tasks), tasks) if tasks >= 1 else None


def _findings(before: Document, now: Document) -> Iterator[Change]:
    if not part(before, "inspection") or not part(now, "inspection"):
        return
    old, new = (by(rows(it, "inspection", "findings"), "key") for it in (before, now))
    for keys, of, words, better in (
        (new.keys() - old.keys(), new, "new", False),
        (old.keys() - new.keys(), old, "no longer there", True),
    ):
        found = [of[key] for key in sorted(keys)]
        found.sort(key=lambda it: _SEVERITIES.get(text(it.get("severity")), len(_SEVERITIES)))
        if found:
            told = " ".join(_finding(it) for it in found[:MOST_FINDINGS])
            more = f" And {len(found) - MOST_FINDINGS} more." if len(found) > MOST_FINDINGS else ""
            said = f"{len(found)} {'finding is' if len(found) == 1 else 'findings are'} {words}: {told}{more}"
            yield Change(what="findings", said=said, better=better, section="inspection")


def _finding(row: Document) -> str:
    who = short(text(row.get("subject")))
    return f"{who}: {short(text(row.get('message')), 160)}" if who else short(text(row.get("message")), 160)


def _model(before: Document, now: Document) -> Iterator[Change]:
    old, new = (next((it for it in rows(doc, "versions") if it.get("live") is True), {}) for doc in (before, now))
    names = text(old.get("version")), text(new.get("version"))
    if names[0] == names[1]:
        return
    told = [f"The live model: {short(names[0]) or 'none'} → {short(names[1]) or 'none'}."]
    ways = []
    for control in sorted(part(old, "metrics").keys() & part(new, "metrics").keys()):
        was, is_ = (_accuracy(part(it, "metrics", control)) for it in (old, new))
        if was and is_:
            better = is_.value > was.value if beyond_chance(was, is_) else None
            way = "within chance" if better is None else f"{'better' if better else 'worse'} by more than chance"
            told.append(f"Right on unseen tasks of {short(control)}: {_both(was, is_, percent=True)}, {way}.")
            ways.append(better)
    known = {it for it in ways if it is not None}
    yield Change(what="model", said=" ".join(told), better=known.pop() if len(known) == 1 else None, section="learning")


def _accuracy(metrics: Document) -> Estimate | None:
    n, accuracy = number(metrics.get("labels")), number(metrics.get("accuracy"))
    return Estimate.share(accuracy * n, n) if n and n >= 1 and accuracy is not None and 0 <= accuracy <= 1 else None


def _gold(before: Document, now: Document) -> Iterator[Change]:
    old, new = (by(rows(it, "gold", "scores"), "annotator", "control") for it in (before, now))
    for key, row in sorted(new.items()):
        was, is_ = text(old.get(key, {}).get("verdict")) or "not asked", text(row.get("verdict"))
        if was != is_ and is_ != "not enough":
            score = f"{number(row.get('right')) or 0:.0f} of {number(row.get('asked')) or 0:.0f} right"
            said = f"{short(key[0])} ({short(key[1])}): gold {was} → {is_}, {score}."
            yield Change(what="gold", said=said, better=is_ == "passed", section="gold")
    counts = [number(part(it, "gold").get("retired")) for it in (before, now)]
    if counts[0] is not None and counts[1] is not None and counts[0] != counts[1]:
        yield Change(what="gold", said=f"Gold questions retired: {counts[0]:.0f} → {counts[1]:.0f}.", section="gold")


def _guidelines(before: Document, now: Document) -> Iterator[Change]:
    if "policy_version" not in part(before, "changes"):
        return
    old, new = (text(part(it, "changes").get("policy_version")) for it in (before, now))
    if old != new:
        said = f"The guidelines: version {short(old) or 'none'} → {new or 'none'}."
        yield Change(
            what="guidelines", said=f"{said} Figures from before and after are of different rules.", section="gaps"
        )


TOLD: Mapping[str, Callable[[Document, Document], Iterable[Change]]] = {
    "labels": _labels,
    "annotators": _annotators,
    "agreement": _agreement,
    "hard cases": _hard_cases,
    "findings": _findings,
    "model": _model,
    "gold": _gold,
    "guidelines": _guidelines,
}


def _beyond_chance(pairs: Mapping[Any, tuple[Estimate, Estimate]]) -> list[tuple[Any, tuple[Estimate, Estimate]]]:
    sure = holm([p_value(*pair) for pair in pairs.values()])
    return [it for it, certain in zip(pairs.items(), sure, strict=True) if certain]


def _both(old: Estimate, new: Estimate, *, percent: bool = False) -> str:
    return f"{_words(old, percent)} → {_words(new, percent)}"


def _words(it: Estimate, percent: bool) -> str:
    if percent:
        return f"{100 * it.value:.1f} % ({100 * it.low:.1f} to {100 * it.high:.1f})"
    return f"{it.value:.2f} ({it.low:.2f} to {it.high:.2f})"


def _named(names: Iterable[str]) -> str:
    found: Sequence[str] = sorted(names)
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return ", ".join(short(name) for name in found[:MOST_NAMED]) + more
