"""What somebody does against what the others do on the very same items: no mix of items favours anybody."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import binom, norm

_EXACT = 4000


def beside_others(table: pl.DataFrame, does: pl.Expr, left_out: Iterable[str] = ()) -> pl.DataFrame:
    """Of judgements of one control, those on tasks that others judged, too, with

    does    whether this one does it
    theirs  share of the others that do; the others are those not left out
    chance  of doing it, if this judgement is any of its own and theirs; 0 or 1 where all are alike
    """
    task = _places(table["task"].to_numpy())
    told = table.select(does=does.fill_null(False), counts=~pl.col("annotator").is_in(list(left_out)))
    mine, counts = (told[name].cast(pl.Float64).to_numpy() for name in ("does", "counts"))
    hit = mine * counts
    others = np.bincount(task, counts)[task] - counts
    do = np.bincount(task, hit)[task] - hit
    compared = others > 0
    others, do, mine = others[compared], do[compared], mine[compared]
    return table.filter(pl.Series(compared)).with_columns(
        does=pl.Series(mine.astype(np.int64)),
        others_n=pl.Series(others.astype(np.int64)),
        theirs=pl.Series(do / others),
        chance=pl.Series((do + mine) / (others + 1)),
    )


def _places(tasks: NDArray[np.int64]) -> NDArray[np.int64]:
    """From 0 on, one for each task."""
    if len(tasks) and tasks.max() - tasks.min() < 4 * len(tasks):
        return tasks - tasks.min()
    return np.unique(tasks, return_inverse=True)[1]


def tails(count: int, chances: Iterable[tuple[float, int]]) -> tuple[float, float]:
    """P(at most, and at least, as many hits) of independent trials, so many with each chance: exact, by convolution of
    binomial distributions; by mean and variance above 4,000 trials."""
    told = [(share, n) for share, n in chances if n]
    if sum(n for share, n in told if 0 < share < 1) > _EXACT:
        mean = sum(share * n for share, n in told)
        spread = max(sum(share * (1 - share) * n for share, n in told), 1e-12) ** 0.5
        return float(norm.cdf((count + 0.5 - mean) / spread)), float(norm.sf((count - 0.5 - mean) / spread))
    exact = np.ones(1)
    for share, n in told:
        exact = np.convolve(exact, binom.pmf(np.arange(n + 1), n, share))
    return float(min(1.0, exact[: count + 1].sum())), float(min(1.0, exact[count:].sum()))
