"""Pixels -> unit vectors, by a sentence-transformers model that has words and images in one space.

CLIP (Radford et al. 2021) and its kin. On the GPU where there is one, else on the CPU.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ml_backend.encoders.torch_runtime import SentenceTransformers
from ml_backend.labeling.errors import ModelUnavailable

if TYPE_CHECKING:
    from PIL.Image import Image


class Clip(SentenceTransformers):
    """A runtime for words (`ml_backend.encoders.Runtime`) that sees, too."""

    setting = "TIEBREAK_IMAGE_ENCODER"

    def __init__(self, model: str, *, local: bool, name: str) -> None:
        super().__init__(model, local=local, name=name)
        self._seeing = threading.Lock()

    @cached_property
    def width(self) -> int:
        """Of a vector. Loads the model. Raises ModelUnavailable, also where it cannot see."""
        from PIL import Image

        return self.see([Image.new("RGB", (64, 64))]).shape[1]

    def see(self, images: Sequence[Image]) -> np.ndarray:
        """(n, d) float32 with unit rows. Raises ModelUnavailable."""
        model = self._load()
        try:
            with self._seeing:  # a call takes all cores, and memory for its whole batch
                vectors = model.encode(
                    list(images), batch_size=len(images), show_progress_bar=False, convert_to_numpy=True
                ).astype(np.float32)
        except Exception as error:  # whatever a model of texts raises, or a GPU that is full
            raise ModelUnavailable(
                f"The image encoder {self._model} cannot read an image: {error}",
                mend=f"Let {self.setting} name a CLIP-type sentence-transformers model, or unset it.",
            ) from error
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
