"""What the seats of one case add up to: an answer, waiting, a third reviewer, or a conflict for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import Answer, kind_of
from sdk_scripts.decided_answers import decided_answer
from sdk_scripts.decisions import Decision, Review, Seated

MOST_SEATS = 3


@dataclass(frozen=True, slots=True)
class Decided:
    """The answer of all seats, or of two in three."""

    decision: Decision
    """The one to name: the first seat's of those that gave the answer."""
    answer: Answer
    key: str


@dataclass(frozen=True, slots=True)
class Waiting:
    why: str


@dataclass(frozen=True, slots=True)
class Split:
    """Two reviewers differ, so a third is to be asked."""

    first: Review
    """The review task of the first who decided."""
    seated: tuple[tuple[int, str], ...]
    """Every seat there is: number, and the e-mail of who decided it or is to; "" for anybody."""


@dataclass(frozen=True, slots=True)
class Conflict:
    why: str


Verdict = Decided | Waiting | Split | Conflict


def by_case(reviews: Iterable[Seated]) -> dict[tuple[int, str], list[Seated]]:
    """(source task, control) -> its review tasks, in order of round and seat."""
    cases: dict[tuple[int, str], list[Seated]] = {}
    for seated in sorted(reviews, key=lambda it: (it.review.round, it.review.seat, it.review.task)):
        cases.setdefault(seated.review.case, []).append(seated)
    return cases


def verdict(reviews: Sequence[Seated], config: LabelConfig, data: Mapping[str, Any]) -> Verdict:
    """Of one case's review tasks, as `by_case` has them; only the newest round speaks. `data` are the source task's.

    Each seat is another person's, and nobody sits on two rounds of a case. Whom a seat was for and who skipped it does
    not count: somebody else gets another.
    """
    newest = reviews[-1].review.round
    sitting = [it for it in reviews if it.review.round == newest]
    seats = min(MOST_SEATS, max(it.review.seats for it in sitting))
    if problem := next((it for it in sitting if it.problem), None):
        return Conflict(f"Review task {problem.review.task}: {problem.problem}")
    decisions = [it.decision for it in sitting if it.decision]
    earlier = {it.decision.reviewer for it in reviews if it.review.round < newest and it.decision}
    if rules := _broken(decisions, earlier):
        return Conflict(rules)
    found: dict[str, list[Decided]] = {}
    for decision in decisions:
        try:
            answer = decided_answer(decision, config, data)
        except InputError as error:
            return Conflict(f"Review task {decision.review.task}: {error}")
        kind = kind_of(config[decision.review.control])
        key = kind.key(answer) if kind else ""
        found.setdefault(key, []).append(Decided(decision, answer, key))
    most: list[Decided] = max(found.values(), key=len, default=[])
    if 2 * len(most) > max(seats, len(decisions)):
        return most[0]
    if len(decisions) < seats:
        return Waiting(_whom(sitting, seats))
    if len(decisions) < MOST_SEATS:
        return Split(decisions[0].review, tuple((it.review.seat, _who(it)) for it in sitting))
    return Conflict(
        f"Its {len(decisions)} reviewers gave {len(found)} answers. Talk it over, and let one of them change theirs."
    )


def _broken(decisions: Sequence[Decision], earlier: set[str]) -> str:
    """Which rule the seats break; "" for none."""
    again = next((one.reviewer for one in decisions if one.reviewer in earlier), "")
    if again:
        return f"{again} decided it before it was reopened, which takes somebody else."
    seats = Counter(one.review.seat for one in decisions)
    if twice := [seat for seat, times in seats.items() if times > 1]:
        tasks = ", ".join(str(one.review.task) for one in decisions if one.review.seat == twice[0])
        return f"Review tasks {tasks} are all for seat {twice[0]} of it. Delete all but one."
    people = Counter(one.reviewer for one in decisions)
    if several := [who for who, times in people.items() if times > 1]:
        return f"{several[0]} decided {people[several[0]]} seats of it, which are for different people."
    return ""


def _whom(sitting: Sequence[Seated], seats: int) -> str:
    """Whom a case waits for."""
    open_ = [it for it in sitting if not it.decision]
    found = [
        f"Review task {it.review.task} of {it.review.assigned or 'anybody'} "
        + ("was skipped" if it.skipped else "is open")
        for it in open_
    ]
    left = sum(it.skipped and bool(it.review.assigned) for it in open_)
    if (nobody := seats - len(sitting) + left) > 0:
        found.append(f"{nobody} of its {seats} seats {'has' if nobody == 1 else 'have'} no reviewer yet")
    return "; ".join(found) + "."


def _who(it: Seated) -> str:
    return it.decision.reviewer if it.decision else it.review.assigned
