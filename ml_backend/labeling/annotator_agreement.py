"""How each annotator agrees with the others, and every two annotators with each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl

from ml_backend.labeling.judgements import latest, of_annotators
from ml_backend.labeling.units import Coded, Floats

NAN = float("nan")


@dataclass(frozen=True)
class AnnotatorAgreement:
    """How one annotator's judgements agree with the others' of the same tasks, over all controls."""

    judgements: int
    items: int
    """Judgements of tasks that others judged too."""
    percent_with_others: float
    """Mean similarity to the others' answers (equal or not; 1 − distance on a distance scale), 0–1; NaN without any."""
    low: float = NAN
    high: float = NAN
    """95 % Wilson interval of `percent_with_others`."""
    controls: Mapping[str, float] = field(default_factory=dict)
    """The same for each control."""

    def to_json(self) -> dict[str, Any]:
        return {name: plain(value) for name, value in asdict(self).items()}


def with_others(coded: Coded, similarity: Floats) -> dict[str, tuple[int, int, float]]:
    """By annotator: judgements, judgements shared with others, and the sum of their similarities."""
    cells = coded.cells
    place = np.searchsorted(
        cells.unit * max(cells.values, 1) + cells.value, coded.unit * max(cells.values, 1) + coded.value
    )
    shared = cells.per_unit[coded.unit] >= 2
    size = len(coded.annotators)
    given = np.bincount(coded.annotator, minlength=size)
    items = np.bincount(coded.annotator[shared], minlength=size)
    total = np.bincount(coded.annotator[shared], similarity[place[shared]], minlength=size)
    return {
        name: (int(given[index]), int(items[index]), float(total[index]))
        for index, name in enumerate(coded.annotators)
        if name
    }


def over_controls(shares: Mapping[str, tuple[int, int, float]]) -> AnnotatorAgreement:
    judgements, items, total = (sum(column) for column in zip(*shares.values(), strict=True))
    percent = total / items if items else NAN
    return AnnotatorAgreement(
        judgements=judgements,
        items=items,
        percent_with_others=percent,
        **dict(zip(("low", "high"), wilson_interval(percent, items), strict=True)),
        controls={name: agreed / shared if shared else NAN for name, (_, shared, agreed) in shares.items()},
    )


def wilson_interval(share: float, n: float) -> tuple[float, float]:
    """The 95 % score interval of a share of n, honest near 0 and 1 and for few; NaN for none. Wilson, 1927."""
    if not n:
        return NAN, NAN
    z = 1.959964
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def pair_agreement(table: pl.DataFrame, control: str) -> pl.DataFrame:
    """Every two annotators who judged tasks in common: `a`, `b`, `items`, `percent` (equal answers, 0–1) and Cohen's
    `kappa` (null where undefined), the pairs with most items first."""
    rows = latest(of_annotators(table)).filter((pl.col("control") == control) & (pl.col("annotator") != ""))
    rows = rows.select("task", "annotator", "answer")
    both = rows.join(rows, on="task", suffix="_b").filter(pl.col("annotator") < pl.col("annotator_b"))
    by = ["annotator", "annotator_b"]
    pairs = both.group_by(by).agg(pl.len().alias("items"), (pl.col("answer") == pl.col("answer_b")).mean().alias("p"))
    mine = both.group_by(*by, "answer").agg(pl.len().alias("n"))
    theirs = both.group_by(*by, pl.col("answer_b").alias("answer")).agg(pl.len().alias("n_b"))
    chance = (
        mine.join(theirs, on=[*by, "answer"])
        .group_by(by)
        .agg((pl.col("n").cast(pl.Float64) * pl.col("n_b")).sum().alias("together"))
    )
    expected = pl.col("together").fill_null(0.0) / pl.col("items").cast(pl.Float64) ** 2
    return (
        pairs.join(chance, on=by, how="left")
        .select(
            pl.col("annotator").alias("a"),
            pl.col("annotator_b").alias("b"),
            "items",
            pl.col("p").alias("percent"),
            pl.when(expected < 1).then((pl.col("p") - expected) / (1 - expected)).alias("kappa"),
        )
        .sort("items", "a", "b", descending=[True, False, False])
    )


def plain(value: Any) -> Any:
    """For JSON: NaN as None."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
