"""The report's figures worked out once more, plainly, from the JSON that Label Studio exports.

Nothing of Tiebreak is used: the standard library, and the definitions of Krippendorff (Content Analysis, 2004, ch. 11).
Slow on purpose: every pair is looked at.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations
from statistics import fmean, median
from typing import Any

Answer = Any
Distance = Callable[[Answer, Answer], float]


@dataclass(frozen=True)
class Control:
    kind: str
    """one, many, stars or spans."""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    task: int
    control: str
    who: str
    answer: Answer
    annotation: Mapping[str, Any]


class Book:
    """`void`: (annotation, control) of answers that were wrong on purpose and submitted as they were."""

    def __init__(
        self, export: list[dict[str, Any]], controls: Mapping[str, Control], void: Collection[tuple[int, str]] = ()
    ) -> None:
        self.export, self.controls, self.void = export, controls, void
        self.judgements = list(self._last_of_everybody())

    def _last_of_everybody(self) -> Iterable[Judgement]:
        for task in self.export:
            last: dict[tuple[str, str], Judgement] = {}
            in_time = sorted(task["annotations"], key=lambda it: (it["updated_at"], it["id"]))
            for annotation in in_time:
                if annotation["was_cancelled"] or any(_about(it).get("review") for it in annotation["result"]):
                    continue
                who = annotation["completed_by"]
                name = who["email"] if isinstance(who, dict) else str(who)
                for control, answer in self.answers(annotation["result"]).items():
                    by_machine = any(
                        _about(it).get("machine") for it in annotation["result"] if it["from_name"] == control
                    )
                    if not by_machine and (annotation["id"], control) not in self.void:
                        last[control, name] = Judgement(task["id"], control, name, answer, annotation)
            yield from last.values()

    def answers(self, result: list[dict[str, Any]]) -> dict[str, Answer]:
        """Choices and spans as frozen sets, stars as a number."""
        found: dict[str, Answer] = {}
        for name, control in self.controls.items():
            values = [it["value"] for it in result if it["from_name"] == name]
            if control.kind == "stars":
                found.update((name, value["rating"]) for value in values)
            elif control.kind == "spans":
                marked = frozenset((v["start"], v["end"], label) for v in values for label in v["labels"])
                found |= {name: marked} if marked else {}
            elif picked := frozenset(choice for value in values for choice in value["choices"]):
                found[name] = picked
        return found

    # -- the overview ----------------------------------------------------------------------------------------------

    def overview(self) -> dict[str, int]:
        people: defaultdict[int, set[str]] = defaultdict(set)
        for it in self.judgements:
            people[it.task].add(it.who)
        return {
            "tasks": len(self.export),
            "labeled": len(people),
            "overlapped": sum(len(them) > 1 for them in people.values()),
            "judgements": len(self.judgements),
            "annotators": len({it.who for it in self.judgements}),
            "skipped": sum(it["was_cancelled"] for task in self.export for it in task["annotations"]),
            "predicted": sum(bool(task["predictions"]) for task in self.export),
        }

    def days(self) -> dict[str, int]:
        return dict(sorted(Counter(it.annotation["created_at"][:10] for it in self.judgements).items()))

    # -- agreement -------------------------------------------------------------------------------------------------

    def units(self, control: str) -> list[list[Answer]]:
        """Of each task, what its people answered."""
        found: defaultdict[int, list[Answer]] = defaultdict(list)
        for it in self.judgements:
            if it.control == control:
                found[it.task].append(it.answer)
        return list(found.values())

    def percent(self, control: str) -> float | None:
        shares = [
            fmean(self.likeness(control, a, b) for a, b in permutations(unit, 2))
            for unit in self.units(control)
            if len(unit) > 1
        ]
        return fmean(shares) if shares else None

    def alpha(self, control: str) -> float | None:
        units = self.units(control)
        if self.controls[control].kind == "stars":
            return alpha(units, ordinal([it for unit in units if len(unit) > 1 for it in unit]))
        return alpha(units, lambda a, b: 1 - self.likeness(control, a, b))

    def likeness(self, control: str, a: Answer, b: Answer) -> float:
        kind = self.controls[control].kind
        if kind == "many":
            return len(a & b) / len(a | b)
        if kind == "spans":
            one, other = _characters(a), _characters(b)
            return 2 * len(one & other) / (len(one) + len(other))
        return float(a == b)

    def label_alpha(self, control: str, label: str) -> float | None:
        units = [[label in self.labels_of(control, answer) for answer in unit] for unit in self.units(control)]
        return alpha(units, lambda a, b: float(a != b))

    def label_counts(self, control: str) -> dict[str, int]:
        counts = Counter(dict.fromkeys(self.controls[control].labels, 0))
        for it in self.judgements:
            if it.control == control:
                counts.update(self.labels_of(control, it.answer))
        return dict(counts)

    def labels_of(self, control: str, answer: Answer) -> set[str]:
        kind = self.controls[control].kind
        if kind == "stars":
            return {str(answer)}
        return {label for *_, label in answer} if kind == "spans" else set(answer)

    # -- people ----------------------------------------------------------------------------------------------------

    def with_others(self, who: str) -> float | None:
        """The mean, over somebody's judgements, of how like the others' they are."""
        found = []
        for mine in self.judgements:
            others = [
                self.likeness(mine.control, mine.answer, it.answer)
                for it in self.judgements
                if (it.task, it.control) == (mine.task, mine.control) and it.who != who
            ]
            if mine.who == who and others:
                found.append(fmean(others))
        return fmean(found) if found else None

    def annotations_of(self, who: str) -> list[Mapping[str, Any]]:
        return list({it.annotation["id"]: it.annotation for it in self.judgements if it.who == who}.values())

    def median_seconds(self, who: str) -> float | None:
        times = [it["lead_time"] for it in self.annotations_of(who) if it["lead_time"] is not None]
        return median(times) if times else None

    # -- the machine -----------------------------------------------------------------------------------------------

    def accepted(self) -> tuple[int, int]:
        """Answers that were shown by a plain prediction, and those that were submitted as they were shown."""
        shown = same = 0
        predictions = {it["id"]: it for task in self.export for it in task["predictions"]}
        for it in self.judgements:
            seen = predictions.get(it.annotation.get("parent_prediction"))
            if seen is None or any(_about(region).get("seal") for region in seen["result"]):
                continue
            given = self.answers(seen["result"])
            if it.control in given:
                shown += 1
                same += given[it.control] == it.answer
        return shown, same

    # -- consensus -------------------------------------------------------------------------------------------------

    def unanimous(self, control: str) -> dict[int, Answer]:
        votes = self._votes(control)
        return {task: next(iter(set(given))) for task, given in votes.items() if len(set(given)) == 1}

    def majority(self, control: str) -> dict[int, Answer]:
        """Of more than half of the votes; tasks without are not there."""
        most = {task: Counter(given).most_common(1)[0] for task, given in self._votes(control).items()}
        return {task: answer for task, (answer, n) in most.items() if 2 * n > len(self._votes(control)[task])}

    def decided(self) -> dict[tuple[int, str], Answer]:
        """(task, control) -> what a review decided."""
        return {
            (task["id"], control): answer
            for task in self.export
            for annotation in task["annotations"]
            if any(_about(it).get("review") for it in annotation["result"])
            for control, answer in self.answers(annotation["result"]).items()
        }

    def _votes(self, control: str) -> dict[int, list[Answer]]:
        found: defaultdict[int, list[Answer]] = defaultdict(list)
        for it in self.judgements:
            if it.control == control:
                found[it.task].append(it.answer)
        return found


def alpha(units: list[list[Answer]], distance: Distance) -> float | None:
    """1 - observed / expected disagreement, over tasks with two answers or more; None where chance leaves no room."""
    pairable = [unit for unit in units if len(unit) > 1]
    everything = [answer for unit in pairable for answer in unit]
    n = len(everything)
    if not n:
        return None
    observed = sum(sum(distance(a, b) for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in pairable) / n
    expected = sum(distance(a, b) for a, b in permutations(everything, 2)) / (n * (n - 1))
    return 1 - observed / expected if expected > 1e-12 else None


def ordinal(pairable: list[int]) -> Distance:
    """The squared number of answers between two values, half of each value's own counted."""
    counts = Counter(pairable)

    def squared(a: int, b: int) -> float:
        low, high = min(a, b), max(a, b)
        between = sum(n for value, n in counts.items() if low <= value <= high)
        return (between - (counts[low] + counts[high]) / 2) ** 2 if low != high else 0.0

    return squared


def _characters(spans: Iterable[tuple[int, int, str]]) -> set[tuple[int, str]]:
    return {(place, label) for start, end, label in spans for place in range(start, end)}


def _about(region: Mapping[str, Any]) -> Mapping[str, Any]:
    return (region.get("meta") or {}).get("tiebreak") or {}
