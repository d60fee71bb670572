"""Which cases get which seats now, by the ranking, the standard, and what the review project has already. No I/O.

A case is known by its task and control; its *round* is 1, and one more with each appeal. What counts is its newest
round: a case that has one is not made again. A seat of it that is missing (a run that was killed between two seats, a
review task taken back) or that its reviewer skipped goes to somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sdk_scripts.another_label import HALF, OneMore
from sdk_scripts.hard_cases import HardCase
from sdk_scripts.review_cases import CaseFacts, judged_by
from sdk_scripts.reviewers import (
    Case,
    Load,
    Seat,
    Unplaced,
    case_of,
    distribute,
    kept_of,
    load_of,
    made_on,
    reviewer_of,
)
from sdk_scripts.standards import Standard

ROUTED = "routed"
"""The signal of cases that need no annotator first."""
DRAWN = "lot"
"""The signal of cases that were drawn to inspect a lot: no other label stands for the reviewer's decision."""
Key = tuple[int, str]
"""A case: source task and control."""
ReviewTask = Mapping[str, Any]
"""As Label Studio returns it, with its annotations."""


@dataclass(frozen=True)
class Round:
    """The newest round of a case in the review project."""

    number: int
    tasks: tuple[ReviewTask, ...]
    """Its review tasks, by seat."""
    earlier: frozenset[str] = frozenset()
    """Lower-cased e-mails of the reviewers of earlier rounds."""

    @property
    def seated(self) -> tuple[tuple[int, str], ...]:
        return tuple((seat_of(task["data"]), reviewer_of(task["data"])) for task in self.tasks)

    @property
    def lacking(self) -> int:
        """How many seats nobody sits on any more. What was for anybody and skipped is served to others."""
        left = sum(bool(reviewer_of(task["data"])) and skipped(task) for task in self.tasks)
        wanted = max(_whole(kept_of(task["data"]).get("seats")) for task in self.tasks)
        return max(0, wanted - (len(self.tasks) - left))


@dataclass(frozen=True)
class ReviewPlan:
    new: tuple[tuple[HardCase, Seat], ...] = ()
    """Seats of cases that had no review."""
    more: tuple[tuple[Mapping[str, Any], Seat], ...] = ()
    """Missing seats of cases that have one: the data of another seat's review task, to be copied."""
    existing: int = 0
    """Cases among the hardest that have their review tasks."""
    unplaced: tuple[Unplaced, ...] = ()
    one_more: tuple[OneMore, ...] = ()
    too_few: int = 0
    """Cases passed over because fewer people have answered them than the standard asks for."""
    day_is_full: bool = False
    """Whether the budget of the day left some out."""


def rounds_of(review_tasks: Iterable[ReviewTask], source: int) -> dict[Key, Round]:
    """The cases of a source project, by its id, in a review project's tasks. Others than ours are passed over."""
    found: dict[Key, dict[int, list[ReviewTask]]] = {}
    for task in review_tasks:
        data = task["data"]
        if data.get("source_project") == source and isinstance(data.get("source_task"), int):
            rounds = found.setdefault((data["source_task"], str(data.get("control"))), {})
            rounds.setdefault(round_of(data), []).append(task)
    return {key: _newest(rounds) for key, rounds in found.items()}


def to_take_back(review_tasks: Iterable[ReviewTask], standard: Standard, now: datetime) -> list[int]:
    """Ids of review tasks that nobody has answered or skipped, and that are too old, or for somebody whom the standard
    no longer names. Those that somebody has begun are not to go either; that is for Label Studio to say."""
    named = {reviewer.email for reviewer in standard.reviewers}
    since = now - timedelta(days=standard.expires_days) if standard.expires_days else None
    return [
        task["id"]
        for task in review_tasks
        if "source_task" in task["data"]
        and untouched(task)
        and (
            (since is not None and datetime.fromisoformat(task["created_at"]).astimezone(UTC) < since)
            or (bool(named) and reviewer_of(task["data"]) not in {"", *named})
        )
    ]


