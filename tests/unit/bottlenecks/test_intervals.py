"""The intervals hold the truth as often as they say, and the algebra of intervals is that of numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdk_scripts.bottlenecks.estimates import UNKNOWN, mean, product, quantile, ratio, share_of, shares, times, total
from sdk_scripts.bottlenecks.model import Estimate
from sdk_scripts.bottlenecks.waiting import wait_quantiles

POSITIVE = st.floats(0.01, 1000)
ESTIMATES = st.tuples(POSITIVE, st.floats(0, 1), st.floats(1, 3)).map(
    lambda it: Estimate(value=it[0], low=it[0] * it[1], high=it[0] * it[2], n=9)
)


def covered(estimates: list[Estimate], truth: float) -> float:
    held = [(it.low is None or it.low <= truth) and (it.high is None or truth <= it.high) for it in estimates]
    return sum(held) / len(held)


def test_quantiles_hold_the_truth_in_95_of_100_samples() -> None:
    chance = np.random.default_rng(0)
    for n in (8, 40, 400):
        found = [quantile(np.sort(chance.exponential(1, n)), 0.5) for _ in range(400)]
        assert covered(found, np.log(2)) >= 0.92


def test_waits_hold_the_truth_though_half_of_them_are_not_over() -> None:
    chance = np.random.default_rng(1)
    found = []
    for _ in range(300):
        waits, looked = chance.exponential(1, 80), chance.exponential(1.5, 80)
        found.append(wait_quantiles(np.minimum(waits, looked), waits <= looked)[0])
    assert covered(found, np.log(2)) >= 0.92


def test_a_wait_that_too_few_have_ended_has_no_median() -> None:
    waits = np.arange(1.0, 21.0)
    median, _ = wait_quantiles(waits, waits < 4)
    assert median.value is None
    assert median.high is None


def test_without_open_waits_the_median_is_the_sample_one() -> None:
    waits = np.arange(1.0, 102.0)
    assert wait_quantiles(waits, np.ones(101, bool))[0].value == 51


def test_means_of_days_hold_the_truth() -> None:
    chance = np.random.default_rng(2)
    found = [mean(chance.poisson(30, 14).astype(float)) for _ in range(300)]
    assert covered(found, 30) >= 0.92


def test_ratios_and_shares_hold_the_truth() -> None:
    chance = np.random.default_rng(3)
    ratios, parts = [], []
    for seed in range(60):
        hours = chance.gamma(4, 1, 150)
        done = chance.poisson(20 * hours).astype(float)
        ratios.append(ratio(done, hours, seed=seed))
        parts.append(shares(np.column_stack([done, 3 * chance.poisson(20 * hours)]), seed=seed)[0])
    assert covered(ratios, 20) >= 0.88
    assert covered(parts, 0.25) >= 0.88


@pytest.mark.parametrize("n", [0, 1, 4])
def test_too_few_have_no_interval(n: int) -> None:
    values = np.arange(n, dtype=float) + 1
    for it in (quantile(values, 0.5), mean(values), ratio(values, values), share_of(0, n)):
        assert (it.low, it.high) == (None, None)


@given(ESTIMATES, ESTIMATES)
def test_a_product_is_wider_than_its_factors_and_no_wider_than_all_the_bad_luck(a: Estimate, b: Estimate) -> None:
    it = product(a, b)
    assert it.value == pytest.approx(a.value * b.value)
    assert a.low * b.low - 1e-5 <= it.low <= min(a.low * b.value, b.low * a.value) + 1e-5
    assert max(a.high * b.value, b.high * a.value) - 1e-5 <= it.high <= a.high * b.high + 1e-5


@given(ESTIMATES, ESTIMATES)
def test_a_sum_is_too(a: Estimate, b: Estimate) -> None:
    it = total(a, b)
    assert it.value == pytest.approx(a.value + b.value)
    assert a.low + b.low - 1e-5 <= it.low <= it.value + 1e-9
    assert it.value <= it.high + 1e-9 <= a.high + b.high + 1e-5


@given(ESTIMATES, st.sampled_from([-7.5, -1.0, -0.1, 0.1, 3.0]))
def test_scaling_by_a_negative_number_turns_the_interval_round(it: Estimate, factor: float) -> None:
    scaled = times(it, factor)
    assert scaled.low <= scaled.value <= scaled.high
    assert times(scaled, 1 / factor).low == pytest.approx(it.low)


def test_what_is_not_known_makes_nothing_known() -> None:
    one = Estimate(value=1.0, low=0.5, high=2.0)
    assert product(one, UNKNOWN) == total(UNKNOWN, one) == UNKNOWN


def test_a_factor_of_bounds_alone_makes_bounds_and_no_middle() -> None:
    it = product(Estimate(low=0.0, high=0.5, n=9), Estimate(value=10.0, low=8.0, high=12.0, n=9))
    assert (it.value, it.low, it.high) == (None, 0.0, 6.0)
    assert it.number("h") == "0.0 to 6.0 h"
