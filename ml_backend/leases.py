"""Leases in Redis: one holder at a time, renewed while it lives, free half a minute after it died."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import redis
from redis.exceptions import LockError
from redis.lock import Lock

LEASE_SECONDS = 30.0  # after the death of a holder's machine, another one waits that long


class Lease:
    """True where it was got."""

    def __init__(self, lock: Lock, got: bool) -> None:
        self._lock = lock
        self._got = got

    def __bool__(self) -> bool:
        return self._got

    def still_ours(self) -> bool:
        """Asked right before what is done becomes visible: a machine that was cut off may have lost it."""
        return self._got and bool(self._lock.owned())


@contextmanager
def lease(connection: redis.Redis, name: str, *, wait: bool = False) -> Iterator[Lease]:
    """Hold the lease, renewed by a thread; yields a false one where another holds it, or with `wait` waits for it.

    A holder that is stopped for longer than LEASE_SECONDS, or a Redis that forgets, lets a second one in: what it
    guards must bear that, and cost no more than work done twice.
    """
    lock = connection.lock(name, timeout=LEASE_SECONDS, thread_local=False)
    if not lock.acquire(blocking=wait):
        yield Lease(lock, False)
        return
    done = threading.Event()

    def renew() -> None:
        while not done.wait(LEASE_SECONDS / 3):
            with suppress(LockError, redis.RedisError):
                lock.reacquire()

    thread = threading.Thread(target=renew, name=name, daemon=True)
    thread.start()
    try:
        yield Lease(lock, True)
    finally:
        done.set()
        thread.join()
        with suppress(LockError, redis.RedisError):
            lock.release()
