"""Agreement over a million judgements: our time, the `krippendorff` package's, and the ratio.

    .venv/bin/python tests/benchmarks/bench_agreement.py [judgements]

`krippendorff` is GPL, so Tiebreak neither ships nor needs it: install it yourself (`pip install krippendorff`, in an
environment of your own) to see it beside ours; without it only our figures are shown.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from ml_backend.labeling.agreement import agreement, krippendorff_alpha
from ml_backend.labeling.coefficients import interval_distance, nominal_distance, ordinal_distance
from ml_backend.labeling.config import parse
from ml_backend.labeling.judgements import SCHEMA

EACH, LABELS, PEOPLE = 5, 5, 200


def best_of(times: int, work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the fastest run, and what it returned."""
    seconds, result = float("inf"), None
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds, result


def crowd(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(n // EACH), EACH)
    truth = rng.integers(LABELS, size=n // EACH)
    values = np.where(rng.random(len(units)) < 0.8, truth[units], rng.integers(LABELS, size=len(units)))
    people = (rng.integers(PEOPLE, size=n // EACH)[:, None] + 7 * np.arange(EACH)) % PEOPLE
    return units, people.ravel(), values


def table(units: np.ndarray, people: np.ndarray, values: np.ndarray) -> pl.DataFrame:
    columns = {
        "task": units,
        "control": pl.repeat("label", len(units), eager=True),
        "annotator": np.array([f"annotator{n}@example.com" for n in range(PEOPLE)])[people],
        "answer": np.array([f'["{label}"]' for label in range(LABELS)])[values],
        "annotation": np.arange(1, len(units) + 1),
    }
    empty = [pl.lit(None, dtype=kind).alias(name) for name, kind in SCHEMA.items() if name not in columns]
    return pl.DataFrame(columns).with_columns(empty).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def main(n: int) -> None:
    say = sys.stdout.write
    units, people, values = crowd(n)
    numbers = np.arange(LABELS, dtype=float)
    distances = {
        "nominal": nominal_distance(LABELS),
        "ordinal": ordinal_distance(np.bincount(values)),
        "interval": interval_distance(numbers),
    }
    try:
        import krippendorff
    except ImportError:
        krippendorff = None
        say("The krippendorff package is not installed: only our figures (see this file's first lines).\n")
    matrix = np.full((PEOPLE, n // EACH), np.nan)
    matrix[people, units] = values
    say(f"{len(units):,} judgements of {n // EACH:,} tasks, {LABELS} labels, {PEOPLE} annotators\n")
    for scale, distance in distances.items():
        ours, alpha = best_of(5, lambda d=distance: krippendorff_alpha(units, values, d))
        say(f"alpha, {scale:<8}  ours {1000 * ours:6.0f} ms  {alpha:.6f}")
        if krippendorff is not None:
            theirs, other = best_of(
                3, lambda s=scale: krippendorff.alpha(matrix, value_domain=numbers, level_of_measurement=s)
            )
            say(f"   krippendorff {1000 * theirs:6.0f} ms  {other:.6f}   {theirs / ours:.1f} times faster")
        say("\n")
    rows = table(units, people, values)
    choices = "".join(f'<Choice value="{label}"/>' for label in range(LABELS))
    config = parse(f'<View><Text name="t" value="$t"/><Choices name="label" toName="t">{choices}</Choices></View>')
    seconds, found = best_of(2, lambda: agreement(rows, config))
    control = found.controls["label"]
    say(f"everything, with 1,000 resamples and {PEOPLE} annotators: {seconds:.2f} s ")
    say(f"(alpha {control.alpha:.4f}, 95 % {control.alpha_low:.4f} to {control.alpha_high:.4f})\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
