"""CSV and other delimited text with a header row (RFC 4180, UTF-8 with or without a byte order mark)."""

from __future__ import annotations

import csv
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ml_backend.labeling.errors import InputError
from sdk_scripts.manifest_schema import TaskSource
from sdk_scripts.row_formats import MAX_FIELD, Reject, Row, check_columns, opened, register, shortened

MAX_RECORD = 50_000_000
"""Bytes of one record: a quote that is never closed must not swallow the memory."""


@register("csv")
def read_csv(path: Path, source: TaskSource) -> Iterator[Row | Reject]:
    """Every value is text. A record with too many or too few fields, bad quoting or bad UTF-8 is rejected.

    A broken record of several lines loses its first line only and reading goes on at its second, so that one stray
    quote does not take the rows after it along.
    """
    with opened(path) as file:
        lines = _Lines(file)
        if lines.starts_with(b"\xff\xfe", b"\xfe\xff"):
            raise InputError(f"{path} is UTF-16, not UTF-8.", mend="Save it as UTF-8 (in Excel: CSV UTF-8).")
        delimiter = source.delimiter or ("\t" if path.suffix.lower() == ".tsv" else ",")
        header = next(_records(lines, delimiter), None)
        if header is None:
            raise InputError(f"{path} is empty.", mend="Its first row must name the columns.")
        if isinstance(header, Reject):
            raise InputError(f"{path}:{header.line}: the header {header.reason}.", mend="Mend the first row.")
        columns = [name or f"column_{place}" for place, name in enumerate(header[1], 1)]
        if twice := sorted({name for name in columns if columns.count(name) > 1}):
            raise InputError(f"{path}:1: two columns are named {', '.join(map(repr, twice))}.", mend="Rename one.")
        check_columns(path, columns, source)
        for record in _records(lines, delimiter):
            yield record if isinstance(record, Reject) else _row(record, columns)


def _row(record: tuple[int, list[str], str], columns: list[str]) -> Row | Reject:
    line, values, raw = record
    if len(values) != len(columns):
        many = "more" if len(values) > len(columns) else "fewer"
        return Reject(line, f"has {len(values)} fields, {many} than the header's {len(columns)}", raw)
    return Row(line, dict(zip(columns, values, strict=True)))


def _records(lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str], str] | Reject]:
    """(line, values, raw) of each record that is not blank."""
    csv.field_size_limit(sys.maxsize)  # lengths are checked below, with a reason
    while True:
        reader = csv.reader(lines.texts(), delimiter=delimiter, strict=True)
        start = lines.number + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            taken = lines.taken()
            said = "a quote is opened and never closed" if "unexpected end" in str(error) else str(error)
            lines.push_back(taken[1:])
            yield Reject(start, f"is not CSV ({said})", shortened(taken[0]))
            continue
        raw = b"".join(lines.taken())
        if values:
            yield _checked(start, values, raw)


def _checked(start: int, values: list[str], raw: bytes) -> tuple[int, list[str], str] | Reject:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = start + raw.count(b"\n", 0, error.start)
        return Reject(line, f"is not UTF-8 (byte 0x{raw[error.start]:02x})", shortened(raw))
    if longest := max((len(value) for value in values if len(value) > MAX_FIELD), default=0):
        return Reject(start, f"has a field of {longest:,} characters (at most {MAX_FIELD:,})", shortened(raw))
    return start, values, shortened(raw)


class _Lines:
    """The file's lines, with those of the record at hand kept so that they can be read again."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._waiting: deque[bytes] = deque()
        self._taken: list[bytes] = []
        self.number = 0
        """Of the last line taken."""
        first = file.readline()
        if first:
            self._waiting.append(first.removeprefix(b"\xef\xbb\xbf"))

    def starts_with(self, *marks: bytes) -> bool:
        return bool(self._waiting) and self._waiting[0].startswith(marks)

    def texts(self) -> Iterator[str]:
        size = 0
        while line := self._waiting.popleft() if self._waiting else self._file.readline():
            self._taken.append(line)
            self.number += 1
            size += len(line)
            if size > MAX_RECORD:
                raise csv.Error(f"a quote opens over {MAX_RECORD:,} bytes")
            yield line.decode("utf-8", "replace")

    def taken(self) -> list[bytes]:
        """The lines of the record at hand; the next one starts empty."""
        taken, self._taken = self._taken, []
        return taken

    def push_back(self, lines: list[bytes]) -> None:
        self._waiting.extendleft(reversed(lines))
        self.number -= len(lines)
