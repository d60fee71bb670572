"""Cross-validation folds over texts: the same text is never on both sides, and classes are spread evenly."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

FOLDS = 5


def group_key(text: str) -> bytes:
    """Equal for texts that differ only in case and white space."""
    return hashlib.sha256(" ".join(text.lower().split()).encode(errors="replace")).digest()


def text_hash(text: str) -> int:
    """64 bits of `group_key`: by which a model knows the texts it learned from."""
    return int.from_bytes(group_key(text)[:8])


def folds(texts: Sequence[str], classes: Sequence[int], count: int = FOLDS) -> np.ndarray:
    """The fold (0 … count-1) of each example (n,), the same whatever their order.

    Within a class, texts are dealt out in the order of their hashes, so that a text mostly stays in place when others
    are added. A text labelled in several ways counts with its lowest class.
    """
    groups: dict[bytes, int] = {}
    keys = [group_key(text) for text in texts]
    for key, cls in zip(keys, classes, strict=True):
        groups[key] = min(cls, groups.get(key, cls))
    by_class: dict[int, list[bytes]] = defaultdict(list)
    for key, cls in groups.items():
        by_class[cls].append(key)
    fold: dict[bytes, int] = {}
    dealt = 0  # carried on from class to class, so that rare classes do not all land in the first fold
    for cls in sorted(by_class):
        for key in sorted(by_class[cls]):
            fold[key] = dealt % count
            dealt += 1
    return np.array([fold[key] for key in keys], dtype=np.int64)
