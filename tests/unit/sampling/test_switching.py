"""How strictly the next lot is inspected, by the lots before it."""

from __future__ import annotations

import pytest

from sdk_scripts.sampling.switching import Inspected, State, switched

GOOD, BAD = Inspected(3_000, True, 0), Inspected(3_000, False, 9)


def state(*lots: Inspected, reduced: bool = True) -> State:
    return switched(lots, aql=1.0, level="II", reduced=reduced)


@pytest.mark.parametrize(
    ("lots", "inspection"),
    [
        ([], "normal"),
        ([BAD], "normal"),
        ([BAD, BAD], "tightened"),
        ([BAD, GOOD, GOOD, GOOD, BAD], "tightened"),
        ([BAD, GOOD, GOOD, GOOD, GOOD, BAD], "normal"),
        ([BAD, BAD, *[GOOD] * 4], "tightened"),
        ([BAD, BAD, *[GOOD] * 5], "normal"),
        ([BAD, BAD, *[GOOD] * 4, BAD, *[GOOD] * 4], "tightened"),
        ([*[GOOD] * 9], "normal"),
        ([*[GOOD] * 10], "reduced"),
        ([*[GOOD] * 10, BAD], "normal"),
        ([*[GOOD] * 10, BAD, BAD], "tightened"),
    ],
)
def test_inspection_follows_the_lots_before(lots, inspection) -> None:
    assert state(*lots).inspection == inspection


def test_reduced_inspection_needs_leave() -> None:
    assert state(*[GOOD] * 20, reduced=False).inspection == "normal"


def test_a_lot_that_would_fail_one_step_tighter_puts_the_score_back() -> None:
    just = Inspected(3_000, True, 3)  # 3 pass at 1.0, 2 at 0.65
    assert state(GOOD, GOOD).score == 6
    assert state(GOOD, GOOD, just).score == 0
    assert state(GOOD, Inspected(3_000, True, 2)).score == 6


def test_small_acceptance_numbers_score_two() -> None:
    assert state(Inspected(100, True, 0)).score == 2


def test_inspection_stops_after_five_rejections_under_tightened_and_not_before() -> None:
    assert not state(BAD, BAD, *[BAD] * 4).discontinued
    assert state(BAD, BAD, *[BAD] * 5).discontinued
    assert not state(BAD, BAD, *[BAD] * 3, *[GOOD] * 5, BAD, BAD).discontinued
