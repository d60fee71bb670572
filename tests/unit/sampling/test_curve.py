"""Operating characteristics: laws, published points, and what really happens when lots are drawn."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdk_scripts.sampling.curve import Curve, text_plot
from sdk_scripts.sampling.plans import Plan, iso_plan, zero_acceptance
from sdk_scripts.sampling.tables import AQLS

LOTS = st.integers(1, 20_000)
PLANS = st.one_of(
    st.builds(
        iso_plan,
        LOTS,
        aql=st.sampled_from(AQLS),
        level=st.sampled_from(["I", "II", "III"]),
        inspection=st.sampled_from(["normal", "tightened", "reduced"]),
    ),
    st.builds(zero_acceptance, LOTS, tolerated=st.floats(0, 0.2), risk=st.floats(0.01, 0.5)),
)


@given(PLANS)
def test_acceptance_falls_from_certain_to_impossible_as_the_lot_gets_worse(plan: Plan) -> None:
    chances = Curve(plan).accepted(np.unique(np.linspace(0, plan.lot, 200).astype(int)))
    assert chances[0] == 1
    assert (np.diff(chances) <= 1e-12).all()
    assert chances[-1] <= 1e-12


@given(PLANS)
def test_what_goes_out_is_never_worse_than_what_came_in_nor_than_the_limit(plan: Plan) -> None:
    curve = Curve(plan)
    bad = np.unique(np.linspace(0, plan.lot, 50).astype(int))
    out = curve.outgoing(bad)
    assert (out <= bad / plan.lot + 1e-12).all()
    assert out.max() <= curve.outgoing_limit * 1.01 + 1e-9
    assert curve.producer_risk_quality <= curve.consumer_risk_quality


@given(LOTS, st.floats(0, 0.3), st.floats(0.001, 0.5))
def test_a_zero_acceptance_sample_keeps_the_consumers_risk_and_one_unit_less_would_not(lot, tolerated, risk) -> None:
    plan = zero_acceptance(lot, tolerated=tolerated, risk=risk)
    bad = min(lot, int(np.floor(tolerated * lot + 1e-9)) + 1)

    def missed(n: int) -> float:
        return comb(lot - bad, n) / comb(lot, n)

    assert missed(plan.n) <= risk * (1 + 1e-6)
    assert plan.n == 0 or missed(plan.n - 1) > risk * (1 - 1e-6)


def test_nothing_tolerated_takes_all_but_the_risk() -> None:
    assert zero_acceptance(200, tolerated=0, risk=0.05).n == 190
    assert zero_acceptance(0, tolerated=0.01, risk=0.05).n == 0


def test_the_points_are_those_of_the_published_curve_of_letter_k() -> None:
    """ISO 2859-1, table 10-K-1, AQL 1.0: 1.09 % is accepted with 95 %, 5.34 % with 10 % (of a large lot; Poisson and
    binomial differ in the second digit)."""
    plan = Plan(1_000_000, 125, 3, "iso-2859-1")
    assert Curve(plan).producer_risk_quality == pytest.approx(0.0109, rel=0.02)
    assert Curve(plan).consumer_risk_quality == pytest.approx(0.0534, rel=0.02)


def test_the_average_outgoing_quality_limit_is_the_published_factor() -> None:
    """MIL-STD-105E, table V-A, K at AQL 1.0: 1.6 % before the correction for the finite lot."""
    assert 100 * Curve(Plan(1_000_000, 125, 3, "iso-2859-1")).outgoing_limit == pytest.approx(1.6, abs=0.06)


@pytest.mark.parametrize(
    ("plan", "bad"), [(iso_plan(2_000, aql=1.0), 60), (zero_acceptance(400, tolerated=0.01, risk=0.1), 5)]
)
def test_lots_drawn_at_random_are_accepted_as_often_as_the_curve_says(plan, bad) -> None:
    generator = np.random.default_rng(5)
    found = generator.hypergeometric(bad, plan.lot - bad, plan.n, size=20_000)
    realised = (found <= plan.accept).mean()
    expected = float(Curve(plan).accepted(bad))
    assert 0.02 < expected < 0.98
    assert realised == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 20_000))


def test_the_plot_falls_from_the_top_left() -> None:
    lines = text_plot(Curve(iso_plan(3_000, aql=1.0))).splitlines()
    widths = [len(line) for line in lines[:-2]]
    assert widths == sorted(widths)
    assert "100%" in lines[0]
    assert "nonconforming" in lines[-1]
