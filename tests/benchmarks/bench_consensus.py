"""Consensus: ours beside majority, crowd-kit's Dawid-Skene and cleanlab's CROWDLAB; and a million judgements.

    .venv/bin/python tests/benchmarks/bench_consensus.py [FILE]

Without a FILE: simulated crowds without texts, then time and memory. A FILE (Parquet or CSV) with the columns text and
label gets 40 simulated annotators of different quality, two to a text; one with several judgements an item (the columns
item_id, annotator_id, label and gold, null where unknown) is measured as it is.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.metrics import roc_auc_score

from ml_backend.joint_consensus import consensus_with_texts, priors_of
from ml_backend.labeling.annotator_models import MAJORITY, Fit, Votes, temper
from ml_backend.labeling.answers import write_answers
from ml_backend.labeling.confidence import expected_calibration_error
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.consensus import Consensus, consensus
from ml_backend.labeling.judgements import SCHEMA, judgements
from ml_backend.labeling.label_probabilities import LabelProbabilities
from ml_backend.labeling.model_choice import choose
from ml_backend.labeling.published_models import crowdlab, dawid_skene
from ml_backend.labeling.results import Annotation, Task

MOST_TEXTS = 6_000
PEOPLE, EACH = 40, 2
MILLION = 1_000_000
say = sys.stdout.write

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
        say(f"{name}\n")
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
            say(
                f"  {way:<24} accuracy {np.mean(accuracy):.3f}  ECE {np.mean(error):.3f}  {seconds:.2f} s"
                f"  {', '.join(sorted(set(filter(None, models))))}\n"
            )


def asking(labels: list[str]) -> LabelConfig:
    choices = "".join(f"<Choice value={json.dumps(label)}/>" for label in labels)
    return parse(f'<View><Text name="t" value="$text"/><Choices name="label" toName="t">{choices}</Choices></View>')


def figures(way: str, seconds: float, confidence: np.ndarray, right: np.ndarray, more: str = "") -> None:
    error = expected_calibration_error(np.clip(confidence, 0, 1), right)
    wrong = roc_auc_score(right, confidence) if 0 < right.sum() < len(right) else float("nan")
    say(f"{way:<24} accuracy {right.mean():.3f}  ECE {error:.3f}  AUROC {wrong:.3f}  {seconds:5.1f} s  {more}\n")


def coverage(found: Consensus, true: dict[str, float]) -> str:
    """How many of the intervals of annotator quality hold the truth."""
    people = found.annotators.drop_nans("quality")
    inside = [row["low"] <= true[row["annotator"]] <= row["high"] for row in people.iter_rows(named=True)]
    return f"intervals that hold: {np.mean(inside):.2f}"


def with_texts(texts: list[str], labels: list[str]) -> None:
    """Every method on the same judgements of simulated annotators; CROWDLAB with our out-of-fold classifier."""
    from ml_backend.encoder import load_encoder
    from ml_backend.settings import load_settings
    from ml_backend.training import out_of_fold

    encoder = load_encoder(load_settings())
    names = sorted(set(labels))
    config = asking(names)
    truth = np.array([names.index(label) for label in labels])
    votes, skill = raters(truth, len(names))
    marks: list[list[Annotation]] = [[] for _ in texts]
    for number, (unit, person, value) in enumerate(zip(votes.unit, votes.annotator, votes.value, strict=True), 1):
        regions = tuple(write_answers(config, {"label": (names[value],)}))
        marks[unit].append(Annotation(number, f"p{person}", regions))
    tasks = [Task(place, {"text": text}, tuple(marks[place])) for place, text in enumerate(texts)]
    table = judgements(tasks, config)
    true = {f"p{person}": accuracy for person, accuracy in enumerate(skill)}
    keys = np.array([json.dumps([label], separators=(",", ":"), ensure_ascii=False) for label in labels])
    say(f"{len(texts)} texts, {len(names)} labels, {PEOPLE} simulated annotators, {EACH} to a text\n")

    def ours(way: str, work: Callable[[], Consensus]) -> None:
        start = time.perf_counter()
        found = work()
        seconds = time.perf_counter() - start
        items = found.items.sort("task")
        more = f"{coverage(found, true)}  {found.controls['label'].method}"
        figures(way, seconds, items["confidence"].to_numpy(), items["answer"].to_numpy() == keys, more)

    ours("majority", lambda: consensus(table, config, method="majority"))
    ours("dawid-skene (crowd-kit)", lambda: consensus(table, config, method="dawid-skene"))
    ours("auto, without texts", lambda: consensus(table, config))
    start = time.perf_counter()
    prior = priors_of(config, out_of_fold(config, tasks, encoder))["label"]
    seen = np.full((len(texts), len(names)), 1 / len(names))
    seen[np.ix_(prior.tasks, [names.index(label) for label in prior.labels])] = prior.values
    figures("the classifier alone", time.perf_counter() - start, seen.max(axis=1), seen.argmax(axis=1) == truth)
    fit = crowdlab(Votes(**{**vars_of(votes), "texts": np.log(np.clip(seen, 1e-6, 1))}))
    figures(
        "CROWDLAB (cleanlab)",
        time.perf_counter() - start,
        fit.posterior.max(axis=1),
        fit.posterior.argmax(axis=1) == truth,
    )
    ours("auto, with texts", lambda: consensus_with_texts(config, tasks, encoder))


def vars_of(votes: Votes) -> dict:
    return {name: getattr(votes, name) for name in Votes.__dataclass_fields__}


def raters(truth: np.ndarray, labels: int) -> tuple[Votes, np.ndarray]:
    """Judgements and the annotators' accuracies."""
    rng = np.random.default_rng(0)
    skill = rng.uniform(0.4, 0.95, PEOPLE)
    unit = np.repeat(np.arange(len(truth)), EACH)
    person = np.concatenate([rng.choice(PEOPLE, EACH, replace=False) for _ in truth])
    wrong = (truth[unit] + rng.integers(1, labels, len(unit))) % labels
    value = np.where(rng.random(len(unit)) < skill[person], truth[unit], wrong)
    return Votes(unit, person, value, len(truth), PEOPLE, labels, np.full(len(truth), -1)), skill


