"""The judgements of one control as integer arrays: what the statistics calculate with.

A *unit* is a judged task. A *cell* is a unit with one of the answers given to it: however many people judged a task, it
has no more cells than different answers, so everything below grows with cells rather than with pairs of judgements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml_backend.labeling.config import Control
from ml_backend.labeling.kinds import Answer, Kind

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_DENSE_CELLS = 50_000_000  # a table of units × values up to this size is counted without sorting


@dataclass(frozen=True)
class Cells:
    """How many judgements of a unit gave a value: (C,) arrays, one row a cell, in order of unit and value."""

    unit: Ints
    value: Ints
    count: Ints
    units: int
    values: int

    @classmethod
    def count_up(cls, units: Ints, values: Ints, n_units: int, n_values: int) -> Cells:
        """From (N,) codes in [0, n_units) and [0, n_values), one a judgement."""
        key = units * max(n_values, 1) + values
        if n_units * n_values <= min(_DENSE_CELLS, 20 * len(key) + 1000):
            counts = np.bincount(key, minlength=n_units * n_values)
            found = np.flatnonzero(counts)
            counts = counts[found]
        else:
            found, counts = np.unique(key, return_counts=True)
        unit, value = np.divmod(found, max(n_values, 1))
        return cls(unit, value, counts.astype(np.int64), n_units, n_values)

    @cached_property
    def per_unit(self) -> Ints:
        """Judgements of each unit, (U,)."""
        return self._sum(self.count, self.unit, self.units).astype(np.int64)

    @cached_property
    def pairable(self) -> Cells:
        """Only the units with two judgements or more, numbered anew: the others say nothing about agreement."""
        enough = self.per_unit >= 2
        if enough.all():
            return self
        keep = enough[self.unit]
        number = np.cumsum(enough) - 1
        return Cells(number[self.unit[keep]], self.value[keep], self.count[keep], int(enough.sum()), self.values)

    @cached_property
    def per_value(self) -> Ints:
        """Judgements of each value, (V,)."""
        return self._sum(self.count, self.value, self.values).astype(np.int64)

    @cached_property
    def pairs(self) -> tuple[Ints, Ints]:
        """Every pair of different cells of the same unit, once: indices of the first and of the second, (P,) each."""
        starts = (
            np.r_[0, np.flatnonzero(np.diff(self.unit)) + 1, len(self.unit)] if len(self.unit) else np.zeros(1, int)
        )
        sizes = np.diff(starts)
        ends = np.repeat(starts[1:], sizes)  # for each cell, where its unit ends
        alive = np.flatnonzero(np.repeat(sizes, sizes) > 1)
        first, second, step = [], [], 1
        while len(alive := alive[alive + step < ends[alive]]):
            first.append(alive)
            second.append(alive + step)
            step += 1
        if not first:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate(first).astype(np.int64), np.concatenate(second).astype(np.int64)

    def sum_by_unit(self, weights: Floats) -> Floats:
        """(C,) -> (U,)."""
        return self._sum(weights, self.unit, self.units)

    @staticmethod
    def _sum(weights: NDArray[Any], by: Ints, size: int) -> Floats:
        return np.bincount(by, weights=weights, minlength=size).astype(np.float64)


@dataclass(frozen=True)
class Coded:
    """One control's judgements as (N,) arrays of codes; one judgement a person and task.

    `keys` are the distinct answers: by number where all are numbers, else labels in the config's order, else by key.
    """

    tasks: Ints
    annotators: tuple[str, ...]
    keys: tuple[str, ...]
    answers: tuple[Answer, ...]
    numbers: Floats | None
    """The answers as numbers, (V,), where all of them are."""
    ranked: bool
    """Whether the order of `keys` means something."""
    unit: Ints
    annotator: Ints
    value: Ints
    settled: Ints
    """The code of the answer that a review decided on, (U,); −1 where none did."""

    @cached_property
    def cells(self) -> Cells:
        return Cells.count_up(self.unit, self.value, len(self.tasks), len(self.keys))

    @cached_property
    def telling(self) -> NDArray[np.bool_]:
        """The units that say something about annotators, (U,): judged twice, or decided."""
        return (self.cells.per_unit > 1) | (self.settled >= 0)

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Whether the annotator has a name, (A,). Judgements without one count as those of as many people."""
        return np.array([bool(name) for name in self.annotators], dtype=bool)


