"""Who decides which hard case. Pure: what is known of cases and reviewers goes in, seats come out.

A *seat* is one reviewer's decision of one case. The most severe cases are seated first, the hardest of them first, and
each seat goes to whoever of those that may decide the case has the least open cases for what they can take.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sdk_scripts.standards import Reviewer, Standard


@dataclass(frozen=True, slots=True)
class Case:
    """What distribution must know of a hard case."""

    task: int
    control: str
    labels: frozenset[str] = frozenset()
    """Answers that people or the model gave, to any control; of a taxonomy with the branches above them."""
    language: str = ""
    """ISO 639-1, or "" where it is not known: then everybody reads it."""
    severity: float = 1.0
    disturbing: bool = False
    judged_by: frozenset[str] = frozenset()
    """Lower-cased e-mails of those who may not decide it, because they have already."""
    seats: int = 1
    """How many decide it."""
    seated: tuple[tuple[int, str], ...] = ()
    """Seats that are there already: number, and the reviewer's e-mail ("" for anybody)."""

    @property
    def missing(self) -> list[int]:
        """Numbers of the seats that are not there yet."""
        there = {number for number, _ in self.seated}
        return [number for number in range(1, self.seats + 1) if number not in there]


@dataclass(frozen=True, slots=True)
class Seat:
    case: Case
    reviewer: str
    """Lower-cased e-mail; "" for anybody."""
    number: int
    """From 1."""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A case that has a seat nobody can take now. It comes again with the next run."""

    case: Case
    reason: str
    """A sentence."""


@dataclass(frozen=True)
class Load:
    """What reviewers have, by lower-cased e-mail."""

    open: Mapping[str, int] = field(default_factory=dict)
    """Cases they have neither decided nor skipped."""
    today: Mapping[str, int] = field(default_factory=dict)
    """Cases they were given today (UTC)."""
    disturbing_today: Mapping[str, int] = field(default_factory=dict)


def load_of(review_tasks: Iterable[Mapping[str, Any]], now: datetime) -> Load:
    """The load that a review project's tasks are, as Label Studio returns them with their annotations."""
    open_, today, disturbing = Counter[str](), Counter[str](), Counter[str]()
    for task in review_tasks:
        if not (who := reviewer_of(task["data"])):
            continue
        open_[who] += not task.get("annotations")
        if made_on(task, now):
            today[who] += 1
            disturbing[who] += bool(kept_of(task["data"]).get("disturbing"))
    return Load(open_, today, disturbing)


def distribute(cases: Sequence[Case], standard: Standard, load: Load) -> tuple[list[Seat], list[Unplaced]]:
    """A reviewer for each missing seat of the cases, which come hardest first. Where the standard names no reviewers,
    a case gets one seat, for anybody.

    Nobody gets a case that they have judged or sit on already, that is none of their labels or languages, or that is
    more than they may have open, get a day, or see of disturbing content a day. Equal loads go by e-mail, so the order
    in which the standard names its reviewers says nothing.
    """
    desk = _Desk(standard, load)
    seats: list[Seat] = []
    unplaced: list[Unplaced] = []
    for case in sorted(cases, key=lambda case: -case.severity):
        if not standard.reviewers:
            seats += [Seat(case, "", number) for number in case.missing[:1]]
            continue
        barred = case.judged_by | {who for _, who in case.seated}
        for number in case.missing:
            chosen = desk.least_loaded(case, barred)
            if chosen is None:
                unplaced.append(Unplaced(case, desk.why_nobody(case, barred)))
                break
            desk.give(chosen, case)
            barred |= {chosen.email}
            seats.append(Seat(case, chosen.email, number))
    return seats, unplaced


def another(case: Case, standard: Standard, load: Load) -> Seat | Unplaced:
    """One more seat beside those of `case.seated`: the third on a tie, or (none seated, the earlier reviewers among
    `judged_by`) the first of an appeal."""
    last = max((number for number, _ in case.seated), default=0)
    there = {number for number, _ in case.seated}
    filled = [(number, "") for number in range(1, last + 1) if number not in there]
    seats, unplaced = distribute([replace(case, seats=last + 1, seated=(*case.seated, *filled))], standard, load)
    return seats[0] if seats else unplaced[0]


