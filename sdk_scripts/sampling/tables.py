"""Single sampling plans of ISO 2859-1:1999 for per cent nonconforming: code letters (table 1), normal, tightened and
reduced inspection (tables 2-A, 2-B, 2-C).

Each master table is one diagonal: from a code letter to the next the sample grows as AQLs shrink, about 10^(1/5) a
step, so the acceptance numbers of a row are those of the row above moved one AQL to the left. Kept here are the
diagonal, and for each table the row and the AQL where it begins.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal

from ml_backend.labeling.errors import InputError

Level = Literal["I", "II", "III"]
"""General inspection level: II is usual, I inspects less, III more."""
Inspection = Literal["normal", "tightened", "reduced"]

AQLS = (0.01, 0.015, 0.025, 0.04, 0.065, 0.1, 0.15, 0.25, 0.4, 0.65, 1.0, 1.5, 2.5, 4.0, 6.5, 10.0)
"""Acceptance quality limits, per cent nonconforming."""
LETTERS = "ABCDEFGHJKLMNPQR"
LARGEST = (8, 15, 25, 50, 90, 150, 280, 500, 1_200, 3_200, 10_000, 35_000, 150_000, 500_000)
"""The largest lot of each range of lot sizes but the last."""
CODES: dict[Level, str] = {"I": "AABCCDEFGHJKLMN", "II": "ABCDEFGHJKLMNPQ", "III": "BCDEFGHJKLMNPQR"}
"""By range of lot sizes."""

_UP, _DOWN = -1, -2


@dataclass(frozen=True)
class MasterTable:
    """Sample size by code letter, and the acceptance numbers along the diagonal."""

    sizes: tuple[int, ...]
    diagonal: tuple[int, ...]
    """Acceptance numbers from 0 on, by AQL step; arrows where there is none."""
    first: int
    """Place in AQLS of the acceptance number 0 in row A."""

    def cell(self, row: int, aql: int) -> int:
        """The acceptance number in that row and column, or an arrow."""
        step = aql - self.first + row
        if step < 0:
            return _DOWN
        return self.diagonal[step] if step < len(self.diagonal) else _UP

    def resolve(self, row: int, aql: int) -> tuple[int, int]:
        """Row and acceptance number after following the arrows. One that leads out of the table is followed the other
        way."""
        for way in dict.fromkeys((self.cell(row, aql), _DOWN, _UP)):
            at = row
            while way < 0 and 0 <= at < len(self.sizes) and self.cell(at, aql) < 0:
                at += 1 if way == _DOWN else -1
            if 0 <= at < len(self.sizes) and self.cell(at, aql) >= 0:
                return at, self.cell(at, aql)
        raise AssertionError(f"column {AQLS[aql]} has no plan")  # each column has an acceptance number


TABLES: dict[Inspection, MasterTable] = {
    "normal": MasterTable(
        sizes=(2, 3, 5, 8, 13, 20, 32, 50, 80, 125, 200, 315, 500, 800, 1250, 2000),
        diagonal=(0, _UP, _DOWN, 1, 2, 3, 5, 7, 10, 14, 21),
        first=AQLS.index(6.5),
    ),
    "tightened": MasterTable(
        sizes=(2, 3, 5, 8, 13, 20, 32, 50, 80, 125, 200, 315, 500, 800, 1250, 2000, 3150),
        diagonal=(0, _DOWN, _DOWN, 1, 2, 3, 5, 8, 12, 18),
        first=AQLS.index(10.0),
    ),
    "reduced": MasterTable(
        sizes=(2, 2, 2, 3, 5, 8, 13, 20, 32, 50, 80, 125, 200, 315, 500, 800),
        diagonal=(0, _UP, _DOWN, _DOWN, 1, 2, 3, 5, 6, 8, 10),
        first=AQLS.index(6.5),
    ),
}


def code_letter(lot: int, level: Level) -> str:
    """Of a lot of that many units, 2 or more."""
    return CODES[level][bisect_left(LARGEST, lot)]


def column(aql: float) -> int:
    """The place of an AQL in the tables. Raises InputError for one that they do not have."""
    if aql not in AQLS:
        raise InputError(
            f"There is no AQL of {aql:g} % in ISO 2859-1.", mend=f"Take one of {', '.join(f'{it:g}' for it in AQLS)}."
        )
    return AQLS.index(aql)


def looked_up(lot: int, aql: float, level: Level, inspection: Inspection) -> tuple[str, int, int]:
    """Code letter (after arrows), sample size and acceptance number of the table; the sample may exceed the lot."""
    table = TABLES[inspection]
    row, accept = table.resolve(LETTERS.index(code_letter(lot, level)), column(aql))
    return (LETTERS + "S")[row], table.sizes[row], accept
