from __future__ import annotations

import numpy as np
import pytest

from sdk_scripts.backtest.measures import Answered
from sdk_scripts.backtest.promises import promise


def predictions(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and whether they were right, as often as they say."""
    rng = np.random.default_rng(seed)
    sure = rng.beta(5, 1, n)
    return sure, rng.random(n) < sure


def answered(n: int, seed: int) -> Answered:
    sure, right = predictions(n, seed)
    return Answered(right, sure, (("a",),) * n)


def test_a_promise_is_rarely_broken_on_data_like_the_training_half() -> None:
    found = [promise(*predictions(2_000, seed), answered(4_000, 500 + seed), 0.95) for seed in range(100)]
    assert np.mean([it["coverage"] for it in found]) > 0.2
    assert np.mean([it["kept"] is False for it in found]) <= 0.1


@pytest.mark.parametrize("n", [1, 30])
def test_too_few_labels_promise_nothing(n: int) -> None:
    found = promise(np.full(n, 0.999), np.ones(n, bool), answered(100, 0), 0.95)
    assert (found["threshold"], found["coverage"], found["kept"]) == (None, 0.0, None)


def test_a_broken_promise_is_said() -> None:
    found = promise(np.full(500, 0.9), np.ones(500, bool), Answered(np.arange(100) % 2 == 0, np.ones(100), ()), 0.95)
    assert found["coverage"] == 1
    assert found["accuracy"] == 0.5
    assert found["kept"] is False


def test_honest_confidences_are_told_from_others_by_what_chance_does() -> None:
    drawn = [answered(150, seed) for seed in range(30)]
    assert np.mean([it.ece() <= it.ece_by_chance() for it in drawn]) >= 0.8
    honest = drawn[0]
    boasting = Answered(np.arange(150) % 2 == 0, honest.confidence, honest.answers)
    assert boasting.ece() > boasting.ece_by_chance()
