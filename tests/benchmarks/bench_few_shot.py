"""Learning from few labels: accuracy and calibration on held-out texts, ours beside the usual ways, from one run.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_few_shot.py DATA.parquet --text text --label label

DATA is Parquet or CSV, one labelled text a row. With `--item COLUMN` there are several rows an item, one a rater:
models learn from `--raters` of them by majority and are tested on the majority of all. With `--bins=-0.5,0.5` numeric
labels become classes, cut there. Sizes are of random labels, or of labels a class with `--per-class`. AUROC is that of
telling wrong answers by their confidence; the last columns are differences in accuracy and macro-F1 to TF-IDF.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score

from ml_backend.encoder import Encoder, load_encoder
from ml_backend.labeling.confidence import expected_calibration_error
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.logs import set_up_logs
from ml_backend.prelabelers import Examples, Inputs, start
from ml_backend.prelabelers.few_shot import FewShot
from ml_backend.settings import load_settings

TEST = 2_000


@dataclass(frozen=True)
class Data:
    texts: list[str]
    votes: np.ndarray
    """(n, raters) class codes; one column where every text has one label."""
    names: list[str]

    @property
    def gold(self) -> np.ndarray:
        return majority(self.votes, len(self.names))[0]


@dataclass(frozen=True)
class Split:
    train: list[str]
    labels: np.ndarray
    weights: np.ndarray
    test: list[str]
    gold: np.ndarray
    names: list[str]
    config: LabelConfig
    encoder: Encoder


Answered = tuple[np.ndarray, np.ndarray]
"""Class codes and confidences of the test texts."""


def tfidf(split: Split) -> Answered:
    vectoriser = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    rows = vectoriser.fit_transform(split.train)
    return _regression(rows, split.labels, vectoriser.transform(split.test))


def embeddings(split: Split) -> Answered:
    return _regression(split.encoder.encode(split.train), split.labels, split.encoder.encode(split.test))


def _regression(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> Answered:
    model = LogisticRegression(C=10, max_iter=1_000).fit(train, labels)
    probabilities = model.predict_proba(test)
    return model.classes_[probabilities.argmax(axis=1)], probabilities.max(axis=1)


def zero_shot(split: Split) -> Answered:
    head = start(split.config, split.config["label"], split.encoder)
    assert head is not None
    return _codes(head.opinions(Inputs(split.test, split.encoder)), split)


def few_shot(split: Split) -> Answered:
    known = Examples(
        tuple(range(len(split.train))),
        Inputs(split.train, split.encoder),
        tuple((split.names[code],) for code in split.labels),
        split.weights,
    )
    learned = FewShot().learn(split.config, split.config["label"], known)
    return _codes(learned.head.opinions(Inputs(split.test, split.encoder)), split)


def _codes(opinions: list, split: Split) -> Answered:
    code = {(name,): i for i, name in enumerate(split.names)}
    return (
        np.array([-1 if opinion is None else code[opinion.answer] for opinion in opinions]),
        np.array([0.0 if opinion is None else opinion.confidence for opinion in opinions]),
    )


WAYS: dict[str, Callable[[Split], Answered]] = {
    "majority class": lambda split: (
        np.full(len(split.test), np.bincount(split.labels).argmax()),
        np.ones(len(split.test)),
    ),
    "TF-IDF + LR": tfidf,
    "embeddings + LR": embeddings,
    "zero-shot": zero_shot,
    "few-shot": few_shot,
}


def majority(votes: np.ndarray, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The commonest class of each row, ties broken by chance, and its share."""
    counts = np.stack([(votes == code).sum(axis=1) for code in range(classes)], axis=1)
    return (counts + np.random.default_rng(seed).random(counts.shape) * 0.1).argmax(axis=1), counts.max(
        axis=1
    ) / votes.shape[1]


