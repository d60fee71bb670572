"""Labels to come within a point of the accuracy with all of them: in random order, by the model's margin, and ours.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_active_learning.py DATA.parquet

DATA is Parquet or CSV, one labelled text a row. All three learn with the same head, a logistic regression over the
encoder's vectors and a reduced TF-IDF, so that the order alone makes the difference; ours spends a tenth of its labels
on texts picked at random.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from ml_backend.encoder import load_encoder
from ml_backend.labeling.confidence import uncertainty
from ml_backend.logs import set_up_logs
from ml_backend.settings import load_settings
from sdk_scripts.backtest.active import (
    MOST_POOL,
    MOST_TEST,
    WITHIN,
    Chooser,
    Material,
    Run,
    at_random,
    doubted,
    labels_to,
    material_of,
    probabilities,
    replay,
)


def by_margin(material: Material, run: Run, unlabelled: np.ndarray, wanted: int) -> np.ndarray:
    if run.model is None:
        return unlabelled[:wanted]
    doubt = uncertainty(probabilities(material, run.model, unlabelled)).margin
    return unlabelled[np.argsort(-doubt, kind="stable")[:wanted]]


WAYS: dict[str, Chooser] = {"random order": at_random, "margin": by_margin, "ours": doubted}


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    set_up_logs("ERROR")  # stdout is for the figures
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    table = (pl.read_parquet if options.data.suffix == ".parquet" else pl.read_csv)(options.data)
    table = table.select(pl.col(options.text).alias("text"), pl.col(options.label).cast(pl.String).alias("label"))
    table = table.drop_nulls().unique("text", keep="first", maintain_order=True)
    table = table.sample(fraction=1, shuffle=True, seed=options.seed).head(MOST_POOL + MOST_TEST)
    texts, names = table["text"].to_list(), sorted(set(table["label"]))
    codes = np.array([names.index(label) for label in table["label"]])
    material = material_of(texts, load_encoder(load_settings()).encode(texts), codes)
    rows = np.arange(len(texts))
    pool, test = rows[: 2 * len(rows) // 3], rows[2 * len(rows) // 3 :]
    say(f"{len(pool):,} texts to label, {len(test):,} to measure on, {len(names)} classes")
    target, by_chance = 2.0, None
    for name, chooser in WAYS.items():
        began = time.process_time()
        curve = replay(material, pool, test, chooser, seed=options.seed, until=target)
        seconds = time.process_time() - began
        if by_chance is None:
            target = curve[-1][1] - WITHIN
            by_chance = labels_to(target, curve)
            say(f"accuracy with all of them {curve[-1][1]:.3f}, target {target:.3f}")
            say(f"{'':14} {'labels':>7} {'of random':>9} {'CPU s':>6}")
        needed = labels_to(target, curve)
        share = f"{needed / by_chance:9.2f}" if needed and by_chance else f"{'–':>9}"
        say(f"{name:14} {needed if needed else '–':>7} {share} {seconds:6.1f}")


if __name__ == "__main__":
    main()
