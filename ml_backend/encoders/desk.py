"""Many callers, few texts each or many: one queue of batches, computed by whoever waits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping

LONG = 64
"""Texts that are worth a thread."""

Compute = Callable[[dict[bytes, str]], dict[bytes, bytes]]
Known = Callable[[Iterable[bytes]], dict[bytes, bytes]]


class _Asked:
    """One text on its way."""

    __slots__ = ("error", "text", "vector")

    def __init__(self, text: str) -> None:
        self.text = text
        self.vector: bytes | None = None
        self.error: BaseException | None = None

    @property
    def done(self) -> bool:
        return self.vector is not None or self.error is not None


class Desk:
    """Merges what is asked at the same moment into batches, and computes a text once that several ask for.

    It keeps no threads (workers fork): a caller computes the next batch, be it another's, until its own texts are done,
    with a thread for each further core as long as its own list is long. Orders are served in turn, a batch each, so a
    long list holds nobody up; what is left of a batch is filled from the next orders. Nobody waits for more to come.
    """

    def __init__(self, compute: Compute, known: Known, *, callers: int, batch: int) -> None:
        self._compute = compute
        self._known = known  # what was computed since a caller looked
        self._callers = self._free = callers
        self._batch = batch
        self._changed = threading.Condition()
        self._on_their_way: dict[bytes, _Asked] = {}
        self._orders: deque[deque[bytes]] = deque()

    def vectors(self, texts: Mapping[bytes, str]) -> dict[bytes, bytes]:
        """The vector of each. Raises what computing one of them raised."""
        with self._changed:
            found = self._known(texts)
            new = (key for key in texts if key not in self._on_their_way and key not in found)
            order = deque(sorted(new, key=lambda key: len(texts[key])))
            self._on_their_way |= {key: _Asked(texts[key]) for key in order}
            mine = {key: self._on_their_way[key] for key in texts if key not in found}
            if order:
                self._orders.append(order)
        helpers = [
            threading.Thread(target=self._work, args=(list(mine.values()),), name="encode", daemon=True)
            for _ in range(min(self._callers - 1, len(order) // LONG))
        ]
        for helper in helpers:
            helper.start()
        self._work(list(mine.values()))
        for helper in helpers:
            helper.join()
        for asked in mine.values():
            if asked.error is not None:
                raise asked.error
        return found | {key: asked.vector for key, asked in mine.items() if asked.vector is not None}

    def _work(self, waiting: list[_Asked]) -> None:
        while batch := self._next(waiting):
            self._serve(batch)

    def _next(self, waiting: list[_Asked]) -> dict[bytes, str]:
        """A batch to compute; empty once nothing is `waiting` any more."""
        with self._changed:
            while True:
                while waiting and waiting[-1].done:
                    waiting.pop()
                if not waiting:
                    return {}
                if self._free and self._orders:
                    self._free -= 1
                    return self._take()
                self._changed.wait()

    def _take(self) -> dict[bytes, str]:
        batch: dict[bytes, str] = {}
        longest = 0
        for _ in range(len(self._orders)):
            order = self._orders.popleft()
            while order:
                longest = max(longest, len(self._on_their_way[order[0]].text))
                if batch and longest * (len(batch) + 1) > self._batch:
                    break
                key = order.popleft()
                batch[key] = self._on_their_way[key].text
            if order:
                self._orders.append(order)
                break
        return batch

    def _serve(self, batch: dict[bytes, str]) -> None:
        found: dict[bytes, bytes] = {}
        error: BaseException | None = None
        try:
            found = self._compute(batch)
        except BaseException as raised:  # told to everybody who waits for it
            error = raised
        with self._changed:
            self._free += 1
            for key in batch:
                asked = self._on_their_way.pop(key)
                asked.vector, asked.error = found.get(key), error
            self._changed.notify_all()
