"""Values of `<Image>` tags -> pictures, each fetched and read once.

What is known of an image is kept by the SHA-256 of its file and the id of what read it, so an image under two addresses
is read once, and a changed model reads anew. What is behind an address is believed for a day.
"""

from __future__ import annotations

import hashlib
import math
import struct
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import structlog

from ml_backend.images import Picture, Unreadable
from ml_backend.images.clip import Clip
from ml_backend.images.decoding import decode
from ml_backend.images.ocr import Ocr
from ml_backend.vector_cache import VectorCache

if TYPE_CHECKING:
    from PIL.Image import Image

log = structlog.stdlib.get_logger()

SECONDS = 5.0
"""For one image to come. One that takes longer counts as unreadable."""
AT_ONCE = 8
"""Images in memory at the same time, at most 12 MB each."""
THREADS = 4
"""Images fetched and decoded at the same time."""
BELIEVED = 86_400.0  # seconds that an address is taken to lead to the same file
TRIED_AGAIN = 60.0  # seconds after which an image that could not be read is asked for again
REMEMBERED = 10_000  # images that could not be read


class Fetch(Protocol):
    def __call__(self, value: str, deadline: float, /) -> bytes: ...


@dataclass(frozen=True)
class _Opened:
    digest: bytes
    image: Image


class Album:
    """Thread-safe."""

    def __init__(self, fetch: Fetch, cache: VectorCache, *, clip: Clip | None, ocr: Ocr | None) -> None:
        self.clip = clip
        self.ocr = ocr
        self._fetch = fetch
        self._cache = cache
        self._lock = threading.Lock()
        self._failed: OrderedDict[bytes, float] = OrderedDict()

    def look(self, values: Sequence[str], until: float = math.inf) -> dict[str, Picture]:
        """The pictures that can be read, by value. From `until` on (of `time.monotonic`) nothing more is fetched or
        read, and only what is known already is answered. Raises ModelUnavailable."""
        found = self._known(values)
        now = time.monotonic()
        missing = [it for it in dict.fromkeys(values) if it not in found and self._failed.get(_address(it), 0) <= now]
        for start in range(0, len(missing), AT_ONCE):
            if time.monotonic() >= until:
                log.info("images are left for later", count=len(missing) - start)
                break
            found |= self._read(missing[start : start + AT_ONCE], until)
        return found

    def _known(self, values: Iterable[str]) -> dict[str, Picture]:
        addresses = {value: _address(value) for value in values}
        if not addresses:
            return {}
        digests = {}
        rows = self._cache.get(list(addresses.values()))
        for value, address in addresses.items():
            if len(row := rows.get(address, b"")) == 40 and abs(time.time() - _time(row)) < BELIEVED:
                digests[value] = row[:32]
        pictures = self._kept(set(digests.values()))
        return {value: pictures[digest] for value, digest in digests.items() if digest in pictures}

    def _kept(self, digests: Iterable[bytes]) -> dict[bytes, Picture]:
        """The pictures of which everything is known that can be."""
        keys = {digest: (self._vector_key(digest), self._text_key(digest)) for digest in digests}
        rows = self._cache.get([key for pair in keys.values() for key in pair if key])
        found = {}
        for digest, (vector_key, text_key) in keys.items():
            if all(key in rows for key in (vector_key, text_key) if key):
                vector = np.frombuffer(rows[vector_key], np.float16) if vector_key else None
                text = rows[text_key].decode(errors="replace") if text_key else ""
                found[digest] = Picture(digest.hex(), text, vector)
        return found

    def _read(self, values: Sequence[str], until: float) -> dict[str, Picture]:
        opened = self._open(values, until)
        images = {it.digest: it.image for it in opened.values()}
        pictures = self._kept(images)
        new = {digest: image for digest, image in images.items() if digest not in pictures}
        pictures |= self._see(new, until)
        now = struct.pack(">d", time.time())
        found = {value: pictures[it.digest] for value, it in opened.items() if it.digest in pictures}
        self._cache.put({_address(value): opened[value].digest + now for value in found})
        return found

    def _open(self, values: Sequence[str], until: float) -> dict[str, _Opened]:
        def one(value: str) -> _Opened:
            try:
                content = self._fetch(value, min(until, time.monotonic() + SECONDS))
            except Unreadable:
                raise
            except Exception as error:  # whatever a value made for it does to a client: it costs its own task only
                raise Unreadable(f"{type(error).__name__}: {error}") from error
            return _Opened(hashlib.sha256(content).digest(), decode(content))

        # Not as a context, which would wait for what is late: resolving a name can take as long as it likes.
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="image")
        try:
            tasks = {value: pool.submit(one, value) for value in values}
            rounds = -(-len(tasks) // THREADS)
            wait(tasks.values(), timeout=max(0.0, min(until - time.monotonic(), rounds * SECONDS)) + 0.5)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        opened = {}
        for value, task in tasks.items():
            try:
                if not task.done() or task.cancelled():
                    raise Unreadable("it did not come in time")
                opened[value] = task.result()
            except Unreadable as error:
                if time.monotonic() < until:  # else it may have been the request that had no time
                    self._fail(value, error)
        return opened

    def _see(self, images: Mapping[bytes, Image], until: float) -> dict[bytes, Picture]:
        vectors: dict[bytes, bytes] = {}
        if self.clip and images:
            rows = self.clip.see(list(images.values())).astype(np.float16)
            vectors = {digest: row.tobytes() for digest, row in zip(images, rows, strict=True)}
        kept = {key: vector for digest, vector in vectors.items() if (key := self._vector_key(digest))}
        if self.ocr:
            for digest, image in images.items():
                if time.monotonic() >= until:
                    break
                try:
                    text = self.ocr.read(image)
                except Unreadable as error:
                    log.warning("text in an image", image=digest.hex()[:16], why=str(error))
                    text = ""
                kept[self._text_key(digest)] = text.encode(errors="replace")
        self._cache.put(kept)
        found = {}
        for digest in images:
            if not self.ocr or self._text_key(digest) in kept:
                vector = np.frombuffer(vectors[digest], np.float16) if self.clip else None
                text = kept[self._text_key(digest)].decode() if self.ocr else ""
                found[digest] = Picture(digest.hex(), text, vector)
        return found

    def _fail(self, value: str, why: Unreadable) -> None:
        address = _address(value)
        with self._lock:
            again = self._failed.pop(address, None) is not None
            self._failed[address] = time.monotonic() + TRIED_AGAIN
            if len(self._failed) > REMEMBERED:
                self._failed.popitem(last=False)
        if not again:
            log.warning("an image is not read", image=_shown(value), why=str(why))

    def _vector_key(self, digest: bytes) -> bytes:
        return hashlib.sha256(f"vector\0{self.clip.id}\0".encode() + digest).digest() if self.clip else b""

    def _text_key(self, digest: bytes) -> bytes:
        return hashlib.sha256(f"text\0{self.ocr.id}\0".encode() + digest).digest() if self.ocr else b""


def _address(value: str) -> bytes:
    return hashlib.sha256(b"address\0" + value.encode(errors="replace")).digest()


def _time(row: bytes) -> float:
    return float(struct.unpack(">d", row[32:])[0])


def _shown(value: str) -> str:
    """An address without its query and fragment, where signed ones keep their secrets, and without a password."""
    start = value[:200].partition("?")[0].partition("#")[0]
    scheme, apart, rest = start.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if apart else start[:60]
