"""How sure a model is, by asking it several times: the share of its answers that are the same.

Wang et al., Self-Consistency Improves Chain of Thought Reasoning (2023).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ml_backend.labeling.config import Control
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.large_model.token_confidence import MOST_LABELS
from ml_backend.prelabelers import Opinion


def vote(control: Control, given: Sequence[Answer | None]) -> Opinion | None:
    """The answer given most often, an early one where several were; None where that is none at all.

    `given` has an entry for each time it was asked, None where it abstained. Of n, an answer given v times gets
    (v + 1) / (n + m + 1), where m different ones were given: one that was not seen yet is thought possible
    (Laplace's rule), so that a model asked once is not sure.
    """
    kind = kind_of(control)
    if kind is None or not given:
        return None
    keys = [None if answer is None else kind.key(answer) for answer in given]
    votes = Counter(keys)  # equal counts stay in the order of their first vote
    best = votes.most_common(1)[0][0]
    if best is None:
        return None
    over = len(keys) + len(votes) + 1
    probabilities: dict[str, float] = {}
    for key, count in votes.items():
        for label in kind.labels(kind.from_key(key)) if key is not None else ():
            probabilities[label] = probabilities.get(label, 0.0) + (count + 1) / over
    ranked = sorted(probabilities.items(), key=lambda it: (-it[1], it[0]))[:MOST_LABELS]
    answer = next(it for it, key in zip(given, keys, strict=True) if key == best)
    return Opinion(answer, (votes[best] + 1) / over, dict(ranked) if kind.name != "spans" else {})