@dataclass
class Planner:
    """Makes a ReviewPlan."""

    facts: CaseFacts
    source: int
    """Id of the source project."""
    review_tasks: Sequence[ReviewTask]
    """Of the review project, without those to take back."""
    now: datetime
    overlap: Callable[[int], int] = lambda task: 1
    """Annotations that a source task is to get."""
    usual: frozenset[int] = frozenset({1})
    """The overlaps that tasks have before anybody raises one."""
    most_annotations: int = 1
    """No task gets more."""
    share: Callable[[str, int], float] = lambda control, task: 0.0
    """See `AnotherLabel.share`."""
    one_more: list[OneMore] = field(default_factory=list)
    too_few: int = 0

    def plan(self, ranked: Iterable[HardCase], budget: int) -> ReviewPlan:
        """The `budget` hardest cases get a review; those that have one count, so a second run adds nothing. What cannot
        be placed, or waits for annotators, does not count."""
        load = load_of(self.review_tasks, self.now)
        rounds = rounds_of(self.review_tasks, self.source)
        more, unplaced, load = self._completed(rounds, load)
        room = self._room_today(rounds)
        new: list[tuple[HardCase, Seat]] = []
        placed = existing = 0
        left_out = False
        waiting = iter(ranked)
        while placed + existing < budget:
            batch: dict[Case, HardCase] = {}
            for hard in waiting:
                if (hard.task, hard.control) in rounds:
                    existing += 1
                elif len(batch) >= room:
                    left_out = True
                elif not self._waits(hard, budget):
                    batch[self.facts.case(hard)] = hard
                if placed + existing + len(batch) >= budget:
                    break
            if not batch:
                break
            seats, nobody = distribute(list(batch), self.facts.standard, load)
            load = _after(load, seats)
            unplaced += nobody
            new += [(batch[seat.case], seat) for seat in seats]
            begun = len({seat.case for seat in seats})
            placed += begun
            room -= begun
            if not self._anybody_free(load):
                break
        return ReviewPlan(
            new=tuple(new),
            more=tuple(more),
            existing=existing,
            unplaced=tuple(unplaced),
            one_more=tuple(self.one_more),
            too_few=self.too_few,
            day_is_full=left_out,
        )

    def _completed(
        self, rounds: Mapping[Key, Round], load: Load
    ) -> tuple[list[tuple[Mapping[str, Any], Seat]], list[Unplaced], Load]:
        """The seats that rounds lack."""
        incomplete: dict[Case, Mapping[str, Any]] = {}
        for (task, _), round in rounds.items():
            if round.lacking and task in self.facts.evidence.tasks:
                data = round.tasks[0]["data"]
                barred = judged_by(self.facts.evidence.tasks[task]) | round.earlier
                case = case_of(data, barred, round.seated)
                incomplete[replace(case, seats=len(round.tasks) + round.lacking)] = data
        seats, unplaced = distribute(list(incomplete), self.facts.standard, load)
        return [(incomplete[seat.case], seat) for seat in seats], unplaced, _after(load, seats)

    def _room_today(self, rounds: Mapping[Key, Round]) -> int:
        """New cases that may still be made today."""
        a_day = self.facts.standard.budget.a_day
        if a_day is None:
            return 1_000_000
        made = sum(
            round.number == 1 and all(made_on(task, self.now) for task in round.tasks) for round in rounds.values()
        )
        return max(0, a_day - made)

    def _waits(self, hard: HardCase, budget: int) -> bool:
        """Whether a case is to be answered by one more annotator rather than reviewed."""
        if any(it.signal == DRAWN for it in hard.reasons):
            return False
        standard, judgements = self.facts.standard, self.facts.judgements(hard)
        short = judgements < standard.minimum_judgements and all(it.signal != ROUTED for it in hard.reasons)
        another = standard.one_more_annotator and 0 < judgements < self.most_annotations and len(self.one_more) < budget
        if another and (short or self.share(hard.control, hard.task) >= HALF):
            overlap = self.overlap(hard.task)
            if overlap > judgements or short or overlap in self.usual:  # else it was raised before
                self.one_more.append(OneMore(hard.task, max(overlap, judgements + 1), raised=overlap <= judgements))
                return True
        self.too_few += short
        return short

    def _anybody_free(self, load: Load) -> bool:
        reviewers = self.facts.standard.reviewers
        return not reviewers or any(
            load.open.get(one.email, 0) < one.open and load.today.get(one.email, 0) < one.a_day for one in reviewers
        )


def round_of(data: Mapping[str, Any]) -> int:
    return _whole(data.get("round"))


def seat_of(data: Mapping[str, Any]) -> int:
    return _whole(data.get("seat"))


def _whole(value: Any) -> int:
    """1 for what is no number from 1 up: anybody may have edited the data."""
    return value if isinstance(value, int) and value > 0 else 1


def skipped(task: ReviewTask) -> bool:
    """Whether a review task was skipped and by nobody decided."""
    annotations = task.get("annotations") or ()
    return bool(annotations) and all(one.get("was_cancelled") for one in annotations)


def untouched(task: ReviewTask) -> bool:
    """Whether nobody has answered or skipped a review task. (Whether somebody else has begun it, tasks do not say.)"""
    return not task.get("annotations")


def twice(review_tasks: Iterable[ReviewTask], source: int) -> list[int]:
    """Ids of review tasks that sit on the same seat of a source's case, as two machines at once make them."""
    found: dict[tuple[Any, ...], list[int]] = {}
    for task in review_tasks:
        if task["data"].get("source_project") == source:
            found.setdefault(_seat_key(task), []).append(task["id"])
    return [id for ids in found.values() if len(ids) > 1 for id in ids]


def doubles(review_tasks: Iterable[ReviewTask]) -> list[ReviewTask]:
    """Of those, read with their annotations, what can go: all but the first of each seat, if nobody has touched it."""
    kept: set[tuple[Any, ...]] = set()
    found = []
    for task in sorted(review_tasks, key=lambda task: (untouched(task), task["id"])):
        if (key := _seat_key(task)) in kept and untouched(task):
            found.append(task)
        kept.add(key)
    return found


def _seat_key(task: ReviewTask) -> tuple[Any, ...]:
    data = task["data"]
    return data.get("source_task"), data.get("control"), round_of(data), seat_of(data)


def _newest(rounds: Mapping[int, list[ReviewTask]]) -> Round:
    number = max(rounds)
    earlier = {reviewer_of(task["data"]) for one, tasks in rounds.items() if one < number for task in tasks} - {""}
    return Round(number, tuple(sorted(rounds[number], key=_by_seat)), frozenset(earlier))


def _by_seat(task: ReviewTask) -> tuple[int, int]:
    return seat_of(task["data"]), task["id"]


def _after(load: Load, seats: Iterable[Seat]) -> Load:
    """The load once these seats are taken."""
    return Load(
        _plus(load.open, (seat.reviewer for seat in seats)),
        _plus(load.today, (seat.reviewer for seat in seats)),
        _plus(load.disturbing_today, (seat.reviewer for seat in seats if seat.case.disturbing)),
    )


def _plus(counts: Mapping[str, int], emails: Iterator[str]) -> dict[str, int]:
    found = dict(counts)
    for email in emails:
        found[email] = found.get(email, 0) + 1
    return found
