"""How much faster people are with a prediction on the screen: blind tasks against plain ones, person by person.

Seconds are compared on a log scale, so that a ratio comes out and long pauses do not decide; what is left of them is
bounded: each time counts for at least an eighth and at most eight times its person's median. Everybody is compared with
themselves, at tasks that the machine was about as sure of (BANDS), weighted by n₁n₂/(n₁+n₂): so it does not matter who
labelled more of which, nor that auto-accept takes the easy ones away from those shown. The interval is a bootstrap over
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

BANDS = (0.5, 0.7, 0.85, 0.95)
"""Where bands of the prediction's score begin."""
BOUND = math.log(8)
LEAST = 5
"""Annotations of each arm, in bands that have both, from which a person is compared."""
_EXACT = 500  # more are drawn by their mean and its standard error


def band() -> pl.Expr:
    """The score's band, 0 to 4; that of the lowest where a prediction has none."""
    return pl.sum_horizontal([(pl.col("score").fill_null(0.0) >= it).cast(pl.Int64) for it in BANDS]).alias("band")


@dataclass(frozen=True)
class _Person:
    name: str
    blind: int
    plain: int
    """Annotations."""
    bands: tuple[tuple[Floats, Floats], ...]
    """Log seconds, bounded, of blind and plain tasks, where both are."""

    @property
    def weights(self) -> Floats:
        return np.array([len(a) * len(b) / (len(a) + len(b)) for a, b in self.bands])

    @property
    def compared(self) -> bool:
        return min(sum(len(pair[arm]) for pair in self.bands) for arm in (0, 1)) >= LEAST

    @property
    def difference(self) -> float:
        return float(np.average([b.mean() - a.mean() for a, b in self.bands], weights=self.weights))


def time_saved(annotations: pl.DataFrame, *, seed: int = 0) -> dict[str, Any]:
    """`annotations` has a row an annotation: annotator, arm, lead_time (seconds), score.

    `ratio` is seconds with a prediction / seconds without, geometric; `saved` is 1 - ratio. Both are null, with a
    `note`, where nobody has LEAST annotations of both arms.
    """
    told = (pl.col("lead_time") > 0) & (pl.col("annotator") != "")
    timed = annotations.filter(told, pl.col("arm").is_in(["blind", "plain"])).with_columns(band())
    people = [_person(str(name), rows) for (name,), rows in timed.group_by(["annotator"], maintain_order=True)]
    people.sort(key=lambda it: it.name)
    compared = [it for it in people if it.compared]
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
            "blind": it.blind,
            "plain": it.plain,
            "ratio": math.exp(it.difference) if it.compared else None,
        }
        for it in people
    ]
    found["note"] = ""
    if not compared:
        found["note"] = f"Nobody has {LEAST} timed annotations both with a prediction and without."
        return found
    weights = np.array([it.weights.sum() for it in compared])
    ratio = math.exp(float(np.average([it.difference for it in compared], weights=weights)))
    low, high = (math.exp(end) for end in _interval(compared, weights, seed))
    found |= {"ratio": ratio, "low": low, "high": high}
    found |= {"saved": 1 - ratio, "saved_low": 1 - high, "saved_high": 1 - low}
    if len(compared) < 3:
        found["note"] = f"Only {len(compared)} of {len(people)} people could be compared: others may gain more or less."
    return found


def _person(name: str, rows: pl.DataFrame) -> _Person:
    middle = math.log(float(rows["lead_time"].median()))  # type: ignore[arg-type]  # it has rows

    def bounded(some: pl.DataFrame) -> Floats:
        return np.clip(np.log(some["lead_time"].to_numpy()), middle - BOUND, middle + BOUND)

    parts = rows.partition_by("arm", "band", as_dict=True)
    blind, plain = ({band: part for (of, band), part in parts.items() if of == arm} for arm in ("blind", "plain"))
    both = tuple(
        (bounded(blind[it]), bounded(plain[it])) for it in range(len(BANDS) + 1) if it in blind and it in plain
    )
    numbers = [sum(part.height for part in arm.values()) for arm in (blind, plain)]
    return _Person(name, numbers[0], numbers[1], both)


def _interval(people: list[_Person], weights: Floats, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    drawn = np.stack([_differences(it, rng) for it in people], axis=1)  # (R, people)
    times = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=RESAMPLES) * weights
    low, high = percentile_interval((drawn * times).sum(axis=1, keepdims=True) / times.sum(axis=1, keepdims=True))
    return float(low[0]), float(high[0])


def _differences(person: _Person, rng: np.random.Generator) -> Floats:
    """(RESAMPLES,)"""
    drawn = [_means(plain, rng) - _means(blind, rng) for blind, plain in person.bands]
    return np.average(np.stack(drawn), axis=0, weights=person.weights)


def _means(values: Floats, rng: np.random.Generator) -> Floats:
    """(RESAMPLES,) means of the values drawn with replacement."""
    n = len(values)
    if n > _EXACT:
        return rng.normal(values.mean(), values.std(ddof=1) / math.sqrt(n), RESAMPLES)
    return values[rng.integers(0, n, (RESAMPLES, n))].mean(axis=1)
