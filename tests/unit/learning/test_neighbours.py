from __future__ import annotations

import numpy as np
import pytest

from ml_backend.prelabelers._neighbours import NEAREST, Near, Neighbours


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def two_clouds(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around two directions of eight, and which (one-hot)."""
    source = np.random.default_rng(seed)
    cloud = np.arange(count) % 2
    return unit(2 * np.eye(8)[cloud] + 0.3 * source.normal(size=(count, 8))), np.eye(2, dtype=np.float32)[cloud]


@pytest.fixture
def learned() -> tuple[Neighbours, Near]:
    vectors, targets = two_clouds(100)
    return Neighbours.fit(vectors, targets, np.ones(100), np.arange(100) % 5)


def test_neighbours_vote_for_their_own_label(learned: tuple[Neighbours, Near]) -> None:
    vectors, targets = two_clouds(40, seed=1)
    shares = learned[0].near(vectors).shares
    assert (shares.argmax(axis=1) == targets.argmax(axis=1)).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)


def test_an_example_has_no_vote_on_itself() -> None:
    vectors, _ = two_clouds(60)
    alone = np.zeros((60, 2), np.float32)
    alone[:, 0] = 1
    alone[7] = (0, 1)
    _, near = Neighbours.fit(vectors, alone, np.ones(60), np.arange(60) % 5)
    assert near.shares[7].argmax() == 0


def test_what_is_far_from_every_example_is_unknown_and_examples_are_not(learned: tuple[Neighbours, Near]) -> None:
    neighbours, near = learned
    assert neighbours.unknown(near.strangeness).mean() < 0.05
    elsewhere = neighbours.near(unit(-np.eye(8)[2:] - 0.5)).strangeness
    assert (neighbours.unknown(elsewhere) > 0.9).all()
    assert (neighbours.distance(elsewhere) == 1).all()
    assert ((neighbours.distance(near.strangeness) >= 0) & (neighbours.distance(near.strangeness) <= 1)).all()


@pytest.mark.parametrize("count", [3, 10, NEAREST + 1])
def test_fewer_examples_than_neighbours_asked_for_still_vote(count: int) -> None:
    vectors, targets = two_clouds(count)
    neighbours, near = Neighbours.fit(vectors, targets, np.ones(count), np.arange(count) % 5)
    for it in (near, neighbours.near(vectors)):
        assert np.isfinite(it.shares).all()
        assert np.isfinite(it.strangeness).all()


def test_stored_neighbours_say_the_same(learned: tuple[Neighbours, Near]) -> None:
    vectors, _ = two_clouds(10, seed=2)
    again = Neighbours.read(learned[0].arrays()).near(vectors)
    np.testing.assert_array_equal(again.shares, learned[0].near(vectors).shares)