def real(data: pl.DataFrame) -> None:
    data = data.with_row_index("annotation")
    tasks = {item: number for number, item in enumerate(data["item_id"].unique(maintain_order=True))}
    columns = data.select(
        task=pl.col("item_id").replace_strict(tasks, return_dtype=pl.Int64),
        control=pl.lit("label"),
        annotator=pl.col("annotator_id").cast(pl.String),
        answer=pl.Series([json.dumps([str(label)]) for label in data["label"]]),
        annotation=pl.col("annotation"),
    )
    table = filled(columns)
    config = asking([str(label) for label in data["label"].unique().sort()])
    gold = data.filter(pl.col("gold").is_not_null()).unique("item_id")
    truth = {tasks[item]: json.dumps([str(label)]) for item, label in gold.select("item_id", "gold").iter_rows()}
    say(f"{table.height} judgements of {len(tasks)} items by {table['annotator'].n_unique()} people\n")
    for method in ("majority", "dawid-skene", "auto"):
        start = time.perf_counter()
        found = consensus(table, config, method=method)
        seconds = time.perf_counter() - start
        known = found.items.filter(pl.col("task").is_in(list(truth)))
        right = np.array([answer == truth[task] for task, answer in known.select("task", "answer").iter_rows()])
        how = found.controls["label"]
        if len(right):
            figures(method, seconds, known["confidence"].to_numpy(), right, f"of {len(right)}")
        say(f"{'':<24} {how.method}: {how.reason}\n")


def filled(columns: pl.DataFrame) -> pl.DataFrame:
    empty = [pl.lit(None, dtype=kind).alias(name) for name, kind in SCHEMA.items() if name not in columns.columns]
    return columns.with_columns(empty).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def million(n: int, labels: int, read: bool) -> None:
    """Seconds and the whole process's peak memory of the consensus of n judgements, three to a task."""
    rng = np.random.default_rng(0)
    truth = rng.integers(labels, size=n // 3)
    unit = np.repeat(np.arange(len(truth)), 3)
    person = rng.integers(0, 500, len(truth))[:, None] + np.arange(3) * 7
    right = rng.random(len(unit)) < rng.uniform(0.5, 0.95, 600)[person.ravel()]
    value = np.where(right, truth[unit], rng.integers(labels, size=len(unit)))
    table = filled(
        pl.DataFrame(
            {
                "task": unit,
                "control": pl.repeat("label", len(unit), eager=True),
                "annotator": np.array([f"annotator{n}@example.com" for n in range(600)])[person.ravel()],
                "answer": np.array([f'["l{label}"]' for label in range(labels)])[value],
                "annotation": np.arange(1, len(unit) + 1),
            }
        )
    )
    priors = None
    if read:
        logits = rng.normal(size=(len(truth), labels))
        logits[np.arange(len(truth)), truth] += 2
        probable = np.exp(2 * logits)
        probable /= probable.sum(axis=1, keepdims=True)
        names = tuple(f"l{label}" for label in range(labels))
        priors = {"label": LabelProbabilities(np.arange(len(truth)), names, probable)}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    found = consensus(table, asking([f"l{label}" for label in range(labels)]), priors=priors)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    hits = np.mean(found.items.sort("task")["answer"].to_numpy() == np.array([f'["l{label}"]' for label in truth]))
    say(
        f"{n:>9,} judgements, {labels:>2} labels, {'with' if read else 'without':<7} texts: {seconds:5.1f} s, peak "
        f"{peak / 1e6:.2f} GB ({before / 1e6:.2f} before)  accuracy {hits:.3f}  {found.controls['label'].method}\n"
    )


def apart(n: int, labels: int, read: bool) -> None:
    """In a process of its own, whose peak memory is its own."""
    command = [sys.executable, __file__, "--million", str(n), str(labels), str(int(read))]
    say(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--million"]:
        n, labels, read = map(int, arguments[1:])
        million(n, labels, bool(read))
    elif arguments:
        path = Path(arguments[0])
        data = pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)
        if {"item_id", "annotator_id", "gold"} <= set(data.columns) and data["item_id"].is_duplicated().any():
            real(data)
            return
        data = data.drop_nulls(["text", "label"])
        data = data.sample(min(MOST_TEXTS, data.height), seed=0)
        with_texts(data["text"].to_list(), data["label"].cast(pl.String).to_list())
    else:
        simulate(3)
        for n in (MILLION // 4, MILLION):
            for labels in (3, 20):
                for read in (False, True):
                    apart(n, labels, read)


if __name__ == "__main__":
    main(sys.argv[1:])
