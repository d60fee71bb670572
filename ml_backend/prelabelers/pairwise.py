"""Which of two texts people prefer: a logistic regression on the difference of what both are.

This is the model of Bradley and Terry (1952) with a text's strength a linear function of its embedding, n-grams and
plain measures such as length. There is no bias and every pair is learned in both orders, so the model is antisymmetric:
swapping the sides swaps the answer, and an annotator's habit of picking the left one cannot be learned. Ties, which
Label Studio's screen does not know but data may hold, count half for each side; one is never answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix, vstack

from ml_backend.labeling.confidence import Temperature
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.kinds import KINDS, kind_of
from ml_backend.prelabelers import Doubt, Examples, Inputs, Learned, Opinion, State, register
from ml_backend.prelabelers._evaluation import evaluate
from ml_backend.prelabelers._features import EMBEDDING_LENGTH
from ml_backend.prelabelers._fitting import Labelled, fit_by_cross_validation
from ml_backend.prelabelers._folds import folds, group_key
from ml_backend.prelabelers._inputs import MAX_CHARACTERS
from ml_backend.prelabelers._ngrams import WORD, Vocabulary, words
from ml_backend.prelabelers.regression import Coefficients, Design

LEAST_PAIRS = 10
MOST_WORDS = 100_000
_TEXTUAL = frozenset({"text", "hypertext", "header"})
_PREFERENCE = {"left": 1.0, "tie": 0.5, "right": 0.0}
_SIGNS = ("\n", "?", "!", ",", ".", ":", "-", "*", "(", '"')


@register("pairwise")
class Pairwise:
    """For `<Pairwise>` over two texts."""

    name: str

    def learns(self, config: LabelConfig, control: Control) -> bool:
        kind = kind_of(control)
        return (
            kind is not None
            and kind.name == "pairwise"
            and len(control.to_names) == 2
            and _TEXTUAL.issuperset(control.to_tags)
        )

    def learn(self, config: LabelConfig, control: Control, examples: Examples) -> Learned:
        known = _usable(examples)
        sides = _Sides.of(examples.inputs.take(known))
        answers = [str(examples.answers[i]) for i in known]
        _require_enough(control, sides, answers)
        return _learn(sides, answers, examples, known)

    def load(self, control: Control, state: State) -> PairwiseHead:
        fields, arrays = state.fields, state.arrays
        return PairwiseHead(
            Vocabulary(arrays["word_hashes"], arrays["word_idf"]),
            arrays["scale"],
            arrays["weights"],
            fields["temperature"],
            fields["doubt"],
            fields["ties"],
        )


@dataclass(frozen=True)
class PairwiseHead:
    vocabulary: Vocabulary
    scale: np.ndarray
    """(p,) what each plain measure's difference is divided by."""
    weights: np.ndarray
    """(d + p + words, 1)"""
    temperature: float
    doubt: float
    """Kept for "either", as in `_calibration.OneLabel`."""
    ties: float
    """The share of ties among the answers learned from: no side is right then."""

    def opinions(self, inputs: Inputs) -> Sequence[Opinion | None]:
        sides = _Sides.of(inputs)
        rows = [i for i, (left, right) in enumerate(zip(sides.left, sides.right, strict=True)) if left and right]
        found: list[Opinion | None] = [None] * len(inputs)
        if rows:
            sides = sides.take(rows)
            logits = Coefficients(self.weights, np.zeros(1, np.float32)).logits(
                sides.differences(self.vocabulary, self.scale)
            )
            for i, opinion in zip(rows, self.judge(logits[:, 0]), strict=True):
                found[i] = opinion
        return found

    def judge(self, logits: np.ndarray) -> list[Opinion]:
        """`logits` (n,) of the left side being preferred."""
        lean = Temperature(self.temperature).apply(np.stack([logits, np.zeros_like(logits)], axis=1))
        shares = (1 - self.ties) * ((1 - self.doubt) * lean + self.doubt / 2)
        return [_opinion(left, right, self.ties) for left, right in shares.tolist()]

    def state(self) -> State:
        fields = {"temperature": self.temperature, "doubt": self.doubt, "ties": self.ties}
        arrays = {
            "word_hashes": self.vocabulary.hashes,
            "word_idf": self.vocabulary.idf,
            "scale": self.scale,
            "weights": self.weights,
        }
        return State(fields, arrays)


def _opinion(left: float, right: float, tie: float) -> Opinion:
    most, least = max(left, right), min(left, right)
    share = np.array([it for it in (left, right, tie) if it > 0])
    entropy = float(-(share * np.log(share)).sum() / np.log(3 if tie else 2))
    return Opinion(
        "left" if left >= right else "right",
        most,
        {"left": left, "right": right} | ({"tie": tie} if tie else {}),
        Doubt(min(1.0, 2 * (1 - most)), 1 - (most - least), min(1.0, entropy)),
    )


