"""Krippendorff's alpha: published examples, its definition, its laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.labeling import alpha as statistics
from ml_backend.labeling.agreement import krippendorff_alpha
from ml_backend.labeling.coefficients import (
    interval_distance,
    nominal_distance,
    ordinal_distance,
    ratio_distance,
)
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.units import Cells
from tests.unit.labeling.coded import OBSERVERS, cells, codes, observed_over_expected

judged = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 4)), min_size=1, max_size=40)


class TestKrippendorff:
    @pytest.mark.parametrize(
        ("distance", "published"),
        [
            (nominal_distance(5), 0.743),
            (ordinal_distance(np.array([9, 13, 10, 5, 3])), 0.815),
            (interval_distance(np.arange(1, 6)), 0.849),
            (ratio_distance(np.arange(1, 6)), 0.797),
        ],
        ids=["nominal", "ordinal", "interval", "ratio"],
    )
    def test_the_worked_example_has_its_published_alphas(self, distance, published):
        assert krippendorff_alpha(*codes(OBSERVERS), distance) == pytest.approx(published, abs=0.0005)

    def test_two_observers_binary_data(self):
        meg, owen = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
        found = krippendorff_alpha(np.tile(np.arange(10), 2), np.array(meg + owen), nominal_distance(2))
        assert found == pytest.approx(0.095, abs=0.0005)

    def test_two_observers_nominal_data(self):
        ben, gerry = "aabbdcccedda", "babbbcccfddd".replace("f", "e")
        values = np.array([ord(letter) - ord("a") for letter in ben + gerry])
        found = krippendorff_alpha(np.tile(np.arange(12), 2), values, nominal_distance(5))
        assert found == pytest.approx(0.692, abs=0.0005)

    @settings(deadline=None)
    @given(judged, st.integers(0, 2**32 - 1))
    def test_it_equals_the_loop_over_all_pairs_for_any_distance(self, rows, seed):
        units, values = (np.array(column) for column in zip(*rows, strict=True))
        distance = np.random.default_rng(seed).random((5, 5))
        distance = np.triu(distance, 1) + np.triu(distance, 1).T
        slow = observed_over_expected(units, values, distance)
        assert krippendorff_alpha(units, values, distance) == pytest.approx(slow, nan_ok=True, abs=1e-9)

    @settings(deadline=None)
    @given(judged)
    def test_it_is_at_most_1_and_1_exactly_where_all_pairs_agree(self, rows):
        units, values = (np.array(column) for column in zip(*rows, strict=True))
        found = krippendorff_alpha(units, values, nominal_distance(5))
        if not math.isnan(found):
            assert found <= 1
            agreed = all(len({v for u, v in rows if u == unit}) == 1 for unit, _ in rows)
            assert (found == 1) == agreed

    @settings(deadline=None)
    @given(judged, st.permutations(range(8)), st.permutations(range(5)), st.randoms())
    def test_names_of_units_and_values_and_the_order_of_judgements_do_not_matter(self, rows, unit, value, random):
        renamed = [(unit[u], value[v]) for u, v in rows]
        random.shuffle(renamed)
        before, after = (
            krippendorff_alpha(*(np.array(column) for column in zip(*it, strict=True)), nominal_distance(5))
            for it in (rows, renamed)
        )
        assert after == pytest.approx(before, nan_ok=True)

    @settings(deadline=None)
    @given(judged, st.integers(0, 4))
    def test_a_unit_with_one_judgement_does_not_count(self, rows, value):
        units, values = (np.array(column) for column in zip(*rows, strict=True))
        more = np.r_[units, 100], np.r_[values, value]
        before = krippendorff_alpha(units, values, nominal_distance(5))
        assert krippendorff_alpha(*more, nominal_distance(5)) == pytest.approx(before, nan_ok=True)

    @pytest.mark.parametrize(
        ("units", "values"), [([], []), ([0, 1, 2], [0, 1, 2]), ([0, 0, 1, 1], [2, 2, 2, 2])], ids=str
    )
    def test_it_is_undefined_without_pairs_and_without_variation(self, units, values):
        found = krippendorff_alpha(np.array(units, dtype=int), np.array(values, dtype=int), nominal_distance(3))
        assert math.isnan(found)

    def test_input_that_does_not_fit_together_is_refused(self):
        one = np.zeros(1, dtype=int)
        with pytest.raises(InputError, match="does not cover 4 values"):
            krippendorff_alpha(one, one + 3, nominal_distance(3))
        with pytest.raises(InputError, match="2 units and 1 values"):
            krippendorff_alpha(np.zeros(2, dtype=int), one, nominal_distance(3))
        with pytest.raises(InputError, match="whole numbers from 0"):
            krippendorff_alpha(one - 1, one, nominal_distance(3))


class TestAlphaFromSums:
    """The statistics that are resampled equal the coefficient on the scale's matrix."""

    @settings(deadline=None)
    @given(judged)
    def test_every_scale_equals_its_distance_matrix(self, rows):
        units, values = (np.array(column) for column in zip(*rows, strict=True))
        found = Cells.count_up(units, values, 8, 5).pairable
        if not found.units:
            return
        numbers = np.array([-3.0, 0.5, 1.0, 4.0, 100.0])
        counts = found.per_value
        answers = [(number,) for number in numbers]
        nearness = statistics.Distances(answers, lambda a, b: min(1.0, abs(a[0] - b[0]) / 8))
        matrices = {
            "nominal": (statistics.nominal(found), nominal_distance(5)),
            "ordinal": (statistics.ordinal(found), ordinal_distance(counts)),
            "interval": (statistics.interval(found, numbers), interval_distance(numbers)),
            "distance": (statistics.by_distance(found, nearness, seed=0), nearness.matrix(np.arange(5))),
        }
        for scale, (statistic, matrix) in matrices.items():
            sums = np.asarray(statistic.features.sum(axis=0)).reshape(1, -1)
            exact = krippendorff_alpha(units, values, matrix)
            assert statistic.alpha(sums)[0] == pytest.approx(exact, nan_ok=True, abs=1e-9), scale

    def test_huge_and_tiny_numbers_do_not_overflow(self):
        found = cells(np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 2, 2, 2]))
        expected = statistics.interval(found, np.array([1.0, 2.0, 3.0]))
        for scale in (1e300, 1e-300):
            statistic = statistics.interval(found, np.array([1.0, 2.0, 3.0]) * scale)
            np.testing.assert_allclose(
                statistic.alpha(statistic.features.sum(axis=0)[None]),
                expected.alpha(expected.features.sum(axis=0)[None]),
            )

    def test_with_many_different_answers_the_expected_distance_is_sampled_closely(self):
        rng = np.random.default_rng(3)
        numbers = rng.random(800)
        units, values = np.repeat(np.arange(400), 2), np.arange(800)
        distances = statistics.Distances(list(numbers), lambda a, b: abs(a - b))
        found = cells(units, values)
        statistic = statistics.by_distance(found, distances, seed=0)
        exact = krippendorff_alpha(units, values, np.abs(numbers[:, None] - numbers[None, :]))
        assert statistic.alpha(statistic.features.sum(axis=0)[None])[0] == pytest.approx(exact, abs=0.02)
