"""Formats of training sets, one file each: an Export -> files in a folder.

The same export gives the same bytes: no times, no random names, keys and rows in a fixed order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ml_backend.labeling.plugins import Registry
from sdk_scripts.training_export.model import Export

Write = Callable[[Export, Path], Iterable[Path]]
"""Writes into the folder, which is there and empty; gives the files it made. Raises InputError, naming control and
task, for what the format cannot hold."""


@dataclass(frozen=True, slots=True)
class Format:
    write: Write
    kinds: frozenset[str] | None = None
    """The kinds of control it can hold; None: all of them."""
    what: str = ""
    """For `--help` and the data card, one line."""


FORMATS: Registry[Format] = Registry("format of training sets", __name__)
