"""How well each annotator answers gold questions: passed or failed by an interval, else not enough is known yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from sdk_scripts.gold.questions import Answered, Question

if TYPE_CHECKING:
    from sdk_scripts.quality import Gold

Verdict = Literal["passed", "failed", "not enough"]


@dataclass(frozen=True, slots=True)
class Mistake:
    question: Question
    answer: Answered

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.question.task,
            "case": self.question.case.task,
            "severity": self.question.severity,
            "answer": self.answer.key,
            "right": self.question.key,
            "at": self.answer.at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Score:
    annotator: str
    control: str
    asked: int
    right: int
    low: float
    """Wilson's interval of the share of right answers."""
    high: float
    verdict: Verdict
    harm: float
    """Of the severity of all that was asked, the share that was answered wrong."""
    mistakes: tuple[Mistake, ...]
    """The worst first, then the newest."""

    def to_json(self) -> dict[str, Any]:
        return {
            "annotator": self.annotator,
            "control": self.control,
            "asked": self.asked,
            "right": self.right,
            "low": round(self.low, 4),
            "high": round(self.high, 4),
            "verdict": self.verdict,
            "harm": round(self.harm, 4),
            "mistakes": [it.to_json() for it in self.mistakes],
        }


def scores(questions: Iterable[Question], gold: Gold, now: datetime) -> list[Score]:
    """Of each annotator and control, from the last `gold.days` days; in order of annotator and control."""
    since = now - timedelta(days=gold.days)
    given: defaultdict[tuple[str, str], list[Mistake]] = defaultdict(list)
    for question in questions:
        if question.counts:
            for answer in question.answers:
                if answer.at >= since:
                    given[answer.annotator, question.case.control].append(Mistake(question, answer))
    return [_score(annotator, control, them, gold) for (annotator, control), them in sorted(given.items())]


def verdict(right: int, asked: int, gold: Gold) -> tuple[Verdict, float, float]:
    """With Wilson's interval. Fewer than `gold.least` answers pass and fail nobody."""
    from scipy.stats import binomtest

    interval = binomtest(right, asked).proportion_ci(confidence_level=gold.certainty, method="wilson")
    low, high = float(interval.low), float(interval.high)
    if asked < gold.least:
        return "not enough", low, high
    return ("passed" if low >= gold.pass_mark else "failed" if high < gold.pass_mark else "not enough"), low, high


def _score(annotator: str, control: str, given: list[Mistake], gold: Gold) -> Score:
    wrong = [it for it in given if not it.answer.right]
    right = len(given) - len(wrong)
    said, low, high = verdict(right, len(given), gold)
    harm = sum(it.question.severity for it in wrong) / sum(it.question.severity for it in given)
    wrong.sort(key=lambda it: (-it.question.severity, -it.answer.at.timestamp()))
    return Score(annotator, control, len(given), right, low, high, said, harm, tuple(wrong))
