from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.selection import EXPLORED, choose, joint_doubt, neighbour_probabilities


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def groups(sizes: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around as many directions as there are sizes, and the direction of each."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(sizes)), sizes)
    return unit(10 * np.eye(32)[of] + rng.normal(size=(len(of), 32))), of


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(0, 60),
    budget=st.integers(0, 80),
    exploration=st.floats(0, 1),
    seed=st.integers(0, 5),
    known=st.booleans(),
)
def test_it_picks_as_many_different_tasks_as_the_budget_allows(
    n: int, budget: int, exploration: float, seed: int, known: bool
) -> None:
    rng = np.random.default_rng(seed)
    vectors, doubt = unit(rng.normal(size=(n, 8))), rng.random(n)
    picks = choose(doubt if known else None, vectors, budget, exploration=exploration, seed=seed)
    assert len(set(picks.rows.tolist())) == len(picks.rows) == len(picks.cluster) == min(n, budget)
    assert set(picks.rows.tolist()) <= set(range(n))
    assert (picks.cluster == EXPLORED).sum() == min(len(picks.rows), round(exploration * min(n, budget)))
    again = choose(doubt if known else None, vectors, budget, exploration=exploration, seed=seed)
    np.testing.assert_array_equal(picks.rows, again.rows)


def test_doubt_decides_where_the_budget_covers_every_cluster() -> None:
    vectors, _ = groups([50] * 4)
    doubt = np.zeros(200)
    doubt[[3, 60, 110, 170]] = 1.0
    assert set(choose(doubt, vectors, 4, exploration=0).rows.tolist()) == {3, 60, 110, 170}


def test_doubtful_near_duplicates_do_not_take_the_whole_budget() -> None:
    vectors, of = groups([300, 20, 20, 20])
    doubt = np.where(of == 0, 0.9, 0.8)
    assert set(of[np.argsort(-doubt, kind="stable")[:100]]) == {0}
    picks = choose(doubt, vectors, 100, exploration=0)
    assert set(of[picks.rows].tolist()) == {0, 1, 2, 3}


def test_without_a_model_the_first_tasks_come_from_different_clusters() -> None:
    vectors, of = groups([400, 40, 40, 20, 20])
    assert set(of[choose(None, vectors, 20, exploration=0).rows].tolist()) == {0, 1, 2, 3, 4}


def test_what_is_picked_at_random_does_not_depend_on_doubt() -> None:
    rng = np.random.default_rng(0)
    vectors = unit(rng.normal(size=(500, 16)))
    doubts = [rng.random(500), np.linspace(0, 1, 500)]
    picks = [choose(doubt, vectors, 100, exploration=0.3, seed=4) for doubt in doubts]
    first, second = ({*it.rows[it.cluster == EXPLORED].tolist()} for it in picks)
    assert first == second
    assert len(first) == 30


def test_whoever_stops_early_has_random_tasks_too() -> None:
    vectors = unit(np.random.default_rng(0).normal(size=(400, 16)))
    explored = choose(np.arange(400), vectors, 100, exploration=0.2).cluster == EXPLORED
    assert explored[:50].sum() == 10


@pytest.mark.parametrize(
    "arguments",
    [
        {"doubt": np.zeros(3), "budget": 1},
        {"doubt": np.full(5, np.nan), "budget": 1},
        {"doubt": None, "budget": -1},
        {"doubt": None, "budget": 1, "exploration": 1.5},
    ],
)
def test_what_cannot_be_used_is_refused(arguments: dict) -> None:
    with pytest.raises(InputError):
        choose(vectors=np.eye(5, dtype=np.float32), **arguments)


def test_neighbours_answer_as_the_labelled_ones_near_them() -> None:
    vectors, of = groups([30, 30, 30])
    known = np.arange(0, 90, 3)
    near = neighbour_probabilities(vectors, vectors[known], of[known], 3, nearest=5)
    np.testing.assert_allclose(near.sum(axis=1), 1)
    assert (near.argmax(axis=1) == of).all()


def test_neighbours_that_disagree_with_the_head_raise_its_doubt() -> None:
    head = np.array([[0.9, 0.1], [0.9, 0.1]])
    agreeing, disagreeing = joint_doubt(head, np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert disagreeing > agreeing
