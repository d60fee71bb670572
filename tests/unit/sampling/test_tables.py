"""The tables of ISO 2859-1 against entries of the published ones."""

from __future__ import annotations

import pytest

from ml_backend.labeling.errors import InputError
from sdk_scripts.sampling.plans import iso_plan
from sdk_scripts.sampling.tables import AQLS, CODES, LARGEST, LETTERS, TABLES, code_letter, looked_up


@pytest.mark.parametrize(
    ("lot", "level", "letter"),
    [
        (2, "I", "A"),
        (8, "III", "B"),
        (9, "II", "B"),
        (51, "I", "C"),
        (91, "II", "F"),
        (280, "II", "G"),
        (281, "II", "H"),
        (500, "I", "F"),
        (1_201, "II", "K"),
        (3_200, "II", "K"),
        (3_201, "II", "L"),
        (35_000, "III", "N"),
        (500_000, "II", "P"),
        (500_001, "I", "N"),
        (10_000_000, "III", "R"),
    ],
)
def test_the_code_letter_is_that_of_table_1(lot, level, letter) -> None:
    assert code_letter(lot, level) == letter


@pytest.mark.parametrize(
    ("inspection", "letter", "aql", "plan"),
    [
        ("normal", "K", 1.0, ("K", 125, 3)),
        ("normal", "K", 0.65, ("K", 125, 2)),
        ("normal", "K", 0.4, ("K", 125, 1)),
        ("normal", "K", 0.25, ("L", 200, 1)),  # down
        ("normal", "K", 0.15, ("J", 80, 0)),  # up
        ("normal", "K", 0.1, ("K", 125, 0)),
        ("normal", "K", 0.065, ("L", 200, 0)),
        ("normal", "A", 0.65, ("F", 20, 0)),  # down over five rows
        ("normal", "A", 6.5, ("A", 2, 0)),
        ("normal", "A", 10.0, ("C", 5, 1)),  # up leads out of the table
        ("normal", "G", 1.0, ("H", 50, 1)),
        ("normal", "L", 6.5, ("L", 200, 21)),
        ("normal", "L", 10.0, ("K", 125, 21)),
        ("normal", "Q", 0.65, ("Q", 1250, 14)),
        ("normal", "R", 0.01, ("Q", 1250, 0)),
        ("normal", "R", 0.015, ("P", 800, 0)),  # down leads out of the table
        ("normal", "R", 0.025, ("R", 2000, 1)),
        ("tightened", "K", 1.0, ("K", 125, 2)),
        ("tightened", "K", 4.0, ("K", 125, 8)),
        ("tightened", "K", 10.0, ("K", 125, 18)),
        ("tightened", "G", 0.65, ("G", 32, 0)),
        ("tightened", "G", 1.0, ("J", 80, 1)),
        ("tightened", "H", 1.5, ("H", 50, 1)),
        ("tightened", "H", 6.5, ("H", 50, 5)),
        ("tightened", "J", 10.0, ("J", 80, 12)),
        ("tightened", "R", 0.025, ("S", 3150, 1)),  # what the row S is there for
        ("reduced", "K", 1.0, ("K", 50, 2)),
        ("reduced", "K", 0.65, ("K", 50, 1)),
        ("reduced", "K", 0.1, ("K", 50, 0)),
        ("reduced", "K", 2.5, ("K", 50, 5)),
        ("reduced", "K", 6.5, ("K", 50, 8)),
        ("reduced", "K", 0.15, ("J", 32, 0)),
    ],
)
def test_the_plan_is_that_of_the_master_table_with_arrows_followed(inspection, letter, aql, plan) -> None:
    row, accept = TABLES[inspection].resolve(LETTERS.index(letter), AQLS.index(aql))
    assert ((LETTERS + "S")[row], TABLES[inspection].sizes[row], accept) == plan


def test_a_lot_of_3000_at_level_two_and_an_aql_of_one_per_cent_takes_125_and_accepts_three() -> None:
    plan = iso_plan(3_000, aql=1.0)
    assert (plan.letter, plan.n, plan.accept, plan.reject) == ("K", 125, 3, 4)


def test_each_lot_has_a_plan_at_each_aql_and_inspection_and_never_above_tightened() -> None:
    for inspection, table in TABLES.items():
        for level, letters in CODES.items():
            for lot, letter in zip((*LARGEST, 2_000_000), letters, strict=True):
                for aql in AQLS:
                    found, n, accept = looked_up(lot, aql, level, inspection)
                    assert 0 <= accept < n
                    assert table.sizes[(LETTERS + "S").index(found)] == n
                    stricter = looked_up(lot, aql, level, "tightened")
                    assert inspection == "reduced" or stricter[2] / stricter[1] <= accept / n, (letter, aql)


def test_a_sample_as_large_as_the_lot_is_the_lot() -> None:
    plan = iso_plan(10, aql=0.65)
    assert (plan.n, plan.accept, plan.whole) == (10, 0, True)
    assert iso_plan(1, aql=10.0).n == 1
    assert iso_plan(0, aql=10.0).n == 0


def test_an_aql_that_the_tables_do_not_have_is_refused_with_those_they_have() -> None:
    with pytest.raises(InputError, match=r"0\.65"):
        iso_plan(100, aql=2.0)
