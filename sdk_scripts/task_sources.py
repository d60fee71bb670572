"""Task sources: rows of a file -> tasks with a stable key, and a rejects file for the rows that cannot be tasks.

A task's key is its row's `key` column, or a hash of what the row gives the task where the source names none. It is kept
in the task's data as `tiebreak_key`, so Label Studio itself knows what has been imported: an import that broke off goes
on where it stopped, and the same file again adds only what is new in it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from defusedxml.ElementTree import fromstring

from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.task_data import lookup
from sdk_scripts.manifest_schema import TASK_KEY, TaskSource
from sdk_scripts.row_formats import FORMATS, Reject, Row, format_of, shortened

MAX_KEY = 1_000
MAX_DEPTH = 100
_SURROGATE = re.compile("[\ud800-\udfff]")
_VARIABLE = re.compile(r"\$(\w+)")
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_LARGEST = 2**63

# What Label Studio takes for the data behind a tag; a task with anything else makes it refuse the whole batch.
_TYPES: Mapping[str, tuple[type, ...]] = {
    "Text": (str, int, float, list),
    "Header": (str, int, float),
    "HyperText": (str,),
    "Image": (str, list),
    "Paragraphs": (list, str),
    "Chat": (list, str),
    "Table": (dict, list, str),
    "TimeSeries": (dict, list, str),
    "List": (list, str),
    "Choices": (str, list),
    "Labels": (str, list),
    "Taxonomy": (str, list, type(None)),
    "Ranker": (list, str),
}
_JSON_NAMES = {str: "text", int: "number", float: "number", list: "list", dict: "object", bool: "true/false"}


@dataclass(frozen=True, slots=True)
class NewTask:
    line: int
    key: str
    data: Mapping[str, Any]
    meta: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As Label Studio imports it."""
        body: dict[str, Any] = {"data": {**self.data, TASK_KEY: self.key}}
        return {**body, "meta": dict(self.meta)} if self.meta else body


@dataclass
class Rejects:
    """Rows of one source that were not imported: counted by reason, and written to a file with the rows themselves."""

    source: str
    file: Path
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return self.reasons.total()

    def to_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "rows": self.count,
            "file": str(self.file),
            "reasons": dict(self.reasons.most_common(20)),
        }


class RejectsFile:
    """Collects rejects as JSON Lines, `{"line", "reason", "row"}`. Replaced as a whole; no file where there is none."""

    def __init__(self, source: str, file: Path) -> None:
        self.rejects = Rejects(source, file)
        self._draft = file.with_suffix(f".{os.getpid()}.draft")

    def __enter__(self) -> RejectsFile:
        self.rejects.file.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self._draft.open("w", encoding="utf-8")
        return self

    def add(self, reject: Reject) -> None:
        self.rejects.reasons[_kind_of_reason(reject.reason)] += 1
        document = {"line": reject.line, "reason": reject.reason, "row": reject.raw}
        self._stream.write(json.dumps(document, ensure_ascii=True) + "\n")

    def __exit__(self, failed: object, *_: object) -> None:
        self._stream.close()
        if failed is None and self.rejects.count:
            self._draft.replace(self.rejects.file)
        else:
            self._draft.unlink(missing_ok=True)
            if failed is None:
                self.rejects.file.unlink(missing_ok=True)


def rejects_path(folder: Path, manifest: str, file: Path) -> Path:
    """Where a source's rejects go: one file a source, which tells equal names in two folders apart."""
    apart = hashlib.sha256(str(file).encode()).hexdigest()[:6]
    safe = re.sub(r"[^\w.-]", "_", file.name)
    return folder / manifest / f"{safe}.{apart}.jsonl"


def needed_fields(config: LabelConfig) -> dict[str, str]:
    """Task data that the label config shows, with the tag that shows it: Label Studio refuses tasks without it.

    As Label Studio finds them: every named tag counts, and of `About $brand and $model` only `brand`.
    """
    needed: dict[str, str] = {}
    for element in fromstring(config.xml, forbid_dtd=True).iter():
        value = element.get("value", "")
        if not element.get("name") or "$" not in value:
            continue
        found = [value[1:]] if value.startswith("$") else _VARIABLE.findall(value)[:1]
        for name in filter(None, found):
            if needed.get(name) != "Video":
                needed[name] = element.tag
    return needed


