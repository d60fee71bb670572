"""Vectors kept by content: an unchanged text is never encoded twice, in this process, the next one or a worker beside.

A cache is a hint. Torn or foreign rows are as good as none, a damaged file is set aside and begun anew, and a disk that
cannot be written only costs time.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import structlog

log = structlog.stdlib.get_logger()

MEMORY_BYTES = 32_000_000
DISK_BYTES = 500_000_000
"""Half a million vectors of 384 dimensions. The oldest rows go first, in proportion to the newest's length."""
_ROW_OVERHEAD = 200  # bytes of a key and its slot, in memory and, with its index, on disk
_LOG_BYTES = 16_000_000
_BUSY_SECONDS = 5
_AT_ONCE = 500  # parameters of one statement
_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL, checksum INTEGER NOT NULL
)"""


class VectorCache:
    """Key (bytes) -> vector (bytes), in memory and in an SQLite file that several processes share. Thread-safe."""

    def __init__(self, path: Path, *, memory_bytes: int = MEMORY_BYTES, disk_bytes: int = DISK_BYTES) -> None:
        self.path = path
        self.memory_bytes = memory_bytes
        self.disk_bytes = disk_bytes
        self._lock = threading.Lock()
        self._memory: OrderedDict[bytes, bytes] = OrderedDict()
        self._held = 0  # bytes
        self._file: sqlite3.Connection | None = None
        self._owner = 0  # the process that opened the file: a connection does not survive a fork

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The vectors known."""
        found = self.remembered(keys)
        if missing := [key for key in dict.fromkeys(keys) if key not in found]:
            read = self._read(missing)
            self._remember(read)
            found |= read
        return found

    def remembered(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Those in memory; the file is not asked."""
        with self._lock:
            found = {key: vector for key in keys if (vector := self._memory.get(key)) is not None}
            for key in found:
                self._memory.move_to_end(key)
        return found

    def put(self, vectors: Mapping[bytes, bytes]) -> None:
        if not vectors:
            return
        self._remember(vectors)
        self._write([(key, vector, zlib.crc32(vector)) for key, vector in vectors.items()])

    def _remember(self, vectors: Mapping[bytes, bytes]) -> None:
        with self._lock:
            for key, vector in vectors.items():
                if (before := self._memory.pop(key, None)) is not None:
                    self._held -= len(before) + _ROW_OVERHEAD
                self._memory[key] = vector
                self._held += len(vector) + _ROW_OVERHEAD
            while self._held > self.memory_bytes and self._memory:
                _, gone = self._memory.popitem(last=False)
                self._held -= len(gone) + _ROW_OVERHEAD

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        with self._lock:
            try:
                for start in range(0, len(keys), _AT_ONCE):
                    some = keys[start : start + _AT_ONCE]
                    marks = ",".join("?" * len(some))
                    rows: Iterable[tuple[bytes, bytes, int]] = self._open().execute(
                        f"SELECT key, vector, checksum FROM vectors WHERE key IN ({marks})",  # noqa: S608  # only "?,?"
                        some,
                    )
                    found |= {k: v for k, v, check in rows if zlib.crc32(v) == check}
            except (sqlite3.Error, OSError, TypeError) as error:
                self._recover(error)
        return found

    def _write(self, rows: Sequence[tuple[bytes, bytes, int]]) -> None:
        with self._lock:
            try:
                file = self._open()
                with file:
                    file.executemany(
                        "INSERT INTO vectors (key, vector, checksum) VALUES (?, ?, ?) ON CONFLICT (key) "
                        "DO UPDATE SET vector = excluded.vector, checksum = excluded.checksum",
                        rows,
                    )
                    file.execute(
                        "DELETE FROM vectors WHERE id <= (SELECT MAX(id) FROM vectors) - ?",
                        (self.disk_bytes // (max(len(vector) for _, vector, _ in rows) + _ROW_OVERHEAD),),
                    )
            except (sqlite3.Error, OSError) as error:
                self._recover(error)

    def _open(self) -> sqlite3.Connection:
        if self._file is None or self._owner != os.getpid():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, check_same_thread=False)
            file.execute("PRAGMA page_size=16384")  # of a new file: smaller pages hold one wide vector and a lot of air
            file.execute("PRAGMA journal_mode=WAL")
            file.execute("PRAGMA synchronous=NORMAL")
            file.execute(f"PRAGMA journal_size_limit={_LOG_BYTES}")
            file.execute(_SCHEMA)
            self._file, self._owner = file, os.getpid()
        return self._file

    def _recover(self, error: Exception) -> None:
        """Go on without the file where it is busy or read-only; begin it anew where it is damaged."""
        if self._file is not None and self._owner == os.getpid():
            self._file.close()
        self._file = None
        damaged = isinstance(error, sqlite3.DatabaseError) and (
            not isinstance(error, sqlite3.OperationalError) or "no such" in str(error) or "column" in str(error)
        )
        log.warning("vector cache", file=str(self.path), why=str(error), begun_anew=damaged)
        if damaged:
            for suffix in ("", "-wal", "-shm"):
                part = self.path.with_name(self.path.name + suffix)
                try:
                    part.replace(part.with_name(part.name + ".damaged"))
                except OSError:
                    continue
