"""When an exam passes or fails somebody."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from scipy.stats import binomtest

from sdk_scripts.onboarding.certificates import Certificate, marks
from sdk_scripts.onboarding.course import COURSE, Asked, First, Marked
from sdk_scripts.quality import Onboarding
from tests.unit.onboarding.classroom import CONFIG

GOOD, BAD = '["positive"]', '["negative"]'


def asked(number: int, right: bool, set: int = 1, severity: float = 1.0, void: str = "") -> Asked:
    return Asked(
        id=number,
        data={COURSE: {"controls": ["sentiment"]}},
        item=f"item-{number}",
        stage="exam",
        attempt=1,
        set=set,
        policy="old",
        first=First({"sentiment": GOOD if right else BAD}, ""),
        marked=Marked({"sentiment": GOOD}, severity, void),
    )


def of(right: int, n: int, **rules) -> Certificate:
    return marked([asked(number, number < right) for number in range(n)], **rules)


def marked(exam: Sequence[Asked], **rules) -> Certificate:
    (found,) = marks(exam, CONFIG, Onboarding(**rules))
    return found


@pytest.mark.parametrize(
    ("right", "n", "state"),
    [(30, 30, "certified"), (28, 30, "certified"), (27, 30, "undecided"), (21, 30, "undecided"), (20, 30, "failed")],
)
def test_the_interval_decides_and_not_the_share(right: int, n: int, state: str) -> None:
    found = of(right, n)
    wilson = binomtest(right, n).proportion_ci(0.9, "wilson")
    assert (found.state, found.low, found.high) == (state, pytest.approx(wilson.low), pytest.approx(wilson.high))


@pytest.mark.parametrize("right", [0, 10])
def test_ten_questions_decide_nothing(right: int) -> None:
    assert of(right, 10, pass_mark=0.5).state == "undecided"


def test_what_was_decided_is_not_undone_by_questions_for_other_controls() -> None:
    exam = [asked(n, True) for n in range(30)] + [asked(n, False, set=2) for n in range(30, 60)]
    assert (marked(exam).state, marked(exam).n) == ("certified", 30)


def test_mistakes_are_listed_by_severity_and_weighed_with_it() -> None:
    exam = [asked(n, n > 2, severity=5.0 if n == 2 else 1.0) for n in range(30)]
    found = marked(exam)
    assert [(it.task, it.severity) for it in found.mistakes] == [(2, 5.0), (0, 1.0), (1, 1.0)]
    assert found.severity_lost == pytest.approx(7 / 34)
    assert found.to_json(CONFIG)["mistakes"][0] == {
        "task": 2,
        "severity": 5.0,
        "answer": "negative",
        "right": "positive",
    }


def test_a_void_question_does_not_count() -> None:
    exam = [asked(n, True) for n in range(30)] + [asked(n, False, void="gone") for n in range(30, 60)]
    assert (marked(exam).n, marked(exam).state) == (30, "certified")
