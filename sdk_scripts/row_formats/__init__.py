"""Formats of task sources, one file each: a file of rows -> Row or Reject, one after the other.

A reader streams. It never stops at a bad row: it yields a Reject with the line and the reason, and goes on. What a row
holds is untrusted and taken as it is: nothing is evaluated, trimmed or guessed; numbers stay numbers, an empty text
stays an empty text. Raises InputError only where the file as a whole cannot be read.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_backend.labeling.errors import ConfigError, InputError
from ml_backend.labeling.plugins import Registry
from sdk_scripts.manifest_schema import TaskSource

MAX_FIELD = 1_000_000
"""Characters of one value."""


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    """1-based: the line it starts on, or its position in formats without lines."""
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reject:
    line: int
    reason: str
    raw: str = ""
    """The row as it stands in the file, shortened."""


Reader = Callable[[Path, TaskSource], Iterator[Row | Reject]]

FORMATS: Registry[Reader] = Registry("format of task sources", __name__)
register = FORMATS.register

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def format_of(file: Path, named: str | None) -> str:
    """The name of a source's format. Raises ConfigError for one nobody reads."""
    known = ", ".join(FORMATS)
    if named is not None:
        if named not in FORMATS:
            close = difflib.get_close_matches(named, list(FORMATS), n=1)
            raise ConfigError(
                f"there is no format {named!r}{f', did you mean {close[0]}?' if close else ''};", mend=known
            )
        return named
    found = SUFFIXES.get(file.suffix.lower())
    if found is None:
        raise ConfigError(f"the format of {file.name!r} is not known by its suffix;", mend=f"add `format:` ({known})")
    return found


def check_columns(path: Path, columns: list[str], source: TaskSource) -> None:
    """Raises InputError for a named column that the file does not have."""
    named = [*([source.key] if source.key else []), *(source.fields or {}), *source.meta, *source.numbers]
    missing = [name for name in dict.fromkeys(named) if name not in columns]
    if missing:
        raise InputError(
            f"{path} has no column {', '.join(map(repr, missing))}; its columns: {', '.join(columns) or 'none'}.",
            mend="Correct key, fields, meta or numbers of this source in the manifest.",
        )


def opened(path: Path) -> Any:
    """The file, open for reading bytes. Raises InputError."""
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(
            f"The task source {path} cannot be read: {error.strerror}.", mend="Check `file:` in the manifest."
        ) from None


def shortened(raw: bytes | str) -> str:
    text = raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
    return text if len(text) <= 2000 else f"{text[:2000]}… ({len(text):,} characters)"
