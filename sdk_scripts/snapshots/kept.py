"""A snapshot: Parquet files of raw task JSON in order of id, and an index that names them, written last.

A file is never changed: what changed gets a file of its own in place of the former one, and the index says which count.
So a reader sees the former snapshot or the new one, whatever dies in between.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import structlog

from ml_backend.labeling.errors import UNREADABLE

FORMAT = 1
PART = 2_000
"""Tasks in a file."""
SCHEMA: dict[str, pl.DataType] = {
    "id": pl.Int64(),
    "updated_at": pl.String(),
    "annotations": pl.Int64(),  # that are there, skipped ones not counted
    "skipped": pl.Int64(),
    "versions": pl.List(pl.String()),  # of its predictions, one each
    "marks": pl.String(),  # the counts that Label Studio keeps with the task
    "json": pl.String(),
}
INDEX = [name for name in SCHEMA if name != "json"]

log = structlog.stdlib.get_logger()


class Unusable(Exception):
    """Why a snapshot cannot be used."""


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    rows: int
    first: int
    """Lowest id."""
    last: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Index:
    """What the snapshot is of."""

    url: str
    exported: bool
    """Whether it was read through an export."""
    newest: str
    """`Standing.newest` before the read: what changed from there on may be missing."""
    versions: Mapping[str, tuple[int, str]]
    people: tuple[int, ...]
    checked_at: float
    """Unix seconds, of this machine: when every task's mark was compared last."""
    parts: tuple[Part, ...] = ()
    format: int = FORMAT


@dataclass
class Snapshot:
    folder: Path
    url: str
    broken: bool = field(default=False, init=False)
    """Nothing more can be written."""

    def index(self) -> Index:
        """Raises Unusable where there is none, or it is damaged, of another version or of another server."""
        try:
            document = json.loads((self.folder / "index.json").read_bytes())
            if document["format"] != FORMAT:
                raise Unusable(f"it has format {document['format']}, this version reads {FORMAT}")
            versions = {str(name): (int(n), str(at)) for name, (n, at) in document["versions"].items()}
            parts = tuple(Part(**part) for part in document["parts"])
            index = Index(**{**document, "versions": versions, "parts": parts, "people": tuple(document["people"])})
        except FileNotFoundError:
            raise Unusable("there is none yet") from None
        except (OSError, *UNREADABLE) as error:
            raise Unusable(f"its index is damaged: {error!r}") from None
        if index.url != self.url:
            raise Unusable(f"it is of {index.url}")
        return index

    def read(self, part: Part, columns: list[str] | None = None) -> pl.DataFrame:
        """Raises Unusable where the file is not as it was written."""
        try:
            content = self._path(part).read_bytes()
        except OSError as error:
            raise Unusable(f"{part.name} cannot be read: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != part.sha256:
            raise Unusable(f"{part.name} is damaged")
        return pl.read_parquet(io.BytesIO(content), columns=columns)

    def tasks(self, part: Part) -> Iterator[dict[str, Any]]:
        for text in self.read(part, ["json"])["json"]:
            yield json.loads(text)

    def write(self, tasks: Iterable[Mapping[str, Any]]) -> Part | None:
        """Some tasks, ascending, as a file; None where nothing can be written any more, which the log says once."""
        rows = [row_of(task) for task in tasks]
        table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        buffer = io.BytesIO()
        table.write_parquet(buffer, compression="zstd")
        content = buffer.getvalue()
        name = f"{secrets.token_hex(8)}.parquet"
        part = Part(name, len(rows), int(rows[0][0]), int(rows[-1][0]), hashlib.sha256(content).hexdigest())
        return part if self._write(name, content) else None

    def commit(self, index: Index) -> None:
        """From here on it is this, if all of its files could be written; what it does not name is removed."""
        if self.broken or not self._write("index.json", json.dumps(asdict(index)).encode()):
            return
        named = {part.name for part in index.parts}
        for path in self.folder.iterdir():
            if path.name not in named and path.suffix in (".parquet", ".new"):
                path.unlink(missing_ok=True)

    def _write(self, name: str, content: bytes) -> bool:
        draft = self.folder / f"{name}.{os.getpid()}.new"
        try:
            if not self.broken:
                draft.write_bytes(content)
                draft.replace(self.folder / name)
        except OSError as error:
            self.broken = True
            log.warning("no snapshot is kept", folder=str(self.folder), why=error.strerror)
            draft.unlink(missing_ok=True)
        return not self.broken

    def _path(self, part: Part) -> Path:
        return self.folder / Path(part.name).name


def in_parts(tasks: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """PART tasks at a time."""
    remaining = iter(tasks)
    while some := list(islice(remaining, PART)):
        yield some


def row_of(task: Mapping[str, Any]) -> tuple[Any, ...]:
    annotations = task.get("annotations") or ()
    skipped = sum(bool(it.get("was_cancelled")) for it in annotations)
    versions = [str(it.get("model_version") or "") for it in task.get("predictions") or ()]
    text = json.dumps(task, ensure_ascii=True, separators=(",", ":"))  # half a surrogate pair is no UTF-8
    return (
        int(task["id"]),
        str(task.get("updated_at") or ""),
        len(annotations) - skipped,
        skipped,
        versions,
        mark_of(task),
        text,
    )


def mark_of(task: Mapping[str, Any]) -> str:
    counts = (task.get(name) for name in ("total_annotations", "cancelled_annotations", "total_predictions"))
    return f"{task.get('updated_at') or ''} {' '.join(map(str, counts))}"


def url_of(folder: Path) -> str | None:
    """Of which Label Studio the snapshot in a folder is, whatever its version."""
    try:
        return str(json.loads((folder / "index.json").read_bytes())["url"])
    except (OSError, *UNREADABLE):
        return None
