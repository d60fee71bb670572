"""Which gold questions have had their day: leaked, contested, or asked often enough. Those that the guidelines left
behind, or that have expired, rest by themselves (`ml_backend.cases`), and come back when somebody renews them.

Many questions are tried at once, so each test is corrected for their number (Holm 1979).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from statistics import median
from typing import TYPE_CHECKING, Any

from sdk_scripts.gold.questions import Answered, Question, Why
from sdk_scripts.gold.scores import verdict

if TYPE_CHECKING:
    from sdk_scripts.quality import Gold

RISK = 0.05
"""Probability that any question is retired by chance, for each way to notice."""
LEAST = 10
"""Answers, before anything is said of a leak: half of them early, half late."""
BETTER = 0.3
"""How much more of the late answers than of the early are right, beyond what people have learned meanwhile."""
FASTER = 0.5
"""Late answers take at most that share of the time of early ones, each beside what is usual with its annotator."""
OBJECTORS = 3
"""Annotators, good at other gold, that have to agree on another answer."""
ELSEWHERE = 5
"""Answers to other gold that show somebody to be good at it."""


@dataclass(frozen=True, slots=True)
class Retired:
    question: Question
    why: Why
    detail: str
    """In a sentence."""

    def to_json(self) -> dict[str, Any]:
        it = self.question
        return {
            "case": it.case.task,
            "control": it.case.control,
            "task": it.task,
            "why": self.why,
            "detail": self.detail,
        }


def retired(
    questions: Sequence[Question], exposures: Mapping[tuple[str, int], int], usual: Mapping[str, float], gold: Gold
) -> list[Retired]:
    """`exposures` are those of each question, `usual` the seconds that an annotator takes for a task. A question that
    may be wrong is said to be contested, whatever else is odd about it."""
    live = [it for it in questions if it.state == "gold"]
    found: dict[tuple[str, int], Retired] = {}
    for one in (*_worn_out(live, exposures, gold), *_leaked(live, usual), *_contested(live, gold)):
        found[one.question.id] = one
    return [found[it.id] for it in live if it.id in found]


def _worn_out(questions: Iterable[Question], exposures: Mapping[tuple[str, int], int], gold: Gold) -> Iterable[Retired]:
    for it in questions:
        if (seen := exposures.get(it.id, 0)) >= gold.most_exposures:
            yield Retired(it, "worn out", f"{seen} annotators have seen it (most_exposures: {gold.most_exposures}).")


def _leaked(questions: Sequence[Question], usual: Mapping[str, float]) -> Iterable[Retired]:
    """Answered markedly better or faster late than early."""
    from scipy.stats import fisher_exact, mannwhitneyu

    tested: list[tuple[float, Retired | None]] = []
    learning = _learning(questions)
    for it in questions:
        if len(it.answers) < LEAST:
            continue
        middle = len(it.answers) // 2
        early, late = it.answers[:middle], it.answers[middle:]
        before, after = _share(early), _share(late)
        learned = learning(it, late[0].at)
        table = [[_right(late), len(late) - _right(late)], [_right(early), len(early) - _right(early)]]
        p = float(fisher_exact(table, alternative="greater").pvalue)
        why = f"{after:.0%} of the late answers are right, {before:.0%} of the early ones were."
        tested.append((p, Retired(it, "leaked", why) if after - before - max(learned, 0) >= BETTER else None))
        slow, fast = _paces(early, usual), _paces(late, usual)
        if min(len(slow), len(fast)) >= LEAST // 2:
            p = float(mannwhitneyu(fast, slow, alternative="less").pvalue)
            ratio = median(fast) / median(slow)
            why = f"Late answers take {ratio:.0%} of the time of early ones."
            tested.append((p, Retired(it, "leaked", why) if ratio <= FASTER and after >= before else None))
    return _beyond_chance(tested)


def _contested(questions: Sequence[Question], gold: Gold) -> Iterable[Retired]:
    """Those who are good at all the other gold agree on another answer, more of them than would err by chance."""
    from scipy.stats import binomtest

    tested: list[tuple[float, Retired | None]] = []
    good = _good_without(questions, gold)
    for it in questions:
        heard = [answer for answer in it.answers if good(answer.annotator, it)]
        wrong = Counter(answer.key for answer in heard if not answer.right)
        if not wrong or len(heard) < OBJECTORS:
            continue
        (_, times) = min(wrong.items(), key=lambda pair: (-pair[1], pair[0]))
        p = float(binomtest(times, len(heard), 1 - gold.pass_mark, alternative="greater").pvalue)
        why = f"{times} of {len(heard)} annotators who are good at other gold agree on another answer."
        enough = times >= OBJECTORS and 2 * times > len(heard)
        tested.append((p, Retired(it, "contested", why) if enough else None))
    return _beyond_chance(tested)


def _good_without(questions: Sequence[Question], gold: Gold) -> Callable[[str, Question], bool]:
    """(annotator, question) -> whether they are right often enough in all the others."""
    asked: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for it in questions:
        for answer in it.answers:
            asked[answer.annotator] += 1
            right[answer.annotator] += answer.right

    def good(annotator: str, question: Question) -> bool:
        own = next(answer for answer in question.answers if answer.annotator == annotator)
        others, well = asked[annotator] - 1, right[annotator] - own.right
        if others < ELSEWHERE or well < gold.pass_mark * others:
            return False
        return verdict(well, others, gold)[0] != "failed"

    return good


def _learning(questions: Sequence[Question]) -> Callable[[Question, datetime], float]:
    """(question, time) -> how much better the other questions are answered since."""
    every = sorted((it.at, it.right) for question in questions for it in question.answers)
    times = [at for at, _ in every]
    rights = [0, *accumulate(right for _, right in every)]

    def learned(question: Question, at: datetime) -> float:
        place, own = bisect_left(times, at), [it for it in question.answers if it.at < at]
        before, right_before = place - len(own), rights[place] - _right(own)
        since = len(every) - len(question.answers) - before
        right_since = rights[-1] - _right(question.answers) - right_before
        return right_since / since - right_before / before if before and since else 0.0

    return learned


def _beyond_chance(tested: Sequence[tuple[float, Retired | None]]) -> Iterable[Retired]:
    """Holm's step-down: the k-th smallest of n p-values has to be at most RISK / (n − k + 1)."""
    ranked = sorted(enumerate(tested), key=lambda pair: (pair[1][0], pair[0]))
    for place, (_, (p, found)) in enumerate(ranked):
        if p > RISK / (len(ranked) - place):
            return
        if found is not None:
            yield found


def _paces(answers: Iterable[Answered], usual: Mapping[str, float]) -> list[float]:
    return [it.seconds / usual[it.annotator] for it in answers if it.seconds and usual.get(it.annotator, 0.0) > 0]


def _right(answers: Sequence[Answered]) -> int:
    return sum(it.right for it in answers)


def _share(answers: Sequence[Answered]) -> float:
    return _right(answers) / len(answers)
