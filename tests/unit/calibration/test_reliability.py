"""How far a control was agreed about, and what follows."""

from __future__ import annotations

import math
import random

import pytest
from unit.calibration.made import said

from ml_backend.labeling.agreement import agreement
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.calibration.reliability import Reliability, difference, reliability

LABELS = ("negative", "neutral", "positive")


def measured(rows: dict[int, dict[str, str]], certainty: float = 0.95) -> Reliability:
    answers = said(rows)
    (control,) = answers.config.answerable
    kind = kind_of(control)
    assert kind is not None
    return reliability(answers.table, control, kind, certainty)


def noisy(n: int, noise: float, seed: int = 0, labels: tuple[str, ...] = LABELS) -> dict[int, dict[str, str]]:
    drawn = random.Random(seed)
    truths = {item: drawn.choice(labels) for item in range(1, n + 1)}
    return {
        item: {who: drawn.choice(LABELS) if drawn.random() < noise else truth for who in ("ana", "ben", "cho")}
        for item, truth in truths.items()
    }


def test_alpha_and_ac1_are_those_of_tiebreak_agreement() -> None:
    rows = noisy(40, 0.3)
    answers = said(rows)
    apart = agreement(answers.table, answers.config).controls["sentiment"]
    found = measured(rows)
    assert (found.items, found.alpha, found.ac1) == (40, pytest.approx(apart.alpha), pytest.approx(apart.ac1))
    assert (found.low, found.high) == (pytest.approx(apart.alpha_low), pytest.approx(apart.alpha_high))
    assert found.ac1_low < found.ac1 < found.ac1_high
    wide = measured(rows, certainty=0.5)
    assert found.low < wide.low < wide.high < found.high


def test_where_nobody_differs_few_tasks_still_promise_little() -> None:
    """One label only: alpha is undefined, and AC1's bound is that of the share agreed about, 0.025 ** (1 / n)."""
    for n, verdict in ((8, "not enough to say"), (40, "passed")):
        same = {item: dict.fromkeys(("ana", "ben"), "neutral") for item in range(1, n + 1)}
        found = measured(same)
        assert math.isnan(found.alpha)
        assert found.deciding == (1.0, pytest.approx(0.025 ** (1 / n)), 1.0)
        assert (found.ac1, found.ac1_low) == (1.0, pytest.approx(0.025 ** (1 / n)))
        assert found.verdict(0.667)[0] == verdict
        halves = {item: dict.fromkeys(("ana", "ben"), LABELS[item % 2]) for item in range(1, n + 1)}
        assert measured(halves).low == pytest.approx(1 - (1 - 0.025 ** (1 / n)) / 0.5)


def test_the_verdict_is_by_the_interval_and_says_how_many_tasks_would_tell() -> None:
    assert measured(noisy(200, 0.05)).verdict(0.667) == ("passed", None)
    assert measured(noisy(200, 0.8)).verdict(0.667) == ("failed", None)
    few = measured(noisy(20, 0.12))
    verdict, needed = few.verdict(0.667)
    assert (verdict, few.low < 0.667 < few.high) == ("not enough to say", True)
    assert needed is not None
    value, low, _ = few.deciding
    assert value - (value - low) * math.sqrt(few.items / needed) >= 0.667 - 1e-9
    assert measured(noisy(5, 0.1)).verdict(0.667) == ("too few", None)


def test_skewed_labels_are_told() -> None:
    rows = {item: {"ana": "neutral", "ben": "negative" if item < 4 else "neutral"} for item in range(1, 41)}
    found = measured(rows)
    assert found.skewed
    assert found.alpha < 0.1 < 0.8 < found.ac1
    assert not measured(noisy(40, 0.1)).skewed


def test_a_change_between_rounds_is_more_than_chance_only_where_intervals_say_so() -> None:
    before, after = measured(noisy(60, 0.5)), measured(noisy(60, 0.02, seed=1))
    change = difference(before, after)
    assert change is not None
    value, low, high = change
    assert value == pytest.approx(after.alpha - before.alpha)
    assert 0 < low < value < high
    same = difference(measured(noisy(60, 0.3)), measured(noisy(60, 0.3, seed=2)))
    assert same is not None
    assert same[1] < 0 < same[2]
    assert difference(before, Reliability(0)) is None
