"""What is told from chance, and how."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdk_scripts.report.chance import Estimate, beyond_chance, difference, holm, number, p_value

SHARES = st.builds(Estimate.share, st.integers(0, 50), st.integers(50, 200))


def test_the_interval_of_a_difference_is_the_published_one() -> None:
    """Newcombe (1998), method 10, example (a): 56/70 against 48/80 gives 0.0524 to 0.3339."""
    found = difference(Estimate.share(48, 80), Estimate.share(56, 70))
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))


@given(SHARES, SHARES)
def test_the_difference_the_other_way_round_is_its_mirror(one: Estimate, other: Estimate) -> None:
    there, back = difference(one, other), difference(other, one)
    assert (there.low, there.high) == (pytest.approx(-back.high), pytest.approx(-back.low))
    assert beyond_chance(one, other) == beyond_chance(other, one)


@given(SHARES, SHARES)
def test_beyond_chance_is_a_p_value_below_a_twentieth(one: Estimate, other: Estimate) -> None:
    p = p_value(one, other)
    if abs(p - 0.05) > 1e-6:
        assert beyond_chance(one, other) == (p < 0.05)


def test_shares_that_do_not_differ_are_said_to_do_so_in_about_a_twentieth_of_cases() -> None:
    draw = random.Random(0)

    def sample() -> Estimate:
        return Estimate.share(sum(draw.random() < 0.7 for _ in range(100)), 100)

    assert 10 < sum(beyond_chance(sample(), sample()) for _ in range(500)) < 45


def test_of_many_p_values_only_those_that_chance_does_not_give_are_kept() -> None:
    assert holm([0.04, 0.001, 0.02, 0.2]) == [False, True, False, False]
    assert holm([0.04]) == [True]
    assert holm([]) == []


@pytest.mark.parametrize("value", [None, True, "1", float("nan"), float("inf"), [], 10**400])
def test_what_is_no_finite_number_is_none(value: object) -> None:
    assert number(value) is None
