"""Who works too fast, too slowly, or suddenly otherwise; and who only seems to."""

from __future__ import annotations

import numpy as np
import pytest

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from tests.unit.rules.test_every_rule import observations

PEOPLE = ("ana", "ben", "chi", "dan")


def off(rule: str, rows: list[Given], **more: object) -> list[str]:
    return [it.subject for it in observations(rule, example(rows, **more)) if it.off]


def times(median: float, n: int, seed: int) -> list[float]:
    """Log-normal, as times of people are."""
    return np.random.default_rng(seed).lognormal(np.log(median), 0.5, n).tolist()


def paced(medians: dict[str, float], n: int = 80) -> list[Given]:
    return [
        Given(task, who, "positive", seconds)
        for place, (who, median) in enumerate(medians.items())
        for task, seconds in enumerate(times(median, n, place), 1)
    ]


def test_who_is_a_third_faster_than_the_others_is_not_too_fast() -> None:
    assert off("too_fast", paced({"ana": 13, "ben": 20, "chi": 20, "dan": 24})) == []


def test_a_page_that_was_opened_again_is_not_too_fast() -> None:
    rows = [Given(task, who, "positive", 20.0) for task in range(1, 61) for who in PEOPLE[1:]]
    again = [Given(task, "ana", "positive", 0.2, at=1000 + task) for task in range(1, 61)]
    assert off("too_fast", [*rows, *again]) == []


def test_answers_that_follow_each_other_within_a_second_are_too_fast() -> None:
    rows = [Given(task, who, "positive", 20.0) for task in range(1, 61) for who in PEOPLE[1:]]
    hurried = [Given(task, "ana", "positive", 0.4, at=1000 + task * 0.01) for task in range(1, 61)]
    assert off("too_fast", [*rows, *hurried]) == ["ana"]


def test_short_texts_may_be_answered_fast_and_long_ones_may_not() -> None:
    rows = [Given(task, who, "positive", 4.0) for task in range(1, 61) for who in PEOPLE]
    assert off("too_fast", rows) == []
    assert off("too_fast", rows, texts={task: "word " * 200 + str(task) for task in range(1, 61)}) == list(PEOPLE)


@pytest.mark.parametrize("rule", ["too_fast", "too_slow", "sudden_change"])
@pytest.mark.parametrize("seconds", [None, 0.0])
def test_labels_without_times_say_nothing_of_speed(rule: str, seconds: float | None) -> None:
    rows = [Given(task, who, "positive", seconds, at=0) for task in range(1, 81) for who in PEOPLE]
    with pytest.raises(NotEnoughLabels):
        observations(rule, example(rows))


def test_skipping_fast_is_no_haste() -> None:
    rows = paced({"ana": 20, "ben": 20, "chi": 20})
    skips = [Given(task, "ana", seconds=1.1, skipped=True) for task in range(200, 300)]
    assert off("too_fast", [*rows, *skips]) == []


def test_pages_left_open_over_lunch_make_nobody_slow() -> None:
    rows = paced({"ana": 20, "ben": 20, "chi": 20})
    left = [Given(task, "ana", "positive", 5000.0) for task in range(200, 250)]
    assert off("too_slow", [*rows, *left]) == []


def test_who_takes_four_times_as_long_is_slow() -> None:
    assert off("too_slow", paced({"ana": 80, "ben": 20, "chi": 20, "dan": 20})) == ["ana"]


def test_who_got_the_long_texts_is_not_slow() -> None:
    texts = {task: "word " * (5 if task <= 60 else 300) + str(task) for task in range(1, 121)}
    rows = [Given(task, who, "positive", 10.0) for task in range(1, 61) for who in ("ben", "chi")]
    rows += [Given(task, who, "positive", 90.0) for task in range(61, 121) for who in ("ana", "dan")]
    assert off("too_slow", rows, texts=texts) == []


def changing(at: int, later: dict[str, float], n: int = 160, **more: float) -> list[Given]:
    """Everybody's median is 20 s, and `later` from that task on."""
    rows = []
    for place, (who, median) in enumerate(later.items()):
        before, after = times(20, at, place), times(median, n - at, 100 + place)
        rows += [Given(task, who, "positive", taken, at=task * 2.0) for task, taken in enumerate([*before, *after], 1)]
    return rows


def test_who_alone_becomes_faster_is_found() -> None:
    assert off("sudden_change", changing(90, {"ana": 5, "ben": 20, "chi": 20, "dan": 20})) == ["ana"]


def test_when_all_become_faster_within_a_day_it_is_nobodys_change() -> None:
    assert off("sudden_change", changing(90, dict.fromkeys(PEOPLE, 5.0))) == []


def test_getting_used_to_the_task_is_no_sudden_change() -> None:
    assert off("sudden_change", changing(20, dict.fromkeys(PEOPLE, 8.0) | {"ana": 6.0})) == []


def test_the_same_time_for_everything_is_no_change() -> None:
    rows = [Given(task, who, "positive", 20.0) for task in range(1, 121) for who in PEOPLE]
    assert [(it.off, it.p) for it in observations("sudden_change", example(rows))] == [(False, 1.0)] * 4


def test_labels_imported_at_once_have_no_order_of_work() -> None:
    rows = [Given(task, "ana", "positive", 30.0 if task < 80 else 5.0, at=0) for task in range(1, 161)]
    assert observations("sudden_change", example(rows)) == []
