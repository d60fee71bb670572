"""How much faster people are with a prediction on the screen: blind tasks against plain ones, person by person.

Seconds are compared on a log scale, so that a ratio comes out and long pauses do not decide; what is left of them is
bounded: each time counts for at least an eighth and at most eight times its person's median. Everybody is compared with
themselves, weighted by n₁n₂/(n₁+n₂), so it does not matter who labelled more of which. The interval is a bootstrap over
persons, and over each one's annotations within them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ml_backend.labeling.bootstrap import RESAMPLES, percentile_interval
from ml_backend.labeling.units import Floats

BOUND = math.log(8)
LEAST = 5
"""Annotations of each arm from which a person is compared."""
_EXACT = 500  # more are drawn by their mean and its standard error


@dataclass(frozen=True)
class _Person:
    name: str
    blind: Floats
    """Log seconds, bounded."""
    plain: Floats

    @property
    def weight(self) -> float:
        return len(self.blind) * len(self.plain) / (len(self.blind) + len(self.plain))

    @property
    def difference(self) -> float:
        return float(self.plain.mean() - self.blind.mean())


def time_saved(annotations: pl.DataFrame, *, seed: int = 0) -> dict[str, Any]:
    """`annotations` has a row an annotation: annotator, arm, lead_time (seconds).

    `ratio` is seconds with a prediction / seconds without, geometric; `saved` is 1 - ratio. Both are null, with a
    `note`, where nobody has LEAST annotations of both arms.
    """
    timed = annotations.filter(
        pl.col("lead_time") > 0, pl.col("annotator") != "", pl.col("arm").is_in(["blind", "plain"])
    )
    people = [_person(str(name), rows) for (name,), rows in timed.group_by(["annotator"], maintain_order=True)]
    compared = [it for it in people if min(len(it.blind), len(it.plain)) >= LEAST]
    found: dict[str, Any] = {
        arm: {
            "n": (rows := timed.filter(arm=arm)).height,
            "median_seconds": rows["lead_time"].median() if rows.height >= LEAST else None,
        }
        for arm in ("blind", "plain")
    }
    found |= {"people": len(compared), "ratio": None, "low": None, "high": None}
    found |= {"saved": None, "saved_low": None, "saved_high": None}
    found["annotators"] = [
        {
            "annotator": it.name,
            "blind": len(it.blind),
            "plain": len(it.plain),
            "ratio": math.exp(it.difference) if it in compared else None,
        }
        for it in sorted(people, key=lambda it: it.name)
    ]
    found["note"] = ""
    if not compared:
        found["note"] = f"Nobody has {LEAST} timed annotations both with a prediction and without."
        return found
    weights = np.array([it.weight for it in compared])
    ratio = math.exp(float(np.average([it.difference for it in compared], weights=weights)))
    low, high = (math.exp(end) for end in _interval(compared, weights, seed))
    found |= {"ratio": ratio, "low": low, "high": high}
    found |= {"saved": 1 - ratio, "saved_low": 1 - high, "saved_high": 1 - low}
    if len(compared) < 3:
        found["note"] = f"Only {len(compared)} of {len(people)} people could be compared: others may gain more or less."
    return found


def _person(name: str, rows: pl.DataFrame) -> _Person:
    middle = math.log(float(rows["lead_time"].median()))  # type: ignore[arg-type]  # it has rows

    def bounded(arm: str) -> Floats:
        seconds = rows.filter(arm=arm)["lead_time"].to_numpy()
        return np.clip(np.log(seconds), middle - BOUND, middle + BOUND) if len(seconds) else np.zeros(0)

    return _Person(name, bounded("blind"), bounded("plain"))


def _interval(people: list[_Person], weights: Floats, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    drawn = np.stack([_means(it.plain, rng) - _means(it.blind, rng) for it in people], axis=1)  # (R, people)
    times = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=RESAMPLES) * weights
    low, high = percentile_interval((drawn * times).sum(axis=1, keepdims=True) / times.sum(axis=1, keepdims=True))
    return float(low[0]), float(high[0])


def _means(values: Floats, rng: np.random.Generator) -> Floats:
    """(RESAMPLES,) means of the values drawn with replacement."""
    n = len(values)
    if n > _EXACT:
        return rng.normal(values.mean(), values.std(ddof=1) / math.sqrt(n), RESAMPLES)
    return values[rng.integers(0, n, (RESAMPLES, n))].mean(axis=1)
