"""Any sentence-transformers model, on the GPU where there is one, else on the CPU."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ml_backend.encoders.folders import fingerprint
from ml_backend.labeling.errors import ModelUnavailable

GPU_FILES = (Path("/dev/nvidiactl"), Path("/dev/kfd"), Path("/dev/dxg"))
"""NVIDIA's driver, AMD's, and either of them under Windows' Linux."""


def has_gpu() -> bool:
    """Whether torch could use one, as far as can be told without its import, which takes seconds."""
    return "+cpu" not in version("torch") and any(file.exists() for file in GPU_FILES)


class SentenceTransformers:
    """On CPUs with bfloat16 instructions the weights are bfloat16: measured 1.9 times as fast as float32 at a cosine of
    1.000 (worst text 0.996). Elsewhere bfloat16 is emulated, hence float32."""

    setting = "TIEBREAK_ENCODER"
    imports: tuple[str, ...] = ("sentence_transformers",)
    callers = 1  # torch takes all cores for one call

    def __init__(self, model: str, *, local: bool, name: str) -> None:
        self.batch = 32_000 if has_gpu() else 4_800
        self._model = model
        self._local = local
        self._name = name
        self._loading = threading.Lock()
        self._loaded: Any = None

    @cached_property
    def id(self) -> str:
        """A folder is known by its contents, a hub model by its name. Precision is no part of it: bfloat16 and float32
        are near enough to be mixed."""
        return f"{self._name}-{fingerprint(Path(self._model))}" if self._local else self._name

    def dimension(self) -> int:
        return self.compute(["length"]).shape[1]

    def compute(self, texts: Sequence[str]) -> np.ndarray:
        model = self._load()
        longest = 8 * (model.max_seq_length or 512)  # characters: more than its tokens can hold
        vectors = model.encode(
            [text[:longest] for text in texts], batch_size=len(texts), show_progress_bar=False, convert_to_numpy=True
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
                mend=f"Let {self.setting} name a sentence-transformers folder or hub model, or unset it.",
            ) from error


def _has_bfloat16(torch: Any) -> bool:
    abilities = torch.cpu.get_capabilities()
    return any(abilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
