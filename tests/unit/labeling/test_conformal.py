"""Conformal sets hold the right label as often as they say, on probabilities that are not calibrated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.labeling.confidence import Temperature
from ml_backend.labeling.conformal import ConformalSets, quantile
from ml_backend.labeling.errors import InputError, NotEnoughLabels

RARE = 3


def data(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Overconfident probabilities of four labels, the last of which is rare and often overlooked; and the truth."""
    honest = rng.normal([0, 0, 0, -2.5], 1.5, size=(n, 4))
    truth = (Temperature().apply(honest).cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return Temperature(0.4).apply(honest), truth


def held(sets: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return sets[np.arange(len(truth)), truth]


@pytest.mark.parametrize("score", ["lac", "aps"])
@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_sets_hold_the_right_label_as_often_as_they_say(score, level: float) -> None:
    """Over 200 samples of 100, each tried on 50 new examples: 10,000 trials, not quite independent, hence the slack."""
    rng, kept = np.random.default_rng(0), []
    for _ in range(200):
        probabilities, truth = data(100, rng)
        new, right = data(50, rng)
        sets = ConformalSets.fit(probabilities, truth, level=level, score=score).sets(new)
        kept.append(held(sets, right).mean())
    assert np.mean(kept) > level - 0.01
    if score == "lac":  # without randomisation, aps holds it more often than it says
        assert np.mean(kept) < level + 0.03


def test_a_rare_class_is_left_out_by_marginal_sets_and_not_by_its_own() -> None:
    rng = np.random.default_rng(1)
    probabilities, truth = data(4_000, rng)
    new, right = data(20_000, rng)
    rare = right == RARE
    one, own = (ConformalSets.fit(probabilities, truth, level=0.9, by_class=it).sets(new) for it in (False, True))
    assert held(one, right)[rare].mean() < 0.75
    for label in range(4):
        of_class = right == label
        assert held(own, right)[of_class].mean() > 0.9 - 3 / np.sqrt((truth == label).sum())


def test_sets_of_sure_probabilities_are_small_and_of_unsure_ones_large() -> None:
    rng = np.random.default_rng(2)
    probabilities, truth = data(2_000, rng)
    for score in ("lac", "aps"):
        fitted = ConformalSets.fit(probabilities, truth, level=0.9, score=score)
        sure, unsure = fitted.sets([[1, 0, 0, 0], [0.26, 0.25, 0.25, 0.24]]).sum(axis=1)
        assert sure == 1 < unsure


def test_too_few_examples_rule_nothing_out() -> None:
    probabilities, truth = data(8, np.random.default_rng(3))
    assert ConformalSets.fit(probabilities, truth, level=0.9).sets(probabilities).all()
    by_class = ConformalSets.fit(probabilities[:1], [2], level=0.5, by_class=True)
    assert by_class.sets(probabilities)[:, [0, 1, 3]].all()


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.sampled_from([0.5, 0.8, 0.9]))
def test_the_quantile_is_the_smallest_score_that_covers_enough(scores: list[float], level: float) -> None:
    found = quantile(np.array(scores), level)
    within = sum(score <= found for score in scores)
    assert within >= level * (len(scores) + 1) - 1e-9 or found == np.inf
    assert found == np.inf or sum(score < found for score in scores) < level * (len(scores) + 1)


def test_a_level_kept_at_two_places_gives_nested_sets() -> None:
    probabilities, truth = data(500, np.random.default_rng(4))
    small, large = (ConformalSets.fit(probabilities, truth, level=it).sets(probabilities) for it in (0.8, 0.95))
    assert (large >= small).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(NotEnoughLabels):
        ConformalSets.fit(np.empty((0, 3)), [])
    for probabilities, targets, level in (
        ([[0.5, 0.5]], [2], 0.9),
        ([[0.5, 0.5]], [0, 1], 0.9),
        ([[0.5, np.nan]], [0], 0.9),
        ([0.5, 0.5], [0], 0.9),
        ([[0.5, 0.5]], [0], 1.0),
    ):
        with pytest.raises(InputError):
            ConformalSets.fit(probabilities, targets, level=level)
    with pytest.raises(InputError, match="2 labels, not of 3"):
        ConformalSets.fit([[0.5, 0.5]] * 30, [0] * 30).sets([[0.1, 0.2, 0.7]])
