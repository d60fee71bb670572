"""Files of text, the same on every system."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path


def write_text(path: Path, content: str) -> Path:
    """As UTF-8, line ends as they are, halves of surrogate pairs replaced."""
    path.write_bytes(content.encode("utf-8", "replace"))
    return path


def write_lines(path: Path, values: Iterable[object]) -> Path:
    """Each as JSON on a line of its own."""
    return write_text(path, "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values))
