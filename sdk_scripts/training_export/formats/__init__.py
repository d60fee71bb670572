"""Formats of training sets, one file each: an Export -> files in a folder.

The same export gives the same bytes: no times, no random names, keys and rows in a fixed order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml_backend.labeling.plugins import Registry
from sdk_scripts.training_export.model import Export


@dataclass(frozen=True, slots=True)
class Written:
    files: tuple[Path, ...]
    lost: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """What did not come through as it was labelled: why -> the task of each row, span or box, in order."""


Write = Callable[[Export, Path], Written]
"""Writes into the folder, which is there and empty. Raises InputError, naming control and task, for what the format
cannot hold."""


@dataclass(frozen=True, slots=True)
class Format:
    write: Write
    kinds: frozenset[str] | None = None
    """The kinds of control it can hold; None: all of them."""
    what: str = ""
    """For `--help` and the data card, one line."""
    front: Callable[[Export, str], Mapping[str, Any]] | None = None
    """Fields of the data card's YAML front matter (`configs`, …) by which `datasets.load_dataset(DIR, control)` finds
    the files, given where the format's folder lies in DIR ("huggingface"). A config bears the name of
    `ControlSet.folder`. None: `datasets` does not read the format."""


FORMATS: Registry[Format] = Registry("format of training sets", __name__)
