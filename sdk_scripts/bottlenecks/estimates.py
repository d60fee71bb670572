"""Intervals of the figures, 95 % each; none where a figure rests on fewer than LEAST observations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.bootstrap import percentile_interval, resample
from ml_backend.labeling.units import Floats
from sdk_scripts.bottlenecks.model import Estimate

LEAST = 5
Z = 1.959964
UNKNOWN = Estimate()


def share_of(count: int, n: int) -> Estimate:
    """Wilson's score interval (1927)."""
    if n < LEAST:
        return Estimate(n=n)
    low, high = wilson_interval(count / n, n)
    return Estimate(value=count / n, low=low, high=high, n=n)


def quantile(ordered: Floats, q: float) -> Estimate:
    """Of values in ascending order, with the interval of order statistics (Conover, 1971): exact whatever their
    distribution, if they are independent. An end beyond the sample is open."""
    from scipy.stats import binom

    n = len(ordered)
    if n < LEAST:
        return Estimate(n=n)
    lower, upper = int(binom.ppf(0.025, n, q)) - 1, int(binom.ppf(0.975, n, q))
    return Estimate(
        value=float(np.quantile(ordered, q)),
        low=float(ordered[lower]) if lower >= 0 else None,
        high=float(ordered[upper]) if upper < n else None,
        n=n,
    )


def mean(values: Floats) -> Estimate:
    """With Student's t: of counts a day, say, which vary more than by chance; a count cannot fall below 0."""
    from scipy.stats import t

    n = len(values)
    middle = float(values.mean()) if n else None
    if n < LEAST or middle is None:
        return Estimate(value=middle, n=n)
    half = float(t.ppf(0.975, n - 1)) * float(values.std(ddof=1)) / math.sqrt(n)
    low = middle - half
    return Estimate(value=middle, low=max(0.0, low) if values.min() >= 0 else low, high=middle + half, n=n)


def ratio(top: Floats, bottom: Floats, *, seed: int = 0) -> Estimate:
    """Σtop / Σbottom over independent units, with a bootstrap over them."""
    n = len(top)
    total = float(bottom.sum()) if n else 0.0
    if not total:
        return Estimate(n=n)
    value = float(top.sum()) / total
    if n < LEAST:
        return Estimate(value=value, n=n)
    drawn = resample(np.column_stack([top, bottom]), lambda sums: _divided(sums[:, :1], sums[:, 1:]), seed=seed)
    low, high = percentile_interval(drawn)
    return Estimate(value=value, low=known(low[0]), high=known(high[0]), n=n)


def shares(columns: Floats, *, seed: int = 0) -> list[Estimate]:
    """The share of each column (units, K) in the sum of all, with a bootstrap over the units."""
    n = len(columns)
    sums = columns.sum(axis=0)
    if not sums.sum():
        return [Estimate(n=n)] * columns.shape[1]
    values = sums / sums.sum()
    if n < LEAST:
        return [Estimate(value=float(it), n=n) for it in values]
    drawn = resample(columns, lambda drawn: _divided(drawn, drawn.sum(axis=1, keepdims=True)), seed=seed)
    ends = zip(values, *percentile_interval(drawn), strict=True)
    return [Estimate(value=float(value), low=known(low), high=known(high), n=n) for value, low, high in ends]


def product(*factors: Estimate) -> Estimate:
    """Of independent factors that are not below 0, each end in quadrature on its own side of the logarithms (MOVER:
    Zou & Donner, 2008). A factor of which only bounds are known makes bounds of the product; its middle is not made up.
    """
    if any(not it.known for it in factors):
        return UNKNOWN
    n = min(it.n for it in factors)
    lows = [it.low if it.low is not None else (0.0 if it.high is not None else it.value or 0.0) for it in factors]
    highs = [it.high if it.high is not None else (None if it.low is not None else it.value) for it in factors]
    most = None if None in highs else math.prod(_floats(highs))
    if any(it.value is None for it in factors):
        return Estimate(low=math.prod(lows), high=most, n=n)
    values = _floats([it.value for it in factors])
    value = math.prod(values)
    if all(it.low is None and it.high is None for it in factors):
        return Estimate(value=value, n=n)
    if not value:
        return Estimate(value=0.0, low=0.0, high=most, n=n)
    below = [math.log(middle / low) if low > 0 else math.inf for low, middle in zip(lows, values, strict=True)]
    low = value * math.exp(-math.hypot(*below))
    if most is None:
        return Estimate(value=value, low=low, n=n)
    above = [math.log(high / middle) for high, middle in zip(_floats(highs), values, strict=True)]
    return Estimate(value=value, low=low, high=value * math.exp(math.hypot(*above)), n=n)


def total(*parts: Estimate) -> Estimate:
    """The sum of independent parts, each end in quadrature on its own side."""
    if any(not it.known for it in parts):
        return UNKNOWN
    n = min(it.n for it in parts)
    if any(it.value is None for it in parts):
        lows = [it.low if it.low is not None else it.value for it in parts]
        highs = [it.high if it.high is not None else it.value for it in parts]
        low = None if None in lows else sum(_floats(lows))
        return Estimate(low=low, high=None if None in highs else sum(_floats(highs)), n=n)
    value = sum(_floats([it.value for it in parts]))
    low = value - math.hypot(*((it.value or 0.0) - (it.low if it.low is not None else it.value or 0.0) for it in parts))
    high = value + math.hypot(
        *((it.high if it.high is not None else it.value or 0.0) - (it.value or 0.0) for it in parts)
    )
    return Estimate(value=value, low=low, high=high, n=n)


def times(it: Estimate, factor: float) -> Estimate:
    """Scaled; a negative factor turns the interval round."""
    ends = [None if end is None else end * factor for end in (it.low, it.high)]
    low, high = ends if factor >= 0 else ends[::-1]
    return Estimate(value=None if it.value is None else it.value * factor, low=low, high=high, n=it.n)


def counts_per_day(times: pl.Series, until: Any, days: int) -> Floats:
    """(days,) how many of these times fall into each stretch of 24 hours before `until`, the oldest first; so no day is
    a part of one, and no clock change makes one longer."""
    age = (pl.lit(until) - times.drop_nulls().alias("at")).dt.total_milliseconds() / 86_400_000
    ages = pl.select(age=age)["age"]
    back = np.floor(ages.to_numpy()).astype(np.int64)
    back = back[(back >= 0) & (back < days)]
    return np.bincount(back, minlength=days)[::-1].astype(np.float64)


def known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _divided(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.full(np.broadcast(top, bottom).shape, np.nan), where=bottom > 0)


def _floats(values: Sequence[float | None]) -> list[float]:
    return [0.0 if it is None else it for it in values]
