"""Labelled texts through the real pre-labelers: what they would have answered, had only some labels been there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from ml_backend.encoder import Encoder
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.kinds import Answer
from ml_backend.prelabelers import Examples, Inputs, Learned, learners, start
from ml_backend.processors import processors
from sdk_scripts.backtest.active import MOST_CLASSES, MOST_POOL, MOST_TEST, material_of, nothing_said, simulate
from sdk_scripts.backtest.baseline import Baseline
from sdk_scripts.backtest.labelled import Labelled
from sdk_scripts.backtest.measures import Answered, bins, by_label, gain, interval, macro_f1
from sdk_scripts.backtest.promises import PROMISES, promise
from sdk_scripts.backtest.splits import grid, halves, shots
from sdk_scripts.backtest.vectors import Remembered

FEW = 700
"""Labels up to which a size is drawn several times: which texts happen to be labelled matters much there."""
FIRST = 50
"""Labels in random order that a curve starts with."""


@dataclass(frozen=True)
class Replay:
    """One backtest at work: the halves, and what encodes them."""

    labelled: Labelled
    train: Labelled
    test: Labelled
    encoder: Encoder
    repeats: int
    seed: int
    report: Callable[[str], None]

    @cached_property
    def asked(self) -> Inputs:
        """The test half, read once for all that answer it."""
        return Inputs(self.test.texts, self.encoder)

    @cached_property
    def bag_of_words(self) -> Baseline:
        return Baseline((*self.train.texts, *self.test.texts))

    def run(self, sizes: Sequence[int] | None) -> dict[str, Any]:
        """JSON: what the command prints, but for the verdict. Raises NotEnoughLabels where not even all training texts
        are enough to learn from, ModelUnavailable."""
        found, train, test = self.labelled, self.train, self.test
        commonest, times = Counter(train.answers).most_common(1)[0]
        usual = Answered(
            np.array([answer == commonest for answer in test.answers]), np.ones(len(test)), (commonest,) * len(test)
        )
        counts = Counter(label for answer in found.answers for label in found.kind.labels(answer))
        largest = max(Counter(label for answer in train.answers for label in found.kind.labels(answer)).values())
        few_sizes, curve = self._shot_sizes(sizes, largest), self._stream_sizes()
        self._read_ahead()
        with _together() as start:
            full = start(self._all, largest, usual)  # the longest first
            active = start(self._active)
            stream = [start(self._few, partial(_some, len(train), size), size) for size in reversed(curve)][::-1]
            few = [start(self._few, partial(shots, train.kind, train.answers, size), size) for size in few_sizes]
            guess = self._zero_shot()
            every = full.result()
            rows = [{"per_class": size, **row} for size, it in zip(few_sizes, few, strict=True) if (row := it.result())]
            course = [row for it in stream if (row := it.result())]
            saving = active.result()
        return {
            "data": found.name,
            "control": found.control.name,
            "kind": found.kind.name,
            "encoder": self.encoder.id,
            "n": len(found),
            "labels": dict(counts.most_common()),
            "train": len(train),
            "test": len(test),
            "rows": found.rows,
            "texts": found.texts_found,
            "duplicates": found.duplicates,
            "conflicts": found.conflicts,
            "dropped": dict(found.dropped),
            "majority": {
                "answer": found.kind.show(commonest),
                "accuracy": usual.accuracy,
                "macro_f1": macro_f1(found.kind, test.answers, usual.answers),
                "share": times / len(train),
            },
            "zero_shot": guess,
            "shots": [*rows, every],
            "stream": [*course, every],
            "full": every,
            "active": saving,
        }

    def _few(self, draw: Callable[[np.random.Generator], np.ndarray], size: int) -> dict[str, Any] | None:
        """One row of a learning curve, of the rows that `draw` picks: means over the repeats, the standard deviation of
        the accuracy beside. None where the pre-labeler needs more."""
        rng = np.random.default_rng((self.seed, size))
        measured: list[dict[str, Any]] = []
        repeats = self.repeats
        while len(measured) < repeats:
            some = self.train.take(draw(rng).tolist())
            repeats = self.repeats if len(some) <= FEW else 1
            self.report(f"Learning from {len(some):,} labels ({len(measured) + 1} of {repeats}) …")
            try:
                learned, answered = self._learned(some)
            except NotEnoughLabels:
                return None
            tfidf = self._short(self._baseline(some))
            measured.append({"labels": len(some), **self._measures(some, learned, answered), "tfidf": tfidf})
        spread = float(np.std([one["accuracy"] for one in measured], ddof=1)) if repeats > 1 else None
        return {**_means(measured), "repeats": repeats, "accuracy_sd": spread}

    def _shot_sizes(self, sizes: Sequence[int] | None, largest: int) -> list[int]:
        """As many labels of each class: what a curated start gives."""
        return [size for size in sizes or grid(self.train.kind, self.train.answers) if size < largest]

    def _stream_sizes(self) -> list[int]:
        """Labels as they come, in random order: rare ones stay rare."""
        sizes, size = [], FIRST
        while size <= 0.6 * len(self.train):
            sizes.append(size)
            size *= 2
        return sizes

    def _read_ahead(self) -> None:
        """What all of them read of the texts, before they start."""
        _ = self.asked.vectors, self.asked.words, self.asked.characters, self.bag_of_words

    def _all(self, largest: int, usual: Answered) -> dict[str, Any]:
        """The row of all training labels, with everything that is only worth saying of it."""
        self.report(f"Learning from all {len(self.train):,} labels …")
        learned, answered = self._learned(self.train)
        baseline = self._baseline(self.train)
        low, high = interval(int(answered.right.sum()), len(answered.right))
        return {
            "per_class": largest,
            **self._measures(self.train, learned, answered),
            "all": True,
            "ece_by_chance": answered.ece_by_chance(),
            "labels": len(self.train),
            "repeats": 1,
            "accuracy_low": low,
            "accuracy_high": high,
            "tfidf": self._short(baseline),
            "over_majority": _interval(gain(answered.right, usual.right)),
            "over_tfidf": _interval(gain(answered.right, baseline.right)),
            "prelabeler": learned.prelabeler,
            "reliability": bins(answered),
            "by_label": by_label(self.test.kind, self.test.answers, answered.answers),
        }

    def _learned(self, known: Labelled) -> tuple[Learned, Answered]:
        """The pre-labeler that learns these best, as training would choose it, and its answers to the test half."""
        best = best_learned(known, self.encoder)
        return best, Answered.of(best.head.opinions(self.asked), self.test.answers)

    def _baseline(self, known: Labelled) -> Answered:
        several = any(len(known.kind.labels(answer)) > 1 for answer in known.answers)
        answers = tuple(self.bag_of_words.answers(known.texts, known.answers, self.test.texts, several=several))
        right = [_unordered(a) == _unordered(b) for a, b in zip(answers, self.test.answers, strict=True)]
        return Answered(np.array(right), np.ones(len(right)), answers)

    def _measures(self, known: Labelled, learned: Learned, answered: Answered) -> dict[str, Any]:
        """Thresholds are fixed on what the head thought of its own examples before it saw them."""
        pairs = [(o, answer) for o, answer in zip(learned.opinions, known.answers, strict=True) if o is not None]
        unseen = Answered.of([opinion for opinion, _ in pairs], [answer for _, answer in pairs])
        promises = {f"{it:g}": promise(unseen.confidence, unseen.right, answered, it) for it in PROMISES}
        return {
            **self._short(answered),
            "ece": answered.ece(),
            "coverage": {name: it["coverage"] for name, it in promises.items()},
            "promises": promises,
        }

    def _short(self, answered: Answered) -> dict[str, float]:
        f1 = macro_f1(self.test.kind, self.test.answers, answered.answers)
        return {"accuracy": answered.accuracy, "macro_f1": f1}

    def _zero_shot(self) -> dict[str, Any] | None:
        """From the labels' names alone; None where no pre-labeler answers the control without labels."""
        head = start(self.labelled.config, self.labelled.control, self.encoder)
        if head is None:
            return None
        answered = Answered.of(head.opinions(self.asked), self.test.answers)
        return {**self._short(answered), "ece": answered.ece()}

    def _active(self) -> dict[str, Any]:
        train, test = (
            self.train.take(range(min(MOST_POOL, len(self.train)))),
            self.test.take(range(min(MOST_TEST, len(self.test)))),
        )
        texts, answers = [*train.texts, *test.texts], [*train.answers, *test.answers]
        place = {key: code for code, key in enumerate(sorted({train.kind.key(answer) for answer in answers}))}
        if len(place) > MOST_CLASSES:
            return nothing_said(f"{len(place):,} different answers are too many.")
        self.report("Giving the labels out again, at random and by doubt …")
        codes = np.array([place[train.kind.key(answer)] for answer in answers])
        material = material_of(texts, self.encoder.encode(texts), codes)
        return simulate(material, np.arange(len(train)), np.arange(len(train), len(texts)), seed=self.seed)


