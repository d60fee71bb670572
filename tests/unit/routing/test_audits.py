"""The sequential test of audits: it rarely stops what keeps its promise, and soon what does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.labeling.audits import BETS, Audit, watch
from ml_backend.labeling.errors import InputError

BUDGETS = st.sampled_from([0.005, 0.02, 0.05, 0.3])
ERRORS = st.lists(st.sampled_from([0.0, 1.0, 0.5]), max_size=60)


def audits(errors: list[float], budget: float = 0.02, tier: int = 0) -> list[Audit]:
    return [Audit(tier, budget, error) for error in errors]


def runs(rate: float, budget: float, n: int, times: int, seed: int = 0) -> list[int | None]:
    """After which audit each of `times` series of n stops, with errors at that rate."""
    rng = np.random.default_rng(seed)
    drawn = (rng.random((times, n)) < rate).astype(float)
    steps = np.log1p(BETS * (drawn[:, :, None] - budget) / budget)
    capital = np.exp(np.minimum(steps.cumsum(axis=1), 600)).mean(axis=2)
    over = capital * 0.05 >= 1
    return [int(row.argmax()) + 1 if row.any() else None for row in over]


def test_the_quick_simulation_is_what_watch_does() -> None:
    for seed in range(5):
        (stopped,) = runs(0.2, 0.05, 100, 1, seed)
        drawn = (np.random.default_rng(seed).random((1, 100)) < 0.2).astype(float)[0]
        assert watch(audits(drawn.tolist(), 0.05)).broken_at == stopped


@pytest.mark.parametrize("budget", [0.01, 0.02, 0.05, 0.2])
def test_while_the_promise_holds_even_at_its_edge_it_seldom_stops_however_often_one_looks(budget: float) -> None:
    times = 2_000
    stopped = sum(it is not None for it in runs(budget, budget, 1_500, times))
    assert stopped / times <= 0.05 + 3 * (0.05 * 0.95 / times) ** 0.5


@pytest.mark.parametrize(
    ("rate", "budget", "audits_in_the_median", "in_nine_of_ten"),
    [
        (0.04, 0.02, 520, 1_400),
        (0.06, 0.02, 150, 390),
        (0.10, 0.02, 50, 130),
        (0.20, 0.02, 15, 36),
        (0.10, 0.05, 190, 480),
    ],
)
def test_it_takes_about_that_many_audits_to_stop(
    rate: float, budget: float, audits_in_the_median: int, in_nine_of_ten: int
) -> None:
    found = [it or 10_000 for it in runs(rate, budget, 3_000, 400)]
    assert np.median(found) <= audits_in_the_median
    assert np.quantile(found, 0.9) <= in_nine_of_ten


@given(ERRORS, BUDGETS)
def test_the_evidence_is_the_same_in_any_order_and_one_more_right_audit_never_adds_to_it(
    errors: list[float], budget: float
) -> None:
    found = watch(audits(errors, budget))
    assert watch(audits(errors[::-1], budget)).evidence == pytest.approx(found.evidence)
    assert watch(audits([*errors, 0.0], budget)).evidence <= found.evidence
    assert watch(audits([*errors, 1.0], budget)).evidence >= found.evidence
    assert found.strongest >= found.evidence
    assert found.broken == (found.strongest >= 1 / (1 - 0.95) - 1e-9)


@given(ERRORS, ERRORS)
def test_a_tier_that_breaks_alone_is_seen_beside_one_that_holds(good: list[float], bad: list[float]) -> None:
    mixed = [*audits([0.0] * len(good), 0.02, tier=0), *audits([*bad, *[1.0] * 12], 0.02, tier=1)]
    found = watch(mixed, tiers=2)
    assert found.broken
    assert found.tiers[1] == (len(bad) + 12, sum(bad) + 12)


def test_a_tier_that_has_no_audits_yet_dilutes_the_evidence() -> None:
    assert watch(audits([1.0]), tiers=3).evidence == pytest.approx((2 * watch(audits([1.0])).evidence + 2) / 4)


def test_no_bet_gains_where_errors_come_as_often_as_the_budget_allows() -> None:
    for budget in (0.02, 0.3):
        expected = budget * (1 + BETS * (1 - budget) / budget) + (1 - budget) * (1 - BETS)
        assert expected == pytest.approx(np.ones(len(BETS)))


def test_nothing_is_known_without_audits() -> None:
    found = watch([])
    assert (found.audits, found.evidence, found.broken) == (0, 1.0, False)


@pytest.mark.parametrize("wrong", [Audit(0, 0.0, 1.0), Audit(0, 0.02, 1.5), Audit(0, 1.0, 0.0)])
def test_errors_and_budgets_that_are_none_are_refused(wrong: Audit) -> None:
    with pytest.raises(InputError):
        watch([wrong])