def read(options: argparse.Namespace) -> Data:
    path = Path(options.data)
    table = (pl.read_parquet if path.suffix == ".parquet" else pl.read_csv)(path)
    table = table.select(
        pl.col(options.text).alias("text"),
        pl.col(options.label).alias("label"),
        *([options.item] if options.item else []),
    )
    if options.bins:
        edges = [float(edge) for edge in options.bins.split(",")]
        codes = np.digitize(table["label"].cast(pl.Float64).to_numpy(), edges)
        names = options.names.split(",") if options.names else [f"class {i}" for i in range(len(edges) + 1)]
    else:
        names = sorted(table["label"].cast(pl.String).unique().to_list())
        codes = table["label"].cast(pl.String).replace_strict(names, list(range(len(names)))).to_numpy()
    table = table.with_columns(pl.Series("code", codes))
    if options.item:
        items = table.group_by(options.item, maintain_order=True).agg(pl.col("text").first(), pl.col("code"))
        items = items.filter(pl.col("code").list.len() == items["code"].list.len().mode()[0])
    else:
        items = table.unique("text", maintain_order=True).with_columns(pl.concat_list("code"))
    items = items.unique("text", maintain_order=True)
    return Data(items["text"].to_list(), np.array(items["code"].to_list()), names)


def split(
    data: Data, size: int, per_class: bool, raters: int, seed: int, encoder: Encoder, config: LabelConfig
) -> Split:
    source = np.random.default_rng(seed)
    order = source.permutation(len(data.texts))
    tested = min(TEST, len(order) // 3)
    test, rest = order[-tested:], order[:-tested]
    train = rest[:size]
    if per_class:
        gold = data.gold[rest]
        train = np.concatenate([rest[gold == code][:size] for code in range(len(data.names))])
    picked = source.permuted(np.tile(np.arange(data.votes.shape[1]), (len(train), 1)), axis=1)[:, :raters]
    labels, share = majority(np.take_along_axis(data.votes[train], picked, axis=1), len(data.names), seed)
    return Split(
        [data.texts[i] for i in train],
        labels,
        share,
        [data.texts[i] for i in test],
        data.gold[test],
        data.names,
        config,
        encoder,
    )


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    set_up_logs("ERROR")  # stdout is for the figures
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--item")
    parser.add_argument("--bins")
    parser.add_argument("--names", help="names of the classes that --bins makes")
    parser.add_argument("--raters", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 300, 600])
    parser.add_argument("--per-class", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()

    data = read(options)
    listed = "".join(f"<Choice value={quoteattr(name)}/>" for name in data.names)
    config = parse(
        f'<View><Text name="text" value="$text"/><Choices name="label" toName="text">{listed}</Choices></View>'
    )
    with tempfile.TemporaryDirectory() as home:
        encoder = load_encoder(load_settings(home=Path(home)))
        say(f"{len(data.texts)} texts, {len(data.names)} classes, {encoder.id}, {options.repeats} repeats")
        say(f"{'labels':>6}  {'':15} {'accuracy':>8} {'macro F1':>8} {'ECE':>6} {'AUROC':>6} {'CPU s':>6}  to TF-IDF")
        for size in options.sizes:
            rows: dict[str, list[list[float]]] = {name: [] for name in WAYS}
            for seed in range(options.repeats):
                one = split(data, size, options.per_class, options.raters, seed, encoder, config)
                encoder.encode([*one.train, *one.test])
                for name, answer in WAYS.items():
                    began = time.process_time()
                    try:
                        codes, sure = answer(one)
                    except NotEnoughLabels as error:
                        sys.stderr.write(f"{error}\n")
                        continue
                    right = codes == one.gold
                    f1 = f1_score(one.gold, codes, average="macro", zero_division=0)
                    error = expected_calibration_error(sure, right)
                    seconds = time.process_time() - began
                    told = roc_auc_score(right, sure) if 0 < right.mean() < 1 else np.nan
                    rows[name].append([right.mean(), f1, error, told, seconds])
            peer = np.mean(rows["TF-IDF + LR"], axis=0)
            for name, values in rows.items():
                if values:
                    accuracy, f1, error, told, seconds = np.mean(values, axis=0)
                    say(
                        f"{size:>6}  {name:15} {accuracy:8.3f} {f1:8.3f} {error:6.3f} {told:6.3f} "
                        f"{seconds:6.2f}  {accuracy - peer[0]:+.3f} {f1 - peer[1]:+.3f}"
                    )


if __name__ == "__main__":
    main()
