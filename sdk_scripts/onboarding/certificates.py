"""Who has shown that they can label which control: worked out from the courses in Label Studio and nothing else.

A control is decided at the first set of the exam at which the Wilson interval (Wilson, JASA 22, 1927) of the share of
right first answers lies on one side of the pass mark, on LEAST questions or more; as long as it does not, more
questions are asked. Looking again and again at an interval of 90 % passes somebody at the pass mark of 80 % with a
probability of 8 %, somebody with 75 % of right answers with 2 % (30 questions, then 10 at a time, at most 60; one who
has 95 % passes with 98 %). A certificate belongs to the version of the guidelines under which its exam began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from ml_backend.cases import policy_version
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.kinds import Kind, kind_of
from sdk_scripts.decided_answers import same_answer
from sdk_scripts.onboarding.course import Asked, Course, read_course
from sdk_scripts.quality import Onboarding
from sdk_scripts.satellites import satellites_of

if TYPE_CHECKING:
    from ml_backend.studio import Studio

State = Literal["certified", "failed", "undecided", "stale"]
"""Undecided: the exam ended before the interval was on one side. Stale: passed under other guidelines."""

LEAST = 20
"""Questions below which nobody passes or fails."""


@dataclass(frozen=True, slots=True)
class Mistake:
    task: int
    """In the course."""
    severity: float
    answer: str
    """Key of the person's; empty where they gave none."""
    right: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an exam says of one person and control."""

    control: str
    state: State
    n: int = 0
    right: int = 0
    low: float = 0.0
    high: float = 1.0
    """Of the interval of the share of right answers."""
    severity_lost: float = 0.0
    """Share of the questions' severity that was answered wrong, 0–1."""
    mistakes: tuple[Mistake, ...] = ()
    """The most severe first."""
    attempt: int = 0
    policy: str = ""

    def to_json(self, config: LabelConfig) -> dict[str, Any]:
        from sdk_scripts.wording import show_key

        def words(key: str) -> str:
            return show_key(config[self.control], key) if key and self.control in config else ""

        return {
            "state": self.state,
            "n": self.n,
            "right": self.right,
            "low": round(self.low, 4),
            "high": round(self.high, 4),
            "severity_lost": round(self.severity_lost, 4),
            "mistakes": [
                {"task": it.task, "severity": it.severity, "answer": words(it.answer), "right": words(it.right)}
                for it in self.mistakes
            ],
            "attempt": self.attempt,
            "policy": self.policy,
        }


def certified(studio: Studio, source: Mapping[str, Any], onboarding: Onboarding) -> dict[str, dict[str, Certificate]]:
    """Annotator (lower-cased e-mail) -> control -> certificate, of everybody who has a course. Raises StudioError."""
    config, policy = parse(str(source["label_config"])), policy_version(source)
    found: dict[str, dict[str, Certificate]] = {}
    for course in courses(studio, source, config):
        found.setdefault(course.who, {}).update(certificates(course, config, onboarding, policy))
    return found


def courses(studio: Studio, source: Mapping[str, Any], config: LabelConfig, who: str | None = None) -> list[Course]:
    """All of a source, in order of project, or one person's (lower-cased e-mail)."""
    found = [it for it in satellites_of(studio, source, "course") if who in (None, it.about.who.lower())]
    return [read_course(it, studio.read(studio.tasks(it.id)), config) for it in found]


def certificates(course: Course, config: LabelConfig, onboarding: Onboarding, policy: str) -> dict[str, Certificate]:
    """Of the newest exam that decided a control; `policy` is the version of the guidelines of today."""
    found: dict[str, Certificate] = {}
    for attempt in range(1, course.attempt + 1):
        exam = course.of("exam", attempt)
        for it in marks(exam, config, onboarding) if exam and all(one.marked for one in exam) else ():
            stale = it.state == "certified" and it.policy != policy
            found[it.control] = replace(it, attempt=attempt, state="stale" if stale else it.state)
    return found


def marks(exam: Sequence[Asked], config: LabelConfig, onboarding: Onboarding) -> list[Certificate]:
    """Of the exam of one attempt, whose tasks are all marked; `undecided` where more questions would be needed."""
    return [_mark(exam, config, onboarding, name) for name in controls_of(exam) if name in config]


def controls_of(exam: Sequence[Asked]) -> list[str]:
    """What an exam decides on, as its first task says; what else its questions ask is not counted."""
    said = exam[0].about.get("controls") if exam else None
    return [str(name) for name in said] if isinstance(said, list) else []


def interval(right: int, n: int, certainty: float) -> tuple[float, float]:
    """Wilson's, two-sided; (0, 1) for none."""
    from scipy.stats import binomtest

    if not n:
        return 0.0, 1.0
    found = binomtest(right, n).proportion_ci(confidence_level=certainty, method="wilson")
    return float(found.low), float(found.high)


def is_right(config: LabelConfig, control: str, given: str | None, right: str) -> bool:
    kind = kind_of(config[control])
    return given is not None and (given == right or (kind is not None and _same(kind, given, right)))


def _same(kind: Kind, given: str, right: str) -> bool:
    try:
        return same_answer(kind, kind.from_key(given), kind.from_key(right))
    except (ValueError, TypeError, LookupError, AttributeError):  # people may have edited the data
        return False


def _mark(exam: Sequence[Asked], config: LabelConfig, onboarding: Onboarding, control: str) -> Certificate:
    """With what was known at the set that decided it: what is asked for other controls later does not count."""
    counted: list[Asked] = []
    good: set[int] = set()
    state: State = "undecided"
    low, high = 0.0, 1.0
    for _, some in groupby(sorted(exam, key=lambda it: (it.set, it.id)), key=lambda it: it.set):
        new = [it for it in some if it.first and it.marked and not it.marked.void and control in it.marked.answers]
        counted += new
        good |= {it.id for it in new if _right(it, config, control)}
        low, high = interval(len(good), len(counted), onboarding.certainty)
        if len(counted) >= LEAST and not low < onboarding.pass_mark <= high:
            state = "certified" if low >= onboarding.pass_mark else "failed"
            break
    wrong = [it for it in counted if it.id not in good]
    return Certificate(
        control=control,
        state=state,
        n=len(counted),
        right=len(good),
        low=low,
        high=high,
        severity_lost=_severity(wrong) / (_severity(counted) or 1.0),
        mistakes=tuple(sorted(_mistakes(wrong, control), key=lambda it: (-it.severity, it.task))),
        policy=exam[0].policy if exam else "",
    )


def _right(it: Asked, config: LabelConfig, control: str) -> bool:
    if it.first is None or it.marked is None:
        return False
    return is_right(config, control, it.first.answers.get(control), it.marked.answers[control])


def _mistakes(wrong: Iterable[Asked], control: str) -> Iterable[Mistake]:
    for it in wrong:
        if it.first and it.marked:
            given = it.first.answers.get(control, "")
            yield Mistake(it.id, it.marked.severity, given, it.marked.answers[control])


def _severity(some: Iterable[Asked]) -> float:
    return sum(it.marked.severity for it in some if it.marked)
