"""What choosing the next tasks saves: the labelled texts are given out again, at random and as `choose` would.

Both ways learn with the same simple head (logistic regression over the encoder's vectors and a reduced TF-IDF), which
is fitted some twenty times a way; the pre-labeler itself, with its cross-validation, would take hours. So the numbers
of labels compare with one another, not with the learning curve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import softmax

from ml_backend.labeling.selection import choose, joint_doubt, neighbour_probabilities
from ml_backend.prelabelers.regression import Coefficients, Design, fit

WITHIN = 0.01
"""Of the accuracy with all labels: one point."""
REPEATS = 2
GROWTH = 1.3
"""Labels at the next look, over those at this one."""
_START = 20
MOST_POOL, MOST_TEST = 8_000, 4_000
MOST_CLASSES = 150
_ASKED = 5_000  # unlabelled texts that a round looks at
_TOPICS = 128
_CHARACTERS = 400
_ITERATIONS = 40


@dataclass
class Run:
    """One way, one repeat: what is labelled so far."""

    pool: np.ndarray
    seed: int
    labelled: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    model: Coefficients | None = None


@dataclass(frozen=True)
class Material:
    """n texts as the simulation sees them: `features` (n, f), `vectors` (n, d) and class `codes` (n,)."""

    features: np.ndarray
    vectors: np.ndarray
    codes: np.ndarray

    def rows(self, rows: np.ndarray) -> Design:
        return Design(self.features[rows], csr_matrix((len(rows), 0), dtype=np.float32))

    @property
    def classes(self) -> int:
        return int(self.codes.max()) + 1


Chooser = Callable[[Material, Run, np.ndarray, int], np.ndarray]
"""(material, run, unlabelled rows, how many) -> which of those rows to label."""


def simulate(material: Material, pool: np.ndarray, test: np.ndarray, *, seed: int) -> dict[str, Any]:
    """JSON: `labels_to_target` and `random_labels_to_target` (None where a way did not get there), `target`,
    `full_accuracy`, `pool`, `saved` (the share of random's labels) and `curve`. `pool` and `test` are rows, in random
    order."""
    pool, test = pool[:MOST_POOL], test[:MOST_TEST]
    random = replay(material, pool, test, at_random, seed=seed)
    full = random[-1][1]
    target = full - WITHIN
    chosen = replay(material, pool, test, doubted, seed=seed, until=target)
    needed, by_chance = labels_to(target, chosen), labels_to(target, random)
    ours = dict(chosen)
    return {
        "labels_to_target": needed,
        "random_labels_to_target": by_chance,
        "target": target,
        "full_accuracy": full,
        "pool": len(pool),
        "repeats": REPEATS,
        "saved": 1 - needed / by_chance if needed and by_chance else None,
        "curve": [{"labels": n, "random": accuracy, "chosen": ours.get(n)} for n, accuracy in random],
    }


def nothing_said(why: str) -> dict[str, Any]:
    """The same where nothing can be simulated."""
    return {"labels_to_target": None, "random_labels_to_target": None, "curve": [], "why": why}


def replay(
    material: Material, pool: np.ndarray, test: np.ndarray, chooser: Chooser, *, seed: int, until: float = 2.0
) -> list[tuple[int, float]]:
    """(labels, accuracy on the test rows, mean of the repeats) after each round, until the pool is used up or two
    rounds in a row reach `until`."""
    size = int(np.clip(2 * material.classes, _START, max(_START, len(pool) // 10)))
    runs = [Run(pool, seed + repeat) for repeat in range(REPEATS)]
    curve: list[tuple[int, float]] = []
    while True:
        scores = [_round(material, run, test, chooser, size) for run in runs]
        curve.append((size, float(np.mean(scores))))
        if size == len(pool) or (len(curve) > 1 and min(curve[-1][1], curve[-2][1]) >= until):
            return curve
        size = min(len(pool), int(size * GROWTH) + 1)


def labels_to(target: float, curve: Sequence[tuple[int, float]]) -> int | None:
    """The labels at which the curve first reaches the target, by straight lines between its points."""
    before: tuple[int, float] | None = None
    for n, accuracy in curve:
        if accuracy >= target:
            if before is None:
                return n
            return round(before[0] + (n - before[0]) * (target - before[1]) / (accuracy - before[1]))
        before = n, accuracy
    return None


def at_random(material: Material, run: Run, unlabelled: np.ndarray, wanted: int) -> np.ndarray:
    return unlabelled[:wanted]


def doubted(material: Material, run: Run, unlabelled: np.ndarray, wanted: int) -> np.ndarray:
    """As a project does it: a clustered start, then joint doubt of head and neighbours, spread over clusters."""
    asked = unlabelled[: max(_ASKED, 3 * wanted)]
    doubt = None
    if run.model is not None:
        known = run.labelled
        near = neighbour_probabilities(
            material.vectors[asked], material.vectors[known], material.codes[known], material.classes
        )
        doubt = joint_doubt(probabilities(material, run.model, asked), near)
    return asked[choose(doubt, material.vectors[asked], wanted, seed=run.seed).rows]


def probabilities(material: Material, model: Coefficients, rows: np.ndarray) -> np.ndarray:
    """(n, k)."""
    return softmax(model.logits(material.rows(rows)), axis=1)


def _round(material: Material, run: Run, test: np.ndarray, chooser: Chooser, size: int) -> float:
    """Label up to `size`, fit, and the accuracy then."""
    rng = np.random.default_rng((run.seed, size))
    unlabelled = rng.permutation(np.setdiff1d(run.pool, run.labelled))
    picked = chooser(material, run, unlabelled, size - len(run.labelled))
    run.labelled = np.concatenate([run.labelled, picked])
    run.model = _fitted(material, run.labelled, run.model)
    return float((run.model.logits(material.rows(test)).argmax(axis=1) == material.codes[test]).mean())


def _fitted(material: Material, labelled: np.ndarray, before: Coefficients | None) -> Coefficients:
    """From where the last round ended: most of it is known already."""
    codes = material.codes[labelled]
    targets = np.eye(material.classes, dtype=np.float32)[codes]
    c = 10.0 if len(np.unique(codes)) > 20 else 3.0
    return fit(material.rows(labelled), targets, np.ones(len(labelled)), c, start=before, iterations=_ITERATIONS)


def material_of(texts: Sequence[str], vectors: np.ndarray, codes: np.ndarray) -> Material:
    """Vectors beside the leading dimensions of TF-IDF (Deerwester et al. 1990), of words, and of runs of characters for
    languages that put no spaces between words or that the encoder does not know."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    cut = [text[:_CHARACTERS] for text in texts]
    blocks = [2 * vectors]
    for analyzer, sizes in (("word", (1, 2)), ("char_wb", (2, 3))):
        grams = TfidfVectorizer(
            analyzer=analyzer, ngram_range=sizes, sublinear_tf=True, min_df=2, max_features=20_000, dtype=np.float32
        )
        try:
            rows = grams.fit_transform(cut)
        except ValueError:  # no n-gram stands in two texts
            continue
        topics = min(_TOPICS, min(rows.shape) - 1)
        if topics > 1:
            blocks.append(TruncatedSVD(topics, n_iter=1, random_state=0).fit_transform(rows).astype(np.float32))
    return Material(np.hstack(blocks).astype(np.float32), vectors, codes)
