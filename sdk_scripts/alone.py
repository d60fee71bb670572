"""One at a time on this machine: two who do the same at once would both make what neither has found yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ml_backend.labeling.errors import InputError

if TYPE_CHECKING:
    from ml_backend.settings import Settings

WAIT_SECONDS = 600.0


@contextmanager
def alone(settings: Settings, what: str) -> Iterator[None]:
    """Hold the lock of that name ("cases-of-7"), or wait for it. Raises InputError where that takes WAIT_SECONDS.

    It holds off processes that share TIEBREAK_HOME; what machines do at the same time has to be found afterwards.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(settings.folder("locks") / f"{what}.lock", timeout=WAIT_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(
            f"Somebody else has been at work on {what} for {WAIT_SECONDS:.0f} seconds.",
            mend="Wait until that has ended.",
        ) from None
    try:
        yield
    finally:
        lock.release()
