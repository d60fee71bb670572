"""Two opinions become one: laws of the pool, and what it learns of models whose quality is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.labeling.confidence import Temperature, expected_calibration_error
from ml_backend.labeling.evidence_pool import AnswerPool, Bins, LabelPool, pool_fields, read_pool

unit = st.floats(0.001, 0.999)
pools = st.builds(
    LabelPool,
    st.floats(0, 3),
    st.floats(0, 3),
    st.floats(0.2, 10),
    st.floats(0.01, 0.9),
    st.floats(0, 3),
    st.floats(-2, 2),
)
answer_pools = st.builds(
    AnswerPool,
    st.floats(0, 5),
    st.floats(-3, 3),
    st.builds(Bins, st.tuples(unit, unit, unit)),
    st.builds(Bins, st.tuples(unit, unit, unit)),
)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    k = draw(st.integers(2, 6))
    rows = st.lists(st.floats(0.001, 1), min_size=k, max_size=k)
    both = np.array([draw(rows), draw(rows)])
    local, raw = both / both.sum(axis=1, keepdims=True)
    return local[None], raw[None]


def opinions(
    n: int, rng: np.random.Generator, *, large: float, sharp: float = 1.0, k: int = 3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of an honest local model and one that sees `large` times as much, and is too sure of it: local, raw, right."""
    right = rng.integers(0, k, n)
    truth = np.eye(k)[right]
    local = Temperature().apply(1.0 * truth + rng.normal(0, 1, (n, k)))
    raw = Temperature().apply(sharp * (large * truth + rng.normal(0, 1, (n, k)) * np.sqrt(max(large, 0.3))))
    return local, raw, right


def log_loss(probabilities: np.ndarray, right: np.ndarray) -> float:
    return float(-np.log(probabilities[np.arange(len(right)), right]).mean())


@given(pools, pairs())
def test_probabilities_sum_to_one(pool: LabelPool, both: tuple[np.ndarray, np.ndarray]) -> None:
    for made in (pool.pooled(*both), pool.recalibrated(both[1])):
        assert made.sum() == pytest.approx(1)
        assert (made >= 0).all()


@given(pairs())
def test_a_large_model_without_weight_leaves_the_local_one_as_it_is(both: tuple[np.ndarray, np.ndarray]) -> None:
    np.testing.assert_allclose(LabelPool(1.0, 0.0).pooled(*both), both[0])


@given(pools, pairs())
def test_agreement_never_lowers_the_confidence(pool: LabelPool, both: tuple[np.ndarray, np.ndarray]) -> None:
    local, raw = both
    best = local[0].argmax()
    if pool.recalibrated(raw)[0].argmax() == best:
        made = pool.pooled(local, raw)[0]
        assert made.argmax() == best
        assert made[best] >= local[0, best] - 1e-9


@given(pools, pairs(), st.randoms(use_true_random=False))
def test_the_order_of_labels_does_not_matter(pool: LabelPool, both: tuple[np.ndarray, np.ndarray], draw) -> None:
    local, raw = both
    order = draw.sample(range(local.shape[1]), local.shape[1])
    np.testing.assert_allclose(pool.pooled(local[:, order], raw[:, order]), pool.pooled(local, raw)[:, order])


def test_few_labels_trust_the_local_model_and_hear_the_large_one_a_little() -> None:
    pool = LabelPool.fit(*opinions(3, np.random.default_rng(0), large=2.0))
    assert pool.local > pool.large > 0.1
    unsure, against = np.array([[0.75, 0.25]]), np.array([[0.02, 0.98]])
    made = LabelPool().pooled(unsure, against)[0]
    assert 0.5 < made[0] < 0.75


def test_a_large_model_that_answers_at_random_changes_next_to_nothing() -> None:
    rng = np.random.default_rng(1)
    local, _, right = opinions(600, rng, large=1.0)
    noise = Temperature(0.2).apply(rng.normal(0, 1, (600, 3)))
    pool = LabelPool.fit(local[:400], noise[:400], right[:400])
    assert np.abs(pool.pooled(local[400:], noise[400:]) - local[400:]).max() < 0.06
    assert log_loss(pool.pooled(local[400:], noise[400:]), right[400:]) < log_loss(local[400:], right[400:]) + 0.01


@pytest.mark.parametrize(("large", "sharp"), [(1.0, 1.0), (3.0, 1.0), (3.0, 4.0), (0.3, 4.0)])
def test_together_they_are_no_worse_than_either_alone_and_honest(large: float, sharp: float) -> None:
    local, raw, right = opinions(2_300, np.random.default_rng(2), large=large, sharp=sharp)
    pool = LabelPool.fit(local[:300], raw[:300], right[:300])
    local, raw, right = local[300:], raw[300:], right[300:]
    made, alone = pool.pooled(local, raw), pool.recalibrated(raw)
    assert log_loss(made, right) < min(log_loss(local, right), log_loss(alone, right)) + 0.01
    for it in (made, alone):
        assert expected_calibration_error(it.max(axis=1), it.argmax(axis=1) == right) < 0.05


def test_rows_that_the_local_model_says_nothing_of_still_calibrate_the_large_one() -> None:
    local, raw, right = opinions(200, np.random.default_rng(3), large=2.0, sharp=5.0)
    pool = LabelPool.fit(np.full_like(local, np.nan), raw, right)
    assert (pool.local, pool.large) == (LabelPool().local, LabelPool().large)
    assert pool.temperature > 2
    assert pool.tasks == 200


@given(answer_pools, unit, unit)
def test_equal_answers_are_as_sure_as_the_surer_model_at_least(pool: AnswerPool, local: float, raw: float) -> None:
    assert 1 >= pool.same(local, raw) >= max(local, pool.recalibrated(raw)) - 1e-12


@given(answer_pools, unit, unit)
def test_of_different_answers_the_surer_one_is_final_and_no_surer_than_alone(
    pool: AnswerPool, local: float, raw: float
) -> None:
    kept, confidence = pool.different(local, raw)
    assert confidence <= (local if kept else pool.recalibrated(raw))
    assert kept == (local >= pool.recalibrated(raw))


@settings(max_examples=20)
@given(st.integers(0, 1_000))
def test_confidences_of_answers_are_honest_once_enough_are_known(seed: int) -> None:
    """A large model that is right 6 times in 10 and always says 95 %."""
    rng = np.random.default_rng(seed)
    n = 800
    local_right, large_right = rng.random(n) < 0.7, rng.random(n) < 0.6
    same = local_right & large_right
    pool = AnswerPool.fit(np.full(n, 0.7), np.full(n, 0.95), same, local_right, large_right)
    assert pool.recalibrated(0.95) == pytest.approx(0.6, abs=0.08)
    assert pool.same(0.7, 0.95) > 0.9  # equal answers were always right
    kept, confidence = pool.different(0.7, 0.95)
    assert kept
    assert confidence == pytest.approx(local_right[~same].mean(), abs=0.08)


def test_without_labels_an_answer_that_comes_alone_is_doubted() -> None:
    assert AnswerPool().recalibrated(0.99) < 0.95
    assert AnswerPool.fit(*[np.zeros(0)] * 2, *[np.zeros(0, bool)] * 3) == AnswerPool()


@given(st.one_of(pools, answer_pools))
def test_a_pool_is_json_and_back(pool: LabelPool | AnswerPool) -> None:
    assert read_pool(json.loads(json.dumps(pool_fields(pool)))) == pool