@dataclass(frozen=True)
class _Sides:
    """The two texts of n pairs, "" where there is none, and where vectors come from."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    source: Inputs

    @classmethod
    def of(cls, inputs: Inputs) -> _Sides:
        parts = [
            tuple(part[:MAX_CHARACTERS].encode(errors="replace").decode().strip() for part in it.parts)
            for it in inputs.readings
        ]
        pairs = [it if len(it) == 2 else ("", "") for it in parts]
        return cls(tuple(left for left, _ in pairs), tuple(right for _, right in pairs), inputs)

    def take(self, rows: Sequence[int]) -> _Sides:
        return replace(self, left=tuple(self.left[i] for i in rows), right=tuple(self.right[i] for i in rows))

    def differences(self, vocabulary: Vocabulary, scale: np.ndarray) -> Design:
        """What the left text is more than the right one, (n, features)."""
        n = len(self.left)
        both = (*self.left, *self.right)
        vectors = self.source.beside(both).vectors * EMBEDDING_LENGTH
        ngrams = vocabulary.transform(*words(both), 2 * n)
        dense = np.hstack([vectors[:n] - vectors[n:], self.measures() / scale]).astype(np.float32)
        return Design(dense, csr_matrix(ngrams[:n] - ngrams[n:], dtype=np.float32))

    def measures(self) -> np.ndarray:
        """The difference in plain measures, (n, p)."""
        of_left, of_right = (np.array([_plain(text) for text in side]) for side in (self.left, self.right))
        return of_left - of_right


def _plain(text: str) -> list[float]:
    found = WORD.findall(text.lower())
    n = max(1, len(text))
    return [
        float(np.log1p(len(text))),
        float(np.log1p(len(found))),
        len(set(found)) / max(1, len(found)),
        sum(map(len, found)) / max(1, len(found)),
        sum(map(str.isupper, text)) / n,
        sum(map(str.isdigit, text)) / n,
        *(text.count(sign) / n**0.5 for sign in _SIGNS),
    ]


def _usable(examples: Examples) -> list[int]:
    """Examples with two texts, in an order that only they decide and that swapping sides does not change."""
    sides = _Sides.of(examples.inputs)
    usable = [
        (_pair(left, right), examples.tasks[i], i)
        for i, (left, right, answer) in enumerate(zip(sides.left, sides.right, examples.answers, strict=True))
        if left and right and answer in _PREFERENCE
    ]
    return [i for *_, i in sorted(usable)]


def _pair(left: str, right: str) -> bytes:
    """Equal for pairs of the same texts, whichever is on the left."""
    return group_key("\n".join(sorted((left, right))))


def _require_enough(control: Control, sides: _Sides, answers: Sequence[str]) -> None:
    different = len({_pair(*pair) for pair in zip(sides.left, sides.right, strict=True)})
    decided = sum(answer != "tie" for answer in answers)
    if different < LEAST_PAIRS or decided < LEAST_PAIRS:
        raise NotEnoughLabels(
            f"{control.name!r} has {different} different pairs of texts compared, {decided} of them decided; learning "
            f"takes {LEAST_PAIRS}.",
            mend="Label some more tasks.",
        )


def _learn(sides: _Sides, answers: Sequence[str], examples: Examples, known: list[int]) -> Learned:
    both = (*sides.left, *sides.right)
    vocabulary = Vocabulary.fit(*words(both), len(both), most=MOST_WORDS)
    scale = np.sqrt((sides.measures() ** 2).mean(axis=0)) * 4
    scale = np.where(scale > 0, scale, 1.0)
    rows = sides.differences(vocabulary, scale)
    prefers = np.array([_PREFERENCE[it] for it in answers])
    fold = folds(["\n".join(sorted(pair)) for pair in zip(sides.left, sides.right, strict=True)], [0] * len(answers))
    data = _both_orders(rows, prefers, examples.weights[known], fold)
    decided = np.repeat(prefers != 0.5, 2)

    def temperature(logits: np.ndarray, among: np.ndarray) -> Temperature:
        one = logits[decided[among], 0]
        right = (data.targets[among][decided[among], 0] < 0.5).astype(np.int64)
        return Temperature.fit(np.stack([one, np.zeros_like(one)], axis=1), right)

    def loss(logits: np.ndarray, among: np.ndarray) -> float:
        one = logits[:, 0] / temperature(logits, among).value
        return float((np.logaddexp(0, one) - data.targets[among, 0] * one).mean())

    fitted = fit_by_cross_validation(data, loss)
    tempered = temperature(fitted.logits, np.arange(len(data.rows)))
    ties = float(np.mean(prefers == 0.5))
    head = PairwiseHead(vocabulary, scale, fitted.coefficients.weights, tempered.value, 1 / (len(answers) + 2), ties)
    opinions = head.judge((fitted.logits[0::2, 0] - fitted.logits[1::2, 0]) / 2)
    seen = dict(zip(known, opinions, strict=True))
    metrics = {
        **evaluate(KINDS["pairwise"], answers, opinions),
        "c": fitted.c,
        "temperature": round(tempered.value, 6),
    }
    return Learned("pairwise", head, [seen.get(i) for i in range(len(examples))], metrics)


def _both_orders(rows: Design, prefers: np.ndarray, weights: np.ndarray, fold: np.ndarray) -> Labelled:
    """Every pair followed by itself the other way round: the best bias is 0 then."""
    n = len(rows)
    order = np.arange(2 * n).reshape(2, n).T.ravel()
    doubled = Design(np.vstack([rows.dense, -rows.dense]), vstack([rows.sparse, -rows.sparse], format="csr"))
    return Labelled(
        rows=doubled.take(order),
        targets=np.concatenate([prefers, 1 - prefers])[order][:, None].astype(np.float32),
        weights=np.concatenate([weights, weights])[order] / 2,
        fold=np.concatenate([fold, fold])[order],
        always=doubled.take(np.empty(0, np.int64)),
        always_targets=np.empty((0, 1), np.float32),
        independent=True,
    )
