"""How many of the hundred hardest cases are wrong labels, beside cleanlab and a ranking by agreement alone; and the
time and memory that a million judgements take.

    .venv/bin/python tests/benchmarks/bench_hard_cases.py [FILE] [--judgements N]

FILE (Parquet or CSV): labelled texts (columns text and label), or a crowd's judgements, one a row (item_id,
annotator_id, label, text, and gold, null where unknown). The demo's reviews without one, both ways. Where no gold is
known, two judgements of an item are shown and the majority of its others, three at least, is the truth.

cleanlab is shown on out-of-fold probabilities of our model, and of a plain regression on the same vectors. A precision
among equals is the expected one, in random order.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score, roc_auc_score

from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import ModelUnavailable, NotEnoughLabels
from ml_backend.labeling.results import Annotation, Task
from ml_backend.settings import load_settings
from sdk_scripts.evidence import Evidence
from sdk_scripts.hard_cases import find_hard_cases
from sdk_scripts.signal_weights import learn_weights
from sdk_scripts.signals import SIGNALS
from sdk_scripts.sources import Dataset

TOP = 100
NOISE = (0.05, 0.1)
CROWD = 40
SKILL = (0.5, 0.95)
SHOWN, OTHERS = 2, 3
REVIEWED, AUDITED = 200, 100
"""The hardest cases that are reviewed, and further ones drawn at random."""
MOST = 6_000  # texts that are encoded
say = sys.stdout.write
Votes = Mapping[str, str]
"""Annotator -> label."""


def config_of(labels: Sequence[str]) -> LabelConfig:
    choices = "".join(f'<Choice value="{label}"/>' for label in labels)
    return parse(
        f'<View><Text name="text" value="$text"/><Choices name="label" toName="text">{choices}</Choices></View>'
    )


def dataset(texts: Sequence[str], votes: Sequence[Votes], labels: Sequence[str]) -> Dataset:
    tasks = []
    for number, (text, given) in enumerate(zip(texts, votes, strict=True), start=1):
        annotations = tuple(
            Annotation(number * 100 + place, who, ({"from_name": "label", "value": {"choices": [label]}},))
            for place, (who, label) in enumerate(given.items())
        )
        tasks.append(Task(number, {"text": text} if text else {}, annotations))
    return Dataset("benchmark", config_of(labels), tasks)


def precision(scores: np.ndarray, wrong: np.ndarray, top: int = TOP) -> float:
    """Of the first `top` by score."""
    levels = np.unique(scores)[::-1]
    hits, left = 0.0, min(top, len(scores))
    for level in levels:
        same = wrong[scores == level]
        hits += min(left, len(same)) * float(same.mean())
        left -= min(left, len(same))
        if not left:
            break
    return hits / min(top, len(scores))


def ranked(evidence: Evidence, n: int, **options: Mapping[str, float]) -> np.ndarray:
    scores = np.zeros(n)
    for case in find_hard_cases(evidence.dataset, evidence, **options):
        scores[case.task - 1] = case.harm
    return scores


def suspicions(name: str, evidence: Evidence, n: int) -> np.ndarray | None:
    scores = np.zeros(n)
    try:
        for task, suspicion in SIGNALS[name](evidence).items():
            scores[task - 1] = suspicion.score
    except (NotEnoughLabels, ModelUnavailable):
        return None
    return scores


def injected(texts: Sequence[str], labels: Sequence[str]) -> None:
    """One label a text, some of them exchanged for another."""
    names = sorted(set(labels))
    truth = np.array([names.index(label) for label in labels])
    n = len(truth)
    say(f"{n:,} texts, {len(names)} classes, one label each; a share of the labels made wrong\n")
    say("                                      wrong   AUROC      AP   P@100\n")
    for share in NOISE:
        rng = np.random.default_rng(0)
        wrong = rng.random(n) < share
        given = np.where(wrong, (truth + rng.integers(1, len(names), n)) % len(names), truth)
        made = dataset(texts, [{"a": names[label]} for label in given], names)
        evidence = Evidence.collect(made, load_settings())
        ways = {
            "random": np.zeros(n),
            **_cleanlab(evidence, names, given),
            "label_error": suspicions("label_error", evidence, n),
            "the whole ranking": ranked(evidence, n),
        }
        for way, scores in ways.items():
            if scores is not None:
                auroc, ap = roc_auc_score(wrong, scores), average_precision_score(wrong, scores)
                say(f"  {way:<34} {wrong.mean():6.3f}  {auroc:6.3f}  {ap:6.3f}  {precision(scores, wrong):6.2f}\n")


def _cleanlab(evidence: Evidence, names: Sequence[str], given: np.ndarray) -> dict[str, np.ndarray]:
    from cleanlab.rank import get_label_quality_scores
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    opinions = evidence.opinions["label"]
    rows = [[opinions[task].probabilities.get(name, 0.0) for name in names] for task in evidence.tasks]
    vectors = evidence.encoder.encode(list(evidence.texts.values()))
    sources = {
        "our model": np.array(rows) / np.sum(rows, axis=1, keepdims=True),
        "regression": cross_val_predict(LogisticRegression(max_iter=300), vectors, given, method="predict_proba"),
    }
    return {
        f"cleanlab, {source}, {short}": -get_label_quality_scores(given, probabilities, method=way)
        for source, probabilities in sources.items()
        for short, way in (("confidence", "self_confidence"), ("margin", "normalized_margin"))
    }


def simulated(texts: Sequence[str], labels: Sequence[str], each: int) -> None:
    """Annotators of differing skill, whose errors have nothing to do with the text."""
    names = sorted(set(labels))
    rng = np.random.default_rng(0)
    skill = rng.uniform(*SKILL, CROWD)
    votes: list[Votes] = []
    for label in labels:
        people = rng.choice(CROWD, each, replace=False)
        others = [name for name in names if name != label]
        votes.append(
            {f"p{who}": label if rng.random() < skill[who] else str(rng.choice(others)) for who in people.tolist()}
        )
    say(f"{len(texts):,} texts, {each} of {CROWD} simulated annotators each, skills {SKILL[0]} to {SKILL[1]}\n")
    compare(texts, votes, list(labels), names)


def compare(texts: Sequence[str], votes: Sequence[Votes], truth: Sequence[str | None], names: Sequence[str]) -> None:
    """Wrong answers among the first hundred, by our ranking and by the share of votes alone: of our consensus, and of a
    plain majority, whose errors our consensus has mended in part, so that our ranking no longer looks for them."""
    made = dataset(texts, votes, names)
    evidence = Evidence.collect(made, load_settings()) if any(texts) else Evidence(made)
    n = len(texts)
    kept = dict(evidence.consensus.items.select("task", "answer").iter_rows())
    known = np.array([label is not None for label in truth])
    wrong = np.array([kept.get(i + 1) != f'["{label}"]' for i, label in enumerate(truth)])[known]
    tallies = [np.unique(list(given.values()), return_counts=True)[1] for given in votes]
    majority = np.array([_most_voted(given, names) != label for given, label in zip(votes, truth, strict=True)])[known]
    every = np.array([1 - tally.max() / tally.sum() for tally in tallies])
    agreement = every[known]
    ours = ranked(evidence, n)[known]
    top = TOP if known.sum() >= 10 * TOP else int(known.sum()) // 10
    say(f"first {top} of {known.sum():,}                     wrong  agreement alone  our ranking   lift\n")
    for what, errors in {"of the consensus": wrong, "of the majority": majority}.items():
        before, after = precision(agreement, errors, top), precision(ours, errors, top)
        lift = after / before if before else float("nan")
        say(f"  {what:<30} {errors.mean():6.3f}  {before:15.2f}  {after:11.2f}  {lift:5.2f}\n")
    alone = {name: scores for name in SIGNALS if (scores := suspicions(name, evidence, n)) is not None}
    found = [f"{name} {precision(s[known], wrong, top):.2f}" for name, s in alone.items() if s[known].any()]
    learned(evidence, dict(zip((np.flatnonzero(known) + 1).tolist(), wrong.tolist(), strict=True)), every, n)
    say(f"  of the consensus, by one signal alone: {', '.join(found)}\n")


def learned(evidence: Evidence, wrong: Mapping[int, bool], agreement: np.ndarray, n: int) -> None:
    """Half of the tasks is reviewed, as far as the budget goes; what that teaches ranks the other half."""
    if len(wrong) < 10 * TOP:
        return
    draw = random.Random(0)
    half = set(draw.sample(sorted(wrong), len(wrong) // 2))
    listed = [case for case in find_hard_cases(evidence.dataset, evidence) if case.task in half]
    reviewed = [*listed[:REVIEWED], *draw.sample(listed[REVIEWED:], min(AUDITED, len(listed[REVIEWED:])))]
    told = [({reason.signal: reason.score for reason in case.reasons}, wrong[case.task]) for case in reviewed]
    weights = learn_weights(told, {name: signal.weight for name, signal in SIGNALS.items()})
    other = np.array([task - 1 for task in sorted(wrong) if task not in half])
    errors = np.array([wrong[task + 1] for task in other.tolist()])
    before, after = (ranked(evidence, n, learned=it)[other] for it in ({}, weights))
    figures = [precision(it, errors) for it in (agreement[other], before, after)]
    say(f"  {len(reviewed)} reviews of one half, first {TOP} of the other: agreement alone {figures[0]:.2f}, ")
    say(f"own weights {figures[1]:.2f}, learned weights {figures[2]:.2f}\n")


def _most_voted(votes: Votes, names: Sequence[str]) -> str:
    given = list(votes.values())
    return max(names, key=given.count)


def crowd(table: pl.DataFrame) -> None:
    """A real one."""
    table = table.with_columns(pl.col("label").cast(pl.String)).unique(
        ["item_id", "annotator_id"], keep="last", maintain_order=True
    )
    has_gold = "gold" in table.columns and table["gold"].is_not_null().any()
    texts, votes, truth = [], [], []
    draw = random.Random(0)  # a reproducible draw
    for rows in table.partition_by("item_id", maintain_order=True):
        given = list(zip(rows["annotator_id"].cast(pl.String), rows["label"], strict=True))
        right = rows["gold"][0] if has_gold else None
        if not has_gold:
            draw.shuffle(given)
            labels, counts = np.unique([label for _, label in given[SHOWN:]], return_counts=True)
            clear = len(given) >= SHOWN + OTHERS and (counts == counts.max()).sum() == 1
            right, given = (str(labels[counts.argmax()]) if clear else None), given[:SHOWN]
        text = str(rows["text"][0])
        texts.append("" if text == str(rows["item_id"][0]) else text)
        votes.append(dict(given))
        truth.append(None if right is None else str(right))
    names = table["label"].unique().sort().to_list()
    known = sum(label is not None for label in truth)
    shown = f"{SHOWN} judgements of each" if not has_gold else f"{len(table):,} judgements"
    say(f"{len(texts):,} items of a real crowd, {shown}; the truth of {known:,} is known\n")
    compare(texts, votes, truth, names)


def million(judgements: int) -> None:
    """Three judgements a task; what runs without an encoder."""
    rng, draw = np.random.default_rng(0), random.Random(0)  # reproducible
    labels = ["allow", "fake", "reject", "spam", "unsure"]
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(20_000)]
    skill = rng.uniform(0.6, 0.95, 200)

    def votes() -> Iterator[Votes]:
        for number in range(judgements // 3):
            right = draw.choice(labels)
            people = [(number * 7 + place * 13) % 200 for place in range(3)]
            yield {f"p{it}@example.com": right if draw.random() < skill[it] else draw.choice(labels) for it in people}

    texts = [" ".join(draw.choices(words, k=draw.randint(8, 25))) for _ in range(judgements // 3)]
    made = dataset(texts, list(votes()), labels)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    start = time.perf_counter()
    found = find_hard_cases(made, Evidence(made))
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    say(f"{judgements:,} judgements of {len(texts):,} texts: {found.total:,} cases ranked in {seconds:.1f} s; ")
    say(f"{memory:.2f} GB in all, {before:.2f} GB of them the tasks\n")


def reviews() -> pl.DataFrame:
    """The demo's: nine ratings of each, and what most of the twenty saw."""
    from sdk_scripts.demo_data import SLOTS, fetch, read_archive, sentiment

    rows = [
        {"item_id": it.key, "annotator_id": f"slot{slot}", "label": sentiment(it.ratings[slot]), "text": it.text}
        | {"gold": it.truth}
        for it in read_archive(fetch(load_settings().folder("downloads")))
        for slot in range(SLOTS)[::3]
        if it.truth
    ]
    return pl.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", metavar="FILE", type=Path, nargs="?")
    parser.add_argument("--judgements", metavar="N", type=int, default=1_000_000, help="0: no such run")
    options = parser.parse_args()
    if options.file is None:
        table = reviews()
    else:
        table = (pl.read_csv if options.file.suffix == ".csv" else pl.read_parquet)(options.file)
    judged = {"item_id", "annotator_id"} <= set(table.columns)
    label = "gold" if judged else "label"
    with_text = table.filter(pl.col("text").is_not_null() & pl.col(label).is_not_null())
    if judged:
        with_text = with_text.filter(pl.col("text") != pl.col("item_id")).unique("item_id", maintain_order=True)
    if len(with_text):
        chosen = with_text.sample(min(MOST, len(with_text)), seed=0)
        texts, labels = chosen["text"].to_list(), chosen[label].cast(pl.String).to_list()
        injected(texts, labels)
        for each in (2, 3):
            simulated(texts, labels, each)
    if judged:
        crowd(table)
    if options.judgements:
        million(options.judgements)


if __name__ == "__main__":
    main()
