from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix, hstack, random_array
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from ml_backend.prelabelers.regression import Design, fit, fit_each, rotate


@pytest.fixture
def design() -> Design:
    source = np.random.default_rng(0)
    dense = source.normal(size=(60, 8)).astype(np.float32)
    return Design(dense, csr_matrix(random_array((60, 200), density=0.1, rng=source, dtype=np.float32)))


@pytest.fixture
def classes(design: Design) -> np.ndarray:
    return (design.dense[:, :3] + np.random.default_rng(1).normal(size=(60, 3))).argmax(axis=1)


def one_hot(classes: np.ndarray) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[classes]


@pytest.mark.parametrize("c", [0.1, 1.0, 10.0])
def test_it_agrees_with_scikit_learn(design: Design, classes: np.ndarray, c: float) -> None:
    weights = np.random.default_rng(2).uniform(0.2, 1, 60)
    both = hstack([csr_matrix(design.dense), design.sparse]).tocsr()
    theirs = LogisticRegression(C=c, tol=1e-6, max_iter=2_000).fit(both, classes, weights).predict_proba(both)
    ours = softmax(fit(design, one_hot(classes), weights, c).logits(design), axis=1)
    np.testing.assert_allclose(ours, theirs, atol=0.01)


def test_a_fit_in_the_span_of_the_rows_is_the_fit(design: Design, classes: np.ndarray) -> None:
    rotated, back = rotate(design)
    found = back(fit(rotated, one_hot(classes), np.ones(60), 3.0))
    direct = fit(design, one_hot(classes), np.ones(60), 3.0)
    np.testing.assert_allclose(softmax(found.logits(design), 1), softmax(direct.logits(design), 1), atol=0.01)
    assert found.weights.shape == direct.weights.shape


def test_rows_that_repeat_can_be_rotated(design: Design) -> None:
    twice = design.take(np.array([0, 1, 2, 0, 1, 2]))
    rotated, _ = rotate(twice)
    assert rotated.width == 3
    np.testing.assert_allclose(
        rotated.dense @ rotated.dense.T,
        twice.dense @ twice.dense.T + (twice.sparse @ twice.sparse.T).toarray(),
        atol=1e-3,
    )


def test_a_weight_of_two_counts_as_two_rows(design: Design, classes: np.ndarray) -> None:
    weights = np.where(np.arange(60) < 20, 2.0, 1.0)
    weighted = fit(design, one_hot(classes), weights, 1.0)
    rows = np.concatenate([np.arange(60), np.arange(20)])
    repeated = fit(design.take(rows), one_hot(classes)[rows], np.ones(80), 1.0)
    np.testing.assert_allclose(softmax(weighted.logits(design), 1), softmax(repeated.logits(design), 1), atol=0.01)


def test_independent_targets_are_a_yes_or_no_each(design: Design) -> None:
    targets = np.stack([design.dense[:, 0] > 0, design.dense[:, 1] > 0, np.ones(60)], axis=1).astype(np.float32)
    logits = fit(design, targets, np.ones(60), 10.0, independent=True).logits(design)
    assert ((logits > 0) == targets).mean() > 0.98


def test_going_on_from_an_earlier_fit_leads_to_the_same_place(design: Design, classes: np.ndarray) -> None:
    cold = fit(design, one_hot(classes), np.ones(60), 3.0)
    warm = fit(design, one_hot(classes), np.ones(60), 3.0, start=fit(design, one_hot(classes), np.ones(60), 0.3))
    np.testing.assert_allclose(softmax(warm.logits(design), 1), softmax(cold.logits(design), 1), atol=0.01)


def test_fits_at_once_are_the_fits_one_by_one(design: Design, classes: np.ndarray) -> None:
    weights = np.stack([np.arange(60) % 3 != left_out for left_out in range(3)], axis=1).astype(float)
    together = fit_each(design, one_hot(classes), weights, 3.0)
    for found, weight in zip(together, weights.T, strict=True):
        kept = np.flatnonzero(weight)
        alone = fit(design.take(kept), one_hot(classes)[kept], np.ones(40), 3.0)
        np.testing.assert_allclose(softmax(found.logits(design), 1), softmax(alone.logits(design), 1), atol=0.02)
