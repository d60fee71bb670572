"""Pixels -> the text in them, by RapidOCR (Apache-2.0): PP-OCR's models on ONNX Runtime, which come in its package."""

from __future__ import annotations

import threading
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_backend.images import Unreadable
from ml_backend.labeling.errors import ConfigError, ModelUnavailable

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_CHARACTERS = 5_000
"""Of one image; a page of print has about 3,000."""
_OPTIONS = {"Global.log_level": "error", "Det.limit_type": "max", "Det.limit_side_len": 960}
"""Its own limit enlarges small pictures until words fall apart: on six drawn ones this found more, in a third of the
time."""


class Ocr:
    def __init__(self) -> None:
        """Raises ConfigError where the package is not installed; loads nothing."""
        try:
            self.id = f"rapidocr-{version('rapidocr')}"
        except PackageNotFoundError:
            raise ConfigError(
                "TIEBREAK_OCR is on, and the package that reads text in images is not installed.",
                mend="pip install 'tiebreak[ocr]'",
            ) from None
        self._reading = threading.Lock()  # it keeps the last call's options in itself, and takes all cores
        self._loaded: Any = None

    def read(self, image: Image) -> str:
        """One line a line of text, in reading order; "" for none. Raises ModelUnavailable, Unreadable."""
        with self._reading:
            engine = self._load()
            try:
                found = engine(np.ascontiguousarray(np.asarray(image)[:, :, ::-1]))  # it wants BGR
            except Exception as error:  # whatever its geometry makes of strange pixels
                raise Unreadable(f"no text can be read in it: {error}") from None
        return "\n".join(found.txts or ())[:MOST_CHARACTERS]

    def _load(self) -> Any:
        if self._loaded is None:
            try:
                from rapidocr import RapidOCR

                self._loaded = RapidOCR(params=dict(_OPTIONS))
            except Exception as error:  # a library it needs that is missing, a model that is damaged
                raise ModelUnavailable(
                    f"RapidOCR cannot be loaded: {error}", mend="Install it anew, or unset TIEBREAK_OCR."
                ) from error
        return self._loaded
