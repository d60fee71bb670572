"""Which texts are learned from and which are asked: no text is on both sides, and labels are spread evenly."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from ml_backend.labeling.kinds import Answer, Kind

FIRST_SHOTS, LAST_SHOTS = 8, 256
"""Of each label: beyond that, evenly drawn labels look less and less like what annotators give."""
MOST_TEST = 10_000
"""Texts of the test half: more would make no interval visibly narrower."""


def halves(kind: Kind, answers: Sequence[Answer], test_share: float) -> tuple[np.ndarray, np.ndarray]:
    """(training rows, test rows) of n answers, in their order; each answer has its share of both."""
    seen: Counter[str] = Counter()
    test = np.zeros(len(answers), dtype=bool)
    offset: dict[str, float] = {}
    for row, answer in enumerate(answers):
        key = kind.key(answer)
        start = offset.setdefault(key, (len(offset) * 0.381966) % 1)  # rare answers do not all round the same way
        before = int(start + seen[key] * test_share)
        seen[key] += 1
        test[row] = int(start + seen[key] * test_share) > before
    tested = np.flatnonzero(test)
    return np.flatnonzero(~test), tested[:MOST_TEST]


def shots(kind: Kind, answers: Sequence[Answer], per_class: int, rng: np.random.Generator) -> np.ndarray:
    """Rows (m,) with that many texts a label, or all there are; a text with several labels counts for each of them."""
    by_label: dict[str, list[int]] = defaultdict(list)
    for row in rng.permutation(len(answers)).tolist():
        for label in kind.labels(answers[row]):
            by_label[label].append(row)
    picked: set[int] = set()
    have: Counter[str] = Counter()
    for label in sorted(by_label, key=lambda name: (len(by_label[name]), name)):  # the rarest first
        for row in by_label[label]:
            if have[label] >= per_class:
                break
            if row not in picked:
                picked.add(row)
                have.update(kind.labels(answers[row]))
    return np.array(sorted(picked), dtype=np.int64)


def grid(kind: Kind, answers: Sequence[Answer]) -> list[int]:
    """8, 16, 32, … 256 texts a label, as long as that is not most of what there is."""
    count = Counter(label for answer in answers for label in kind.labels(answer))
    sizes, size = [], FIRST_SHOTS
    while size <= LAST_SHOTS and sum(min(size, n) for n in count.values()) <= 0.6 * count.total():
        sizes.append(size)
        size *= 2
    return sizes
