"""A small file beside the models: who sees it shares their storage."""

from __future__ import annotations

import secrets
from typing import Self

from ml_backend.model_files import ModelFiles


class Marker:
    """There while this is open."""

    def __init__(self, files: ModelFiles) -> None:
        self.name = f"doctor/{secrets.token_hex(8)}"
        self._files = files

    def __enter__(self) -> Self:
        self._files.write(self.name, b"Tiebreak was here.")
        return self

    def __exit__(self, *_: object) -> None:
        self._files.remove(self.name)

    def seen(self, files: ModelFiles) -> bool:
        return files.read(self.name) is not None
