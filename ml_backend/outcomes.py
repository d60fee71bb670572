"""What became of a version's out-of-fold opinions: kept with it, so that any budget can be asked about later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml_backend.labeling.kinds import Answer, Kind
from ml_backend.prelabelers import Opinion

MOST_ROWS = 200_000
"""Beyond that many examples, those with the smallest hashes: a random sample that is the same every time."""
MOST_ANSWERS = 5_000
"""Different answers told apart, the commonest; others have the code -1."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """One row an example that the model had an opinion on, of one control."""

    texts: np.ndarray
    """(n,) uint64: the hash of its text."""
    confidence: np.ndarray
    """(n,) float32."""
    correct: np.ndarray
    """(n,) bool."""
    answered: np.ndarray
    """(n,) int32: the code of the model's answer, a place in `answers`; -1 for a rare one."""
    expected: np.ndarray
    """(n,) int32: of the consensus."""
    answers: tuple[str, ...]
    """Keys of the control's kind, by code."""

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        return {name: getattr(self, name) for name in ("texts", "confidence", "correct", "answered", "expected")}


def outcomes_of(
    kind: Kind, texts: np.ndarray, answers: Sequence[Answer], opinions: Sequence[Opinion | None]
) -> Outcomes:
    """`texts` (n,) are hashes; aligned with what people answered and what the model thought, None where it did not."""
    rows = np.flatnonzero([opinion is not None for opinion in opinions])
    if len(rows) > MOST_ROWS:
        rows = np.sort(rows[np.argsort(texts[rows], kind="stable")[:MOST_ROWS]])
    pairs = [(opinion, answers[i]) for i in rows.tolist() if (opinion := opinions[i]) is not None]
    count = Counter(answer for opinion, right in pairs for answer in (opinion.answer, right))
    keys = sorted(kind.key(answer) for answer, _ in count.most_common(MOST_ANSWERS))
    code = {kind.from_key(key): i for i, key in enumerate(keys)}
    return Outcomes(
        texts=texts[rows],
        confidence=np.array([opinion.confidence for opinion, _ in pairs], np.float32).clip(0, 1),
        correct=np.array([opinion.answer == right for opinion, right in pairs], np.bool_),
        answered=np.array([code.get(opinion.answer, -1) for opinion, _ in pairs], np.int32),
        expected=np.array([code.get(right, -1) for _, right in pairs], np.int32),
        answers=tuple(keys),
    )