def replay(
    labelled: Labelled,
    encoder: Encoder,
    *,
    sizes: Sequence[int] | None,
    test_share: float,
    repeats: int,
    seed: int,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """JSON, see `Replay.run`. `sizes` are the texts a label of the learning curve; doubling from 8 on if None."""
    train, test = halves(labelled.kind, labelled.answers, test_share)
    seen = Remembered(encoder, labelled.texts, report)
    known, asked = labelled.take(train.tolist()), labelled.take(test.tolist())
    return Replay(labelled, known, asked, seen, repeats, seed, report).run(sizes)


def best_learned(known: Labelled, encoder: Encoder) -> Learned:
    """What the pre-labeler learns that learns these best, as training would choose it. Raises NotEnoughLabels."""
    examples = Examples(tuple(range(len(known))), Inputs(known.texts, encoder), known.answers, np.ones(len(known)))
    made = [it.learn(known.config, known.control, examples) for it in learners(known.config, known.control)]
    return max(made, key=lambda learned: learned.metrics["accuracy"])


@contextmanager
def _together() -> Iterator[Callable[..., Future[Any]]]:
    """What starts a task on one of as many threads as there are cores: numpy and scipy do most of the work, and let
    others run meanwhile, if they do not take several cores each. If one fails, those that have not begun never do."""
    from threadpoolctl import threadpool_limits

    pool = ThreadPoolExecutor(processors())
    try:
        with threadpool_limits(1):
            yield pool.submit
    finally:
        pool.shutdown(cancel_futures=True)


def _some(n: int, size: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(n)[:size]


def _means(measured: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean of every number in documents of one shape; None where one is undefined, and what is no number as in the
    first."""
    made: dict[str, Any] = {}
    for name, first in measured[0].items():
        values = [one[name] for one in measured]
        if isinstance(first, dict):
            made[name] = _means(values)
        elif any(value is None for value in values):
            made[name] = None
        elif isinstance(first, int | float) and not isinstance(first, bool):
            made[name] = float(np.mean(values)) if isinstance(first, float) else round(float(np.mean(values)))
        else:
            made[name] = all(values)
    return made


def _interval(found: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip(("low", "gain", "high"), found, strict=True))


def _unordered(answer: Answer) -> Answer:
    return frozenset(answer) if isinstance(answer, tuple) else answer