def code(table: pl.DataFrame, control: Control, kind: Kind, decided: pl.DataFrame | None = None) -> Coded:
    """Encode the rows of this control (`judgements.SCHEMA`, each annotator's last judgement of a task only).

    `decided` are reviews' decisions (`judgements.decisions`); those of tasks that nobody judged are left out.
    """
    rows = table.filter(pl.col("control") == control.name)
    tasks, unit = np.unique(rows["task"].to_numpy(), return_inverse=True)
    final = pl.DataFrame({"task": tasks, "place": np.arange(len(tasks))}, {"task": pl.Int64, "place": pl.Int64})
    known = (table.clear() if decided is None else decided).filter(pl.col("control") == control.name)
    final = final.join(known, on="task").select("place", "answer")
    distinct = pl.concat([rows["answer"], final["answer"]]).unique(maintain_order=True).to_list()
    answers = {key: kind.from_key(key) for key in distinct}
    keys, numbers, ranked = _in_order(answers, control, kind)
    names, annotator = _people(rows["annotator"])
    settled = np.full(len(tasks), -1)
    settled[final["place"].to_numpy()] = _codes(final["answer"], keys)
    return Coded(
        tasks=tasks.astype(np.int64),
        annotators=names,
        keys=keys,
        answers=tuple(answers[key] for key in keys),
        numbers=numbers,
        ranked=ranked,
        unit=unit.astype(np.int64),
        annotator=annotator,
        value=_codes(rows["answer"], keys),
        settled=settled,
    )


def _codes(answers: pl.Series, keys: Sequence[str]) -> Ints:
    return answers.replace_strict(list(keys), list(range(len(keys))), return_dtype=pl.Int64).to_numpy().astype(np.int64)


def _people(column: pl.Series) -> tuple[tuple[str, ...], Ints]:
    names = column.unique().sort().to_list()
    known = [name for name in names if name]
    codes = column.replace_strict(known, list(range(len(known))), default=-1, return_dtype=pl.Int64).to_numpy().copy()
    nameless = np.flatnonzero(codes < 0)
    codes[nameless] = len(known) + np.arange(len(nameless))
    return (*known, *([""] * len(nameless))), codes.astype(np.int64)


def _in_order(answers: dict[str, Answer], control: Control, kind: Kind) -> tuple[tuple[str, ...], Floats | None, bool]:
    texts = {key: _single(answer, control, kind) for key, answer in answers.items()}
    numbers = {key: number for key, text in texts.items() if (number := _number(text)) is not None}
    if len(numbers) == len(answers):
        keys = sorted(answers, key=lambda key: (numbers[key], key))
        return tuple(keys), np.array([numbers[key] for key in keys], dtype=np.float64), True
    rank = {label: position for position, label in enumerate(control.keys)}
    place = {key: rank.get(text, len(rank)) if text is not None else len(rank) for key, text in texts.items()}
    keys = sorted(answers, key=lambda key: (place[key], key))
    return tuple(keys), None, all(position < len(rank) for position in place.values())


def _single(answer: Answer, control: Control, kind: Kind) -> str | None:
    """The text of an answer that is one label or one number."""
    if kind.scale in ("ordinal", "interval"):
        return str(answer)
    if kind.scale != "nominal" or control.multiple:
        return None
    labels: Sequence[str] = kind.labels(answer)
    return labels[0] if len(labels) == 1 else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and np.isfinite(number) else None
