"""Which tasks a round asks about: as many of each stratum, every label as often as it can be had, no text twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sdk_scripts.calibration.rounds import STRATA, Stratum, chance

_FILL: tuple[Stratum, ...] = ("rest", "unsure", "hard", "sure", "gold")
"""What a stratum that falls short is filled from, in this order."""


@dataclass(frozen=True)
class Candidate:
    item: int
    """See `rounds.Plan.items`."""
    stratum: Stratum
    labels: Mapping[str, str] = field(default_factory=dict)
    """Control -> the answer it most likely has, as the kind's key; controls of which nothing is known are left out."""
    group: Hashable = None
    """The same for texts that are nearly the same; None: like no other."""
    judged_by: frozenset[str] = frozenset()
    """Those of the round's people who have answered it, or nearly the same text."""
    harm: float = 0.0
    """Hard ones are taken by it, the others at random."""


@dataclass(frozen=True, slots=True)
class Short:
    """A stratum that had fewer tasks than its share."""

    stratum: Stratum
    wanted: int
    found: int
    filled: Mapping[Stratum, int]
    """From which strata the rest came."""

    def to_json(self) -> dict[str, Any]:
        return {
            "stratum": self.stratum,
            "wanted": self.wanted,
            "found": self.found,
            "filled_from": dict(self.filled),
        }


@dataclass(frozen=True)
class Sample:
    chosen: tuple[Candidate, ...]
    """Fewer than asked where there are no more different texts."""
    short: tuple[Short, ...]


def draw(candidates: Sequence[Candidate], size: int, *salt: object) -> Sample:
    """`size` of the candidates, a quarter of each stratum but "rest"; the same for the same candidates and salt.

    Taken first is what fewest of the round's people have judged, then what brings the labels that the sample has least
    of, so that a rare label has as good a chance as the usual ones.
    """
    desk = _Desk(candidates, salt)
    wanted = _shares(size)
    found = {stratum: desk.take(stratum, n) for stratum, n in wanted.items()}
    short = []
    for stratum, n in wanted.items():
        if (missing := n - found[stratum]) > 0:
            filled: Counter[Stratum] = Counter()
            for other in _FILL:
                filled[other] += desk.take(other, missing - filled.total()) if other != stratum else 0
            short.append(Short(stratum, n, found[stratum], {name: k for name, k in filled.items() if k}))
    return Sample(tuple(desk.taken), tuple(short))


def _shares(size: int) -> dict[Stratum, int]:
    strata = STRATA[:4]
    return {name: size // 4 + (place < size % 4) for place, name in enumerate(strata)}


class _Desk:
    """The candidates, as they are taken."""

    def __init__(self, candidates: Sequence[Candidate], salt: tuple[object, ...]) -> None:
        self.all = sorted(
            candidates, key=lambda it: (-it.harm if it.stratum == "hard" else 0.0, chance(*salt, it.item), it.item)
        )
        self.taken: list[Candidate] = []
        self._stratum = np.array([it.stratum for it in self.all], dtype=object)
        self._judged = np.array([len(it.judged_by) for it in self.all], dtype=np.int64)
        groups: dict[Hashable, int] = {}
        alone = [("alone", it.item) if it.group is None else it.group for it in self.all]
        self._group = np.array([groups.setdefault(it, len(groups)) for it in alone], dtype=np.int64)
        self._free = np.ones(len(self.all), dtype=bool)
        controls = sorted({name for it in self.all for name in it.labels})
        codes: dict[tuple[str, str | None], int] = {}
        table = [[codes.setdefault((name, it.labels.get(name)), len(codes)) for name in controls] for it in self.all]
        self._codes = np.array(table, dtype=np.int64).reshape(len(self.all), len(controls))
        self._given = np.zeros(max(len(codes), 1))

    def take(self, stratum: Stratum, most: int) -> int:
        """How many were taken."""
        for done in range(max(most, 0)):
            able = np.flatnonzero(self._free & (self._stratum == stratum))
            if not len(able):
                return done
            able = able[self._judged[able] == self._judged[able].min()]
            worth = (1 / (1 + self._given[self._codes[able]])).sum(axis=1)
            chosen = able[int(worth.argmax())]
            self.taken.append(self.all[chosen])
            self._free[self._group == self._group[chosen]] = False
            np.add.at(self._given, self._codes[chosen], 1)
        return max(most, 0)
