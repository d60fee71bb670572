"""BERT-type models through ONNX Runtime, converted once. Neither torch nor transformers is imported."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from ml_backend.encoders.conversion import VERSION, converted
from ml_backend.encoders.folders import Bert, fingerprint
from ml_backend.encoders.onnx_session import Session
from ml_backend.encoders.torch_runtime import SentenceTransformers
from ml_backend.labeling.errors import ModelUnavailable
from ml_backend.processors import processors


class Onnx:
    """A BERT folder. The first of all processes that needs it converts it, which takes half a minute."""

    imports: tuple[str, ...] = ("onnxruntime", "tokenizers")
    batch = 1_200  # about 256 tokens, whose states stay in a core's cache

    def __init__(self, bert: Bert, name: str, place: Path) -> None:
        self.callers = processors()
        self._bert = bert
        self._name = name
        self._place = place
        self._loading = threading.Lock()
        self._loaded: Session | SentenceTransformers | None = None

    @cached_property
    def id(self) -> str:
        """Names the conversion too: a head learned from int8 vectors gets int8 vectors, and the cache holds the two
        apart from those of sentence-transformers. What precision the conversion settles for is the same for the same
        folder, so it need not be known here."""
        return f"{self._name}-{fingerprint(self._bert.root)}-onnx{VERSION}"

    def dimension(self) -> int:
        self._load()
        return self._bert.width

    def compute(self, texts: Sequence[str]) -> np.ndarray:
        loaded = self._load()
        return loaded.vectors(texts) if isinstance(loaded, Session) else loaded.compute(texts)

    def _load(self) -> Session | SentenceTransformers:
        if self._loaded is None:
            with self._loading:
                if self._loaded is None:
                    self._loaded = self._read()
        return self._loaded

    def _read(self) -> Session | SentenceTransformers:
        found, folder = converted(self._bert, self._place / self.id)
        if found.precision == "none":
            return SentenceTransformers(str(self._bert.root), local=True, name=self._name)
        try:
            return Session(self._bert, folder / "model.onnx")
        except Exception as error:  # whatever ONNX Runtime or the tokenizer raises
            raise ModelUnavailable(
                f"The encoder {self._name} cannot be loaded: {error}",
                mend=f"Remove {folder}, or set TIEBREAK_ENCODER_RUNTIME=torch.",
            ) from error