def read_tasks(path: Path, source: TaskSource, config: LabelConfig) -> Iterator[NewTask | Reject]:
    """The source's rows as tasks, each key once. Raises InputError where the file as a whole cannot be read."""
    needed = needed_fields(config)
    lines: dict[str, int] = {}
    for row in FORMATS[format_of(path, source.format)](path, source):
        task = row if isinstance(row, Reject) else _task(row, source, needed)
        if isinstance(task, Reject):
            yield task
        elif task.key in lines:
            same = "the key" if source.key else "everything"
            yield _reject(row, f"has {same} of line {lines[task.key]}")  # type: ignore[arg-type]  # rejects went above
        else:
            lines[task.key] = task.line
            yield task


def _task(row: Row, source: TaskSource, needed: Mapping[str, str]) -> NewTask | Reject:
    try:
        values = {name: _number(name, value) if name in source.numbers else value for name, value in row.values.items()}
        fields = (
            source.fields if source.fields is not None else {name: name for name in values if name not in source.meta}
        )
        data = {_storable(name, key): _storable(name, values[name]) for name, key in fields.items() if name in values}
        meta = {
            _storable(name, key): _storable(name, values[name]) for name, key in source.meta.items() if name in values
        }
        if source.fields is None:
            data.pop(TASK_KEY, None)
        _check_needed(data, needed)
        key = _key(row, source, data, meta)
    except _Unusable as error:
        return _reject(row, str(error))
    return NewTask(row.line, f"{source.name}:{key}" if source.name else key, data, meta)


class _Unusable(ValueError):
    pass


def _key(row: Row, source: TaskSource, data: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    if source.key is None:
        canonical = json.dumps([data, meta], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]
    value = row.values.get(source.key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 7.0 is how a table with gaps writes 7
    if isinstance(value, bool) or not isinstance(value, str | int | float) or str(value).strip() == "":
        raise _Unusable(f"has no key in {source.key!r}")
    key = str(_storable(source.key, value)).strip()
    if len(key) > MAX_KEY:
        raise _Unusable(f"has a key of {len(key):,} characters (at most {MAX_KEY:,})")
    return key


def _check_needed(data: Mapping[str, Any], needed: Mapping[str, str]) -> None:
    for path, tag in needed.items():
        repeated = "[" in path
        name = path.split("[")[0]
        value = lookup(data, name)
        if value is None and not (name in data and type(None) in _TYPES.get(tag, ())):
            raise _Unusable(f"has no {name!r}, which the label config shows")
        allowed = (list,) if repeated else _TYPES.get(tag, (str,))
        if not isinstance(value, allowed):
            is_, want = _JSON_NAMES.get(type(value), "null"), [_JSON_NAMES.get(one, "null") for one in allowed]
            raise _Unusable(f"has {name!r} as {is_}, but <{tag}> shows {' or '.join(dict.fromkeys(want))}")


def _number(name: str, value: Any) -> Any:
    """A column declared in `numbers`: its text as a number; an empty text stays one."""
    if not isinstance(value, str) or value == "":
        return value
    if not _NUMBER.fullmatch(text := value.strip()):
        raise _Unusable(f"has no number in {name!r}")
    number = float(text)
    return int(text) if re.fullmatch(r"[-+]?\d{1,19}", text) and abs(number) < _LARGEST else number


def _storable(name: str, value: Any, depth: int = 0) -> Any:
    """The value, where JSON and every database behind Label Studio can hold it. Raises _Unusable."""
    if depth > MAX_DEPTH:
        raise _Unusable(f"has {name!r} nested over {MAX_DEPTH} levels deep")
    match value:
        case str():
            if "\0" in value:
                raise _Unusable(f"has a NUL character in {name!r}")
            if _SURROGATE.search(value):
                raise _Unusable(f"has half a surrogate pair in {name!r}")
        case float() if not math.isfinite(value):
            raise _Unusable(f"has a number in {name!r} that is not finite")
        case int() if abs(value) >= _LARGEST:
            raise _Unusable(f"has a whole number in {name!r} beyond 64 bits")
        case Mapping():
            for key, item in value.items():
                _storable(name, key, depth + 1)
                _storable(name, item, depth + 1)
        case list():
            for item in value:
                _storable(name, item, depth + 1)
    return value


def _reject(row: Row, reason: str) -> Reject:
    return Reject(row.line, reason, shortened(json.dumps(dict(row.values), ensure_ascii=False, default=str)))


def _kind_of_reason(reason: str) -> str:
    """Reasons with their numbers taken out, so that they can be counted."""
    return re.sub(r"\b(line|has) [\d,]+", r"\1 …", reason)