def case_of(data: Mapping[str, Any], judged_by: Iterable[str], seated: Iterable[tuple[int, str]] = ()) -> Case:
    """The case of a review task's data, for one more seat. A blind task names nobody, so who judged the source's task
    has to be said. What people have made unreadable counts as not given."""
    kept = kept_of(data)
    labels, severity, seats = kept.get("labels"), data.get("severity"), kept.get("seats")
    return Case(
        task=data["source_task"],
        control=data["control"],
        labels=frozenset(label for label in labels if isinstance(label, str))
        if isinstance(labels, list)
        else frozenset(),
        language=str(kept.get("language") or ""),
        severity=float(severity) if isinstance(severity, int | float) else 1.0,
        disturbing=bool(kept.get("disturbing")),
        judged_by=frozenset(email.lower() for email in judged_by),
        seats=seats if isinstance(seats, int) else 1,
        seated=tuple((number, email.lower()) for number, email in seated),
    )


def reviewer_of(data: Mapping[str, Any]) -> str:
    """Lower-cased e-mail of whom a review task is for; "" for anybody."""
    return str(data.get("reviewer") or "").strip().lower()


def made_on(task: Mapping[str, Any], day: datetime) -> bool:
    """Whether Label Studio made a task on that day (UTC)."""
    made = task.get("created_at")
    return isinstance(made, str) and datetime.fromisoformat(made).astimezone(UTC).date() == day.astimezone(UTC).date()


def kept_of(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a review task keeps for Tiebreak beside what it shows."""
    kept = data.get("tiebreak")
    return kept if isinstance(kept, Mapping) else {}


class _Desk:
    """What reviewers have and may have, as it fills."""

    def __init__(self, standard: Standard, load: Load) -> None:
        self.reviewers = sorted(standard.reviewers, key=lambda reviewer: reviewer.email)
        self.disturbing_a_day = standard.disturbing.a_day if standard.disturbing else None
        self.open = Counter(load.open)
        self.today = Counter(load.today)
        self.disturbing = Counter(load.disturbing_today)

    def least_loaded(self, case: Case, barred: frozenset[str]) -> Reviewer | None:
        able = [reviewer for reviewer in self.reviewers if not self._why_not(reviewer, case, barred)]
        return min(able, key=lambda reviewer: self.open[reviewer.email] / reviewer.open, default=None)

    def give(self, reviewer: Reviewer, case: Case) -> None:
        self.open[reviewer.email] += 1
        self.today[reviewer.email] += 1
        self.disturbing[reviewer.email] += case.disturbing

    def why_nobody(self, case: Case, barred: frozenset[str]) -> str:
        reasons = Counter(self._why_not(reviewer, case, barred) for reviewer in self.reviewers)
        counted = ", ".join(f"{reason} ({n})" for reason, n in reasons.most_common())
        return f"None of the {len(self.reviewers)} reviewers can take it: {counted}."

    def _why_not(self, reviewer: Reviewer, case: Case, barred: frozenset[str]) -> str:
        """What keeps a reviewer from a case; "" where nothing does."""
        who = reviewer.email
        if who in barred:
            return "judged it or has it already"
        if reviewer.labels and case.labels and case.labels.isdisjoint(reviewer.labels):
            return "does not decide its labels"
        if reviewer.languages and case.language and case.language not in reviewer.languages:
            return f"does not read {case.language}"
        if self.open[who] >= reviewer.open:
            return "has as many open cases as allowed"
        if self.today[who] >= reviewer.a_day:
            return "got as many today as allowed"
        if case.disturbing and self.disturbing_a_day is not None and self.disturbing[who] >= self.disturbing_a_day:
            return "got as much disturbing content today as allowed"
        return ""
