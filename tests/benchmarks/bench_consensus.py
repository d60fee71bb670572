"""Consensus on simulated crowds: accuracy and calibration error by method, and seconds; ours beside crowd-kit's.

    .venv/bin/python tests/benchmarks/bench_consensus.py [seeds]
    .venv/bin/python tests/benchmarks/bench_consensus.py DATA.parquet

DATA has the columns item_id, annotator_id, label and gold (null where unknown): one judgement a row.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from ml_backend.labeling.annotator_models import MAJORITY, Fit, Votes, dawid_skene, temper
from ml_backend.labeling.confidence import expected_calibration_error
from ml_backend.labeling.config import parse
from ml_backend.labeling.consensus import METHODS, consensus
from ml_backend.labeling.judgements import SCHEMA
from ml_backend.labeling.model_choice import choose

CROWDS: dict[str, dict] = {
    "skills differ, 3 each": {},
    "skills differ, 2 each": {"each": 2},
    "skills differ, 5 each": {"each": 5},
    "few judgements a person": {"tasks": 600, "people": 400, "labels": 2, "low": 0.55},
    "a rare class": {"labels": 2, "prior": (0.9, 0.1), "low": 0.6},
    "own confusions": {"confused": True, "each": 4, "people": 15, "labels": 5},
    "40 % spammers": {"each": 5, "spammers": 0.4},
    "hard tasks": {"each": 5, "hard": 0.25},
    "77 classes": {"labels": 77, "each": 2, "tasks": 3000},
    "poor people": {"each": 5, "low": 0.3, "high": 0.6},
}


def crowd(
    seed: int,
    tasks: int = 1000,
    people: int = 40,
    labels: int = 4,
    each: int = 3,
    low: float = 0.5,
    high: float = 0.95,
    prior: tuple[float, ...] | None = None,
    confused: bool = False,
    spammers: float = 0.0,
    hard: float = 0.0,
) -> tuple[Votes, np.ndarray]:
    """Votes and the truth. `hard`: the mean chance that a judgement follows a wrong lead shared by all."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(labels, tasks, p=prior)
    chance = np.zeros((people, labels, labels))
    for person in range(people):
        skill = rng.uniform(low, high)
        for label in range(labels):
            right = float(np.clip(skill + rng.normal(0, 0.15), 0.2, 0.99)) if confused else skill
            wrong = rng.dirichlet(np.full(labels - 1, 0.5)) if confused else np.full(labels - 1, 1 / (labels - 1))
            chance[person, label] = np.insert(wrong * (1 - right), label, right)
        if person < spammers * people:
            chance[person] = np.eye(labels)[person % labels] if person % 2 else 1 / labels
    unit = np.repeat(np.arange(tasks), each)
    person = np.concatenate([rng.choice(people, each, replace=False) for _ in range(tasks)])
    likely = chance[person, truth[unit]]
    if hard:
        difficulty, lead = (
            rng.beta(1, 1 / hard - 1, tasks)[unit, None],
            np.eye(labels)[rng.integers(labels, size=tasks)],
        )
        likely = likely * (1 - difficulty) + difficulty * lead[unit]
    value = (likely.cumsum(axis=1) > rng.random((len(unit), 1))).argmax(axis=1)
    return Votes(unit, person, value, tasks, people, labels, np.full(tasks, -1)), truth


def auto(votes: Votes) -> tuple[str, np.ndarray]:
    chosen = choose(votes, seed=0)
    return chosen.model.name, temper(chosen.model.fit(votes).posterior, chosen.temperature)


def named(name: str, fit: Callable[[Votes], Fit]) -> Callable[[Votes], tuple[str, np.ndarray]]:
    return lambda votes: (name, fit(votes).posterior)


WAYS = {"majority": named("", MAJORITY.fit), "dawid-skene (crowd-kit)": named("", dawid_skene), "auto": auto}


def simulate(seeds: int) -> None:
    dawid_skene(crowd(0, tasks=20)[0])  # its import takes seconds
    for name, made in CROWDS.items():
        sys.stdout.write(f"{name}\n")
        crowds = [crowd(seed, **made) for seed in range(seeds)]
        for way, decide in WAYS.items():
            start = time.perf_counter()
            accuracy, error, models = [], [], []
            for votes, truth in crowds:
                model, posterior = decide(votes)
                given = np.where(votes.counts > 0, posterior, -1)
                right = given.argmax(axis=1) == truth
                accuracy.append(right.mean())
                error.append(expected_calibration_error(np.clip(given.max(axis=1), 0, 1), right))
                models.append(model)
            seconds = (time.perf_counter() - start) / seeds
            sys.stdout.write(
                f"  {way:<24} accuracy {np.mean(accuracy):.3f}  ECE {np.mean(error):.3f}  {seconds:.2f} s"
                f"  {', '.join(sorted(set(filter(None, models))))}\n"
            )


def measure(path: Path) -> None:
    data = pl.read_parquet(path).with_row_index("annotation")
    tasks = {item: number for number, item in enumerate(data["item_id"].unique(maintain_order=True))}
    columns = data.select(
        task=pl.col("item_id").replace_strict(tasks, return_dtype=pl.Int64),
        control=pl.lit("label"),
        annotator=pl.col("annotator_id").cast(pl.String),
        answer=pl.Series([json.dumps([str(label)]) for label in data["label"]]),
        annotation=pl.col("annotation"),
    )
    empty = [pl.lit(None, dtype=kind).alias(name) for name, kind in SCHEMA.items() if name not in columns.columns]
    table = columns.with_columns(empty).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    labels = "".join(f'<Choice value="{label}"/>' for label in data["label"].unique().sort())
    config = parse(f'<View><Text name="t" value="$t"/><Choices name="label" toName="t">{labels}</Choices></View>')
    gold = data.filter(pl.col("gold").is_not_null()).unique("item_id")
    truth = {tasks[item]: json.dumps([str(label)]) for item, label in gold.select("item_id", "gold").iter_rows()}
    for method in METHODS:
        start = time.perf_counter()
        found = consensus(table, config, method=method)
        seconds = time.perf_counter() - start
        known = found.items.filter(pl.col("task").is_in(list(truth)))
        right = np.array([answer == truth[task] for task, answer in known.select("task", "answer").iter_rows()])
        how = found.controls["label"]
        sys.stdout.write(f"{method:<12} {seconds:6.2f} s  {how.method}: {how.reason}\n")
        if len(right):
            error = expected_calibration_error(known["confidence"].to_numpy(), right)
            sys.stdout.write(f"{'':<12} accuracy {right.mean():.3f} of {len(right)}, ECE {error:.3f}\n")


if __name__ == "__main__":
    argument = sys.argv[1] if len(sys.argv) > 1 else "3"
    simulate(int(argument)) if argument.isdigit() else measure(Path(argument))
