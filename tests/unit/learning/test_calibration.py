"""Probabilities of sets of labels, of which the empty one is no answer."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.prelabelers._calibration import SeveralLabels

SETS = np.array([picked for picked in product([False, True], repeat=4) if any(picked)])
logits = st.lists(st.floats(-30, 30), min_size=4, max_size=4)


@given(logits, st.floats(0.1, 10))
def test_the_sets_but_the_empty_one_share_all_the_probability(row: list[float], temperature: float) -> None:
    every = SeveralLabels(temperature, 0.0).confidences(np.tile(row, (len(SETS), 1)), SETS)
    np.testing.assert_allclose(every.sum(), 1, atol=1e-6)


@given(logits, st.floats(0.1, 10))
def test_a_label_is_as_likely_as_all_sets_with_it(row: list[float], temperature: float) -> None:
    calibration = SeveralLabels(temperature, 0.0)
    every = calibration.confidences(np.tile(row, (len(SETS), 1)), SETS)
    np.testing.assert_allclose(calibration.probabilities(np.array([row]))[0], every @ SETS, atol=1e-6)


def test_it_believes_what_it_should_of_answers_that_are_never_empty() -> None:
    source = np.random.default_rng(0)
    sure = source.normal(-2, 1.5, (20_000, 4))
    drawn = source.random(sure.shape) < 1 / (1 + np.exp(-sure))
    sure, drawn = sure[drawn.any(axis=1)], drawn[drawn.any(axis=1)]
    calibration = SeveralLabels.fit(3 * sure, drawn.astype(np.float32))
    assert 2.9 < calibration.temperature < 3.1
    probabilities = calibration.probabilities(3 * sure)
    np.testing.assert_allclose(probabilities.mean(axis=0), drawn.mean(axis=0), atol=0.01)
    picked = probabilities >= 0.5
    picked[np.arange(len(picked)), probabilities.argmax(axis=1)] = True
    right = (picked == drawn).all(axis=1)
    assert abs(calibration.confidences(3 * sure, picked).mean() - right.mean()) < 0.01
