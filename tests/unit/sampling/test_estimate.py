"""Stratified estimates: exact where all is inspected, and covering as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdk_scripts.sampling.estimate import Counted, Estimate, bounds, recall, share


@st.composite
def counted(draw: st.DrawFn) -> Counted:
    units = draw(st.integers(1, 3_000))
    inspected = draw(st.integers(1, units))
    return Counted(units, inspected, draw(st.integers(0, inspected)))


@given(st.lists(counted(), min_size=1, max_size=3))
def test_the_interval_holds_the_estimate_within_what_is_possible(strata) -> None:
    found = share(strata)
    units = sum(it.units for it in strata)
    assert sum(it.found for it in strata) / units - 1e-9 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= sum(it.units - it.inspected + it.found for it in strata) / units + 1e-9


def test_a_lot_inspected_whole_is_known() -> None:
    assert share([Counted(50, 50, 3), Counted(10, 10, 0)]) == Estimate(0.05, 0.05, 0.05)
    assert recall([Counted(4, 4, 3)], [Counted(50, 50, 1)]) == Estimate(0.75, 0.75, 0.75)


def test_strata_are_weighed_by_their_size() -> None:
    assert share([Counted(900, 10, 1), Counted(100, 10, 5)]).value == pytest.approx(0.9 * 0.1 + 0.1 * 0.5)


def test_a_stratum_nobody_inspected_gives_no_estimate() -> None:
    assert share([Counted(5, 5, 0), Counted(5, 0, 0)]) is None
    assert recall([Counted(5, 0, 0)], [Counted(5, 5, 0)]) is None
    assert recall([Counted(5, 5, 0)], [Counted(5, 5, 0)]) is None
    assert share([]) is None


def test_the_bound_of_nothing_found_is_the_classic_one() -> None:
    """Hahn & Meeker: of 1,000 units 100 inspected and none found; P(0 | 34 bad) = 0.026, P(0 | 35 bad) = 0.023."""
    assert bounds(Counted(1_000, 100, 0), 0.05) == (0, 34)


@pytest.mark.parametrize("bad", [(0, 0), (3, 4), (40, 30), (10, 150)])
def test_the_truth_is_in_the_interval_at_least_as_often_as_it_says(bad) -> None:
    generator = np.random.default_rng(11)
    inside = 0
    for _ in range(300):
        strata = [
            Counted(units, n, int(generator.hypergeometric(many, units - many, n)))
            for units, n, many in ((1_000, 80, bad[0]), (200, 60, bad[1]))
        ]
        found = share(strata)
        inside += found.low - 1e-9 <= sum(bad) / 1_200 <= found.high + 1e-9
    assert inside >= 0.95 * 300


def test_recall_is_in_its_interval_at_least_as_often_as_it_says() -> None:
    generator, inside, truth = np.random.default_rng(12), 0, 40 / (40 + 10 + 12)
    for _ in range(300):
        labelled = Counted(50, 30, int(generator.hypergeometric(40, 10, 30)))
        missed = [
            Counted(150, 50, int(generator.hypergeometric(10, 140, 50))),
            Counted(800, 80, int(generator.hypergeometric(12, 788, 80))),
        ]
        found = recall([labelled], missed)
        inside += found.low <= truth <= found.high
    assert inside >= 0.95 * 300
