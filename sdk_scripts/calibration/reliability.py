"""How well a control was agreed about: alpha and AC1 with honest intervals, and what follows from them.

A bootstrap knows no doubt where nobody differed: all its resamples are as perfect. There the lower bound is worked out
from that of the share of tasks that are agreed about, which is exact (Clopper & Pearson 1934): tail^(1/n) of n tasks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from ml_backend.labeling import alpha as statistics
from ml_backend.labeling.annotator_agreement import NAN
from ml_backend.labeling.bootstrap import percentile_interval, resample
from ml_backend.labeling.coefficients import gwet_ac1, pairwise_agreement
from ml_backend.labeling.config import Control
from ml_backend.labeling.kinds import Kind, Scale
from ml_backend.labeling.units import Cells, Coded, Floats, code

SKEWED = 0.8
"""Share of the judgements with one and the same answer from which on AC1 is to be read: alpha's chance term then eats
up nearly all agreement (Feinstein & Cicchetti 1990)."""
LEAST_ITEMS = 8
"""Tasks with two judgements; of fewer nothing is said."""
_MOST_NEEDED = 1_000  # tasks, the most a round may have

Verdict = Literal["passed", "failed", "not enough to say", "too few", "not counted"]


@dataclass(frozen=True)
class Reliability:
    """NaN where undefined; intervals are two-sided, of the certainty asked for."""

    items: int
    """Tasks with two judgements or more."""
    alpha: float = NAN
    low: float = NAN
    high: float = NAN
    ac1: float = NAN
    ac1_low: float = NAN
    ac1_high: float = NAN
    top_share: float = NAN
    """Share of the commonest answer among the judgements compared."""
    agreed: float = NAN
    """Lower bound of the share of tasks agreed about, had all been."""

    @property
    def skewed(self) -> bool:
        return self.top_share >= SKEWED

    @property
    def unanimous(self) -> bool:
        """All gave one and the same answer throughout, so that alpha is undefined."""
        return self.items > 0 and self.top_share == 1

    @property
    def deciding(self) -> tuple[float, float, float]:
        """The figure that the verdict is by, with its interval: alpha. Where it is undefined, as all say the same, AC1,
        which then is the share of tasks agreed about."""
        return (1.0, self.agreed, 1.0) if self.unanimous else (self.alpha, self.low, self.high)

    def verdict(self, threshold: float) -> tuple[Verdict, int | None]:
        """Whether the lower bound reaches the threshold; where the interval leaves it open, how many tasks in all would
        settle it at this agreement (None: more than anybody would do)."""
        value, low, high = self.deciding
        if self.items < LEAST_ITEMS or math.isnan(value) or math.isnan(low):
            return "too few", None
        if low >= threshold:
            return "passed", None
        if high < threshold:
            return "failed", None
        reach = value - low if value >= threshold else high - value
        gap = abs(value - threshold)
        needed = math.ceil(self.items * (reach / gap) ** 2) if gap > 0 else _MOST_NEEDED + 1
        return "not enough to say", needed if needed <= _MOST_NEEDED else None

    def to_json(self) -> dict[str, Any]:
        return {
            "items": self.items,
            "alpha": self.alpha,
            "alpha_low": self.low,
            "alpha_high": self.high,
            "ac1": self.ac1,
            "ac1_low": self.ac1_low,
            "ac1_high": self.ac1_high,
        }


def reliability(table: pl.DataFrame, control: Control, kind: Kind, certainty: float, seed: int = 0) -> Reliability:
    """Of judgements (`labeling.judgements.SCHEMA`, a person's last ones), on the scale that `agreement` uses."""
    coded = code(table, control, kind)
    cells = coded.cells.pairable
    if not cells.units:
        return Reliability(0)
    statistic = _statistic(coded, cells, control, kind, seed)
    value = float(statistic.alpha(np.asarray(statistic.features.sum(axis=0), dtype=np.float64).reshape(1, -1))[0])
    low = high = NAN
    if cells.units > 1 and not math.isnan(value):
        low, high = _ends(
            resample(statistic.features, lambda sums: statistic.alpha(sums)[:, None], seed=seed), certainty
        )
    shares = cells.per_value / cells.count.sum()
    agreed = ((1 - certainty) / 2) ** (1 / cells.units)
    if value == 1:
        low = min(low, 1 - (1 - agreed) / (1 - float(np.square(shares).sum())))
    ac1 = _ac1(cells, control, certainty, agreed, seed) if _scale(control, kind) != "distance" else (NAN, NAN, NAN)
    return Reliability(cells.units, value, low, high, *ac1, top_share=float(shares.max()), agreed=agreed)


def difference(before: Reliability, after: Reliability) -> tuple[float, float, float] | None:
    """Alpha after less alpha before, with its interval, of the certainty of theirs; None where either is undefined. The
    rounds' tasks are others, so that the intervals recover the variance of the difference (Zou & Donner 2008)."""
    if any(map(math.isnan, (before.alpha, before.low, before.high, after.alpha, after.low, after.high))):
        return None
    change = after.alpha - before.alpha
    below = math.hypot(after.alpha - after.low, before.high - before.alpha)
    above = math.hypot(after.high - after.alpha, before.alpha - before.low)
    return change, change - below, change + above


def _scale(control: Control, kind: Kind) -> Scale:
    return "distance" if kind.scale == "nominal" and control.multiple else kind.scale


def _statistic(coded: Coded, cells: Cells, control: Control, kind: Kind, seed: int) -> statistics.Statistic:
    scale = _scale(control, kind)
    if scale == "distance":
        return statistics.by_distance(cells, statistics.Distances(coded.answers, kind.distance), seed=seed)
    if scale == "interval" and coded.numbers is not None:
        return statistics.interval(cells, coded.numbers)
    return statistics.ordinal(cells) if scale == "ordinal" and coded.ranked else statistics.nominal(cells)


def _ac1(cells: Cells, control: Control, certainty: float, agreed: float, seed: int) -> tuple[float, float, float]:
    """Gwet's AC1 with its bootstrap interval, over the config's labels, of the tasks with two judgements."""
    from scipy import sparse

    single = control.labels and not control.open
    categories = max(int((cells.per_value > 0).sum()), len(control.keys) if single else 0)
    value = gwet_ac1(cells, categories)
    if categories < 2 or math.isnan(value):
        return NAN, NAN, NAN
    shares = sparse.csr_matrix((cells.count / cells.per_unit[cells.unit], (cells.unit, cells.value)))
    columns = [sparse.csr_matrix(pairwise_agreement(cells)[:, None]), sparse.csr_matrix(np.ones((cells.units, 1)))]

    def statistic(sums: Floats) -> Floats:
        share = sums[:, 2:] / sums[:, 1:2]
        by_chance = (share * (1 - share)).sum(axis=1) / (categories - 1)
        return ((sums[:, 0] / sums[:, 1] - by_chance) / (1 - by_chance))[:, None]

    features = sparse.hstack([*columns, shares], format="csr")
    low, high = _ends(resample(features, statistic, seed=seed), certainty) if cells.units > 1 else (NAN, NAN)
    if value == 1:
        share = np.asarray(shares.sum(axis=0)).ravel() / cells.units
        low = min(low, 1 - (1 - agreed) / (1 - float((share * (1 - share)).sum()) / (categories - 1)))
    return value, low, high


def _ends(draws: Floats, certainty: float) -> tuple[float, float]:
    low, high = percentile_interval(draws, level=certainty)
    return float(low[0]), float(high[0])
