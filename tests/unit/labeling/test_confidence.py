"""Calibration on predictions made to be calibrated, or not; and the laws of the measures of doubt."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml_backend.labeling.confidence import (
    COLDEST,
    HOTTEST,
    Temperature,
    expected_calibration_error,
    reliability,
    uncertainty,
)
from ml_backend.labeling.errors import InputError, NotEnoughLabels

logits_of_any_size = st.tuples(st.integers(1, 12), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-50, 50))
)
distributions = logits_of_any_size.map(Temperature().apply)
outcomes = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def predictions(temperature: float, n: int = 20_000, k: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are right as often as they would say if divided by `temperature`, and the right answers."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(scale=2, size=(n, k))
    probabilities = Temperature().apply(honest)
    targets = (probabilities.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return honest * temperature, targets


class TestTemperature:
    @pytest.mark.parametrize("true", [0.25, 0.7, 1.0, 2.5, 8.0])
    def test_it_finds_by_how_much_logits_are_too_large(self, true):
        assert Temperature.fit(*predictions(true)).value == pytest.approx(true, rel=0.05)

    @pytest.mark.parametrize("true", [0.3, 4.0])
    def test_it_calibrates_what_was_not_calibrated(self, true):
        logits, targets = predictions(true)
        fitted = Temperature.fit(logits[:10_000], targets[:10_000])
        before, after = (it.apply(logits[10_000:]) for it in (Temperature(), fitted))
        correct = after.argmax(axis=1) == targets[10_000:]
        assert expected_calibration_error(before.max(axis=1), correct) > 0.1
        assert expected_calibration_error(after.max(axis=1), correct) < 0.02

    @settings(deadline=None)
    @given(logits_of_any_size, st.floats(COLDEST, HOTTEST))
    def test_it_never_changes_the_answer(self, logits, value):
        probabilities = Temperature(value).apply(logits)
        best = logits == logits.max(axis=1, keepdims=True)
        assert (probabilities[best] >= probabilities.max(axis=1)[np.nonzero(best)[0]]).all()

    @given(logits_of_any_size, st.floats(COLDEST, HOTTEST))
    def test_it_makes_probabilities(self, logits, value):
        probabilities = Temperature(value).apply(logits)
        assert (probabilities >= 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)

    @given(logits_of_any_size, st.floats(-1000, 1000))
    def test_a_constant_added_to_a_row_changes_nothing(self, logits, constant):
        np.testing.assert_allclose(Temperature(2).apply(logits + constant), Temperature(2).apply(logits), atol=1e-9)

    @settings(deadline=None, max_examples=50)
    @given(logits_of_any_size, st.integers(0, 1000))
    def test_it_is_never_a_worse_fit_than_leaving_logits_alone(self, logits, seed):
        targets = np.random.default_rng(seed).integers(logits.shape[1], size=len(logits))
        fitted = Temperature.fit(logits, targets)

        def loss(temperature):
            scaled = logits / temperature.value
            log = scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)
            return -log[np.arange(len(targets)), targets].mean()

        assert COLDEST <= fitted.value <= HOTTEST
        assert loss(fitted) <= loss(Temperature()) + 1e-9

    def test_it_stays_bounded_where_the_data_would_have_it_run_away(self):
        certain = np.array([[0.5, 0.0], [0.0, 0.5]])
        assert Temperature.fit(certain, np.array([0, 1])).value == pytest.approx(COLDEST, rel=0.01)
        assert Temperature.fit(certain, np.array([1, 0])).value == pytest.approx(HOTTEST, rel=0.01)

    def test_huge_logits_do_not_overflow(self):
        logits = np.array([[1e6, -1e6], [-1e6, 1e6]])
        assert math.isfinite(Temperature.fit(logits, np.array([0, 0])).value)
        np.testing.assert_allclose(Temperature(COLDEST).apply(logits).max(axis=1), 1)

    def test_what_cannot_be_fitted_says_why(self):
        with pytest.raises(NotEnoughLabels, match="there are none"):
            Temperature.fit(np.zeros((0, 3)), np.zeros(0, dtype=int))
        with pytest.raises(InputError, match="as many targets"):
            Temperature.fit(np.zeros((2, 3)), np.zeros(3, dtype=int))
        with pytest.raises(InputError, match="whole numbers from 0 to 2"):
            Temperature.fit(np.zeros((1, 3)), np.array([3]))
        with pytest.raises(InputError, match="finite"):
            Temperature.fit(np.array([[0.0, -np.inf]]), np.array([0]))
        with pytest.raises(InputError, match="between"):
            Temperature(0.0)


class TestCalibrationError:
    def test_calibrated_predictions_have_next_to_none(self):
        rng = np.random.default_rng(0)
        confidence = rng.random(100_000)
        assert expected_calibration_error(confidence, rng.random(100_000) < confidence) < 0.01

    def test_overconfidence_is_its_own_size(self):
        assert expected_calibration_error([0.9] * 10, [True] * 6 + [False] * 4) == pytest.approx(0.3)

    def test_bins_are_weighted_by_their_counts(self):
        confidence = [0.95, 0.95, 0.95, 0.05]
        correct = [True, True, True, True]
        assert expected_calibration_error(confidence, correct, bins=10) == pytest.approx((3 * 0.05 + 0.95) / 4)

    @given(outcomes, st.integers(1, 30))
    def test_it_is_a_mean_of_gaps(self, pairs, bins):
        confidence, correct = zip(*pairs, strict=True)
        error = expected_calibration_error(confidence, correct, bins)
        assert -1e-12 <= error <= 1 + 1e-12
        overall = abs(np.mean(confidence) - np.mean(correct))
        assert error >= overall - 1e-9
        assert expected_calibration_error(confidence, correct, 1) == pytest.approx(overall, abs=1e-9)

    @given(outcomes, st.integers(1, 20))
    def test_every_prediction_is_in_one_bin_that_holds_its_confidence(self, pairs, bins):
        confidence, correct = zip(*pairs, strict=True)
        found = reliability(confidence, correct, bins)
        assert len(found) == bins
        assert sum(it.count for it in found) == len(pairs)
        for it in found:
            if it.count:
                assert it.low - 1e-9 <= it.confidence <= it.high + 1e-9
                assert 0 <= it.accuracy <= 1
            else:
                assert math.isnan(it.confidence)
                assert math.isnan(it.accuracy)

    def test_edges_belong_to_the_bin_below(self):
        counts = [it.count for it in reliability([0.0, 0.5, 1.0], [True, True, True], 2)]
        assert counts == [2, 1]

    def test_no_predictions_have_no_error(self):
        assert math.isnan(expected_calibration_error([], []))

    def test_what_is_no_probability_is_refused(self):
        with pytest.raises(InputError, match="between 0 and 1"):
            expected_calibration_error([1.2], [True])
        with pytest.raises(InputError, match="between 0 and 1"):
            reliability([math.nan], [True])
        with pytest.raises(InputError, match="do not match"):
            reliability([0.5, 0.5], [True])
        with pytest.raises(InputError, match="a bin at least"):
            reliability([0.5], [True], 0)


class TestUncertainty:
    def test_of_some_rows(self):
        found = uncertainty([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0.0]])
        np.testing.assert_allclose(found.least_confidence, [0, 1, 0.75], atol=1e-12)
        np.testing.assert_allclose(found.margin, [0, 1, 1], atol=1e-12)
        np.testing.assert_allclose(found.entropy, [0, 1, math.log(2) / math.log(3)], atol=1e-12)

    @given(distributions)
    def test_every_measure_is_between_0_and_1_and_blind_to_the_order_of_answers(self, rows):
        found, reversed_ = uncertainty(rows), uncertainty(rows[:, ::-1])
        for name in ("least_confidence", "margin", "entropy"):
            measure = getattr(found, name)
            assert measure.shape == (len(rows),)
            assert ((measure >= 0) & (measure <= 1)).all()
            np.testing.assert_allclose(measure, getattr(reversed_, name), atol=1e-9)

    @given(distributions)
    def test_softening_never_lowers_doubt(self, rows):
        logs = np.log(np.maximum(rows, 1e-300))
        before, after = uncertainty(Temperature().apply(logs)), uncertainty(Temperature(2).apply(logs))
        assert (after.least_confidence >= before.least_confidence - 1e-9).all()
        assert (after.entropy >= before.entropy - 1e-9).all()

    def test_one_answer_only_leaves_no_doubt(self):
        found = uncertainty([[1.0], [1.0]])
        assert found.least_confidence.tolist() == found.margin.tolist() == found.entropy.tolist() == [0, 0]

    def test_rows_that_are_no_probabilities_are_refused(self):
        for rows in ([[0.5, 0.6]], [[-0.1, 1.1]], [[math.nan, 1.0]], [0.5, 0.5]):
            with pytest.raises(InputError, match="robabilities"):
                uncertainty(rows)
