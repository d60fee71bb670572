"""Label Studio's JSON export (plain or snapshot, gzip or not) -> tasks, read as a stream.

Only "JSON" is read: JSON_MIN and CSV drop who answered what, which is what every analysis here is about.
"""

from __future__ import annotations

import gzip
import io
import json
import mmap
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Raw
from msgspec.json import Decoder
from msgspec.structs import replace

from ml_backend.labeling.arms import NO_SECRET, Arms
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.results import Task
from ml_backend.labeling.task_json import TaskReader
from sdk_scripts.json_items import json_items

MAX_BYTES_TO_LOCATE = 300_000_000
"""A broken file up to this size is parsed again by the standard library, which knows the line of an error."""

_BOM = b"\xef\xbb\xbf"
_AS_JSON = 'Export the project from Label Studio again, in the format "JSON".'


@dataclass(frozen=True, slots=True)
class Export:
    tasks: list[Task]
    warnings: tuple[str, ...]
    """What was odd about the file, and what was done about it: a sentence each."""


def read_export(path: Path, arms: Arms = NO_SECRET) -> Export:
    """Read an export, its seals opened by `arms`.

    Raises InputError where there is no such file, it is not JSON (with the line), it is not an export in the JSON
    format, it holds no task, or two of its tasks have the same id.

    Tasks without an id get the lowest unused ones in the file's order; annotations that do not say who made them count
    as different people's; items that are no tasks are left out. All of this is said, with numbers, in `warnings`.
    """
    tasks: list[Task] = []
    strange: list[int] = []
    json_min = unnamed = 0
    read = TaskReader(arms)
    for position, item in enumerate(_items(path, read), start=1):
        if not isinstance(item, Task):
            strange.append(position)
            json_min += isinstance(item, Mapping) and ("annotation_id" in item or "annotator" in item)
            continue
        unnamed += sum(not annotation.annotator for annotation in item.annotations)
        tasks.append(item)
    if not tasks and json_min:
        raise InputError(f"{path} is a JSON_MIN export, which does not say who answered what.", mend=_AS_JSON)
    if not tasks and strange:
        raise InputError(f"{path} is JSON, but none of its {len(strange)} items has a `data` object.", mend=_AS_JSON)
    if not tasks:
        raise InputError(f"{path} holds no tasks.", mend="Import tasks into the project before exporting it.")
    warnings = []
    if strange:
        listed = ", ".join(map(str, strange[:5])) + (", …" if len(strange) > 5 else "")
        warnings.append(f"{len(strange)} items of {path} are no tasks and were left out (items {listed}).")
    if missing := sum(not task.id for task in tasks):
        warnings.append(f"{missing} tasks of {path} have no id; they were numbered in the file's order.")
    if unnamed:
        warnings.append(
            f"{unnamed} annotations of {path} do not say who made them; they count as different people's, and figures "
            "per annotator leave them out."
        )
    if read.ids_only:
        warnings.append(
            f"{path} lists only the ids of its predictions; to compare people with the model, export a snapshot with "
            "full predictions, or use the project itself."
        )
    return Export(_numbered(path, tasks), tuple(warnings))


def _numbered(path: Path, tasks: list[Task]) -> list[Task]:
    taken = Counter(task.id for task in tasks if task.id)
    if doubled := sorted(task for task, times in taken.items() if times > 1):
        listed = ", ".join(map(str, doubled[:5])) + (", …" if len(doubled) > 5 else "")
        raise InputError(
            f"{len(doubled)} task ids occur more than once in {path}: {listed}.",
            mend="Give each project's export as a file of its own.",
        )
    free = (number for number in range(1, 2 * len(tasks) + 1) if number not in taken)
    return [task if task.id else replace(task, id=next(free)) for task in tasks]


def _items(path: Path, read: TaskReader) -> Iterator[Task | Any]:
    """The items of the top-level list, one at a time; those that are no tasks as they are."""
    import ijson

    try:
        with path.open("rb") as raw, _unpacked(path, raw) as stream:
            if (first := _first_byte(stream)) != b"[":
                raise InputError(f"{path} is not a list of tasks{_instead(first, path)}.", mend=_AS_JSON)
            start = stream.tell()
            done = 0
            if stream is raw:
                try:
                    for text in _texts(raw):
                        yield _task(read, text)
                        done += 1
                    return
                except (ValueError, RecursionError):  # what is wrong, and where, is said by the slower parser
                    stream.seek(start)
            for item in islice(json_items(stream), done, None):
                yield read.of(item) if _is_task(item) else item
    except ijson.JSONError as error:
        raise InputError(f"{path} is not valid JSON{_place(path, error)}.", mend=_AS_JSON) from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"{path} cannot be unpacked: {error}.", mend="Download or compress the file again.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text.", mend=_AS_JSON) from None
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.", mend="Check the path.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.", mend="Check the path.") from None


def _texts(file: io.BufferedReader) -> list[Raw]:
    """The bytes of each item of the list that starts at the file's place. Raises ValueError where it is no list."""
    try:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:  # a pipe
        raise ValueError(str(error)) from None
    return Decoder(list[Raw]).decode(memoryview(content)[file.tell() :])


def _task(read: TaskReader, text: Raw) -> Task | Any:
    try:
        return read(text)
    except InputError:
        return json.loads(bytes(text))


def _is_task(item: Any) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get("data"), Mapping)


def _unpacked(path: Path, raw: io.BufferedReader) -> io.BufferedIOBase:
    start = raw.peek(4)[:4]
    if start.startswith(b"PK\x03\x04"):
        raise InputError(f"{path} is a ZIP archive.", mend="Unpack it and give the JSON file inside.")
    return gzip.GzipFile(fileobj=raw) if start.startswith(b"\x1f\x8b") else raw


def _first_byte(stream: io.BufferedIOBase) -> bytes:
    """The first byte that is neither byte order mark nor white space; the stream is left standing before it."""
    start = stream.read(3)
    stream.seek(len(_BOM) if start == _BOM else 0)
    while (byte := stream.read(1)) and byte in b" \t\r\n":
        pass
    stream.seek(-len(byte), io.SEEK_CUR)
    return byte


def _instead(first: bytes, path: Path) -> str:
    if not first:
        return ": the file is empty"
    if first == b"{":
        return ", but a single JSON object (or one object a line)"
    return _place(path, None)


def _place(path: Path, error: Exception | None) -> str:
    """Where it breaks, as precisely as can be said."""
    if path.stat().st_size <= MAX_BYTES_TO_LOCATE:
        try:
            with path.open("rb") as raw, _unpacked(path, raw) as stream:
                json.loads(stream.read().decode("utf-8-sig"))
        except json.JSONDecodeError as found:
            return f": line {found.lineno}, column {found.colno}: {found.msg}"
        except UnicodeDecodeError as found:
            return f": byte {found.start} is not UTF-8"
        except (ValueError, RecursionError, MemoryError):  # a number of thousands of digits, too
            pass
    reason = " ".join(str(error).split()) if error else "it does not start with ["
    return f": {reason}"
