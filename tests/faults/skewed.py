"""Run a `tiebreak` command with a clock that is off: `python -m tests.faults.skewed SECONDS COMMAND …`.

SIGUSR1 sets it right, in the middle of whatever runs.

Off are `time.time`, `time.time_ns` and every `datetime` that Python code asks for now, in this process and in what it
forks. Not off are clocks that C code reads by itself: the stamps of files, those of Valkey and SQLite; nor
`time.monotonic`, which no change of the clock moves.
"""

from __future__ import annotations

import datetime
import mmap
import signal
import struct
import sys
import time

import pandas  # noqa: F401  # its C code wants the real class, and finds no other afterwards

_time, _time_ns = time.time, time.time_ns
_shared = mmap.mmap(-1, 8)
"""How many seconds it is off; forks share it."""


def set_clock(seconds: float) -> None:
    """Before anything else is imported: `from datetime import datetime` must find ours."""

    class Skewed(datetime.datetime):
        __slots__ = ()

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            return cls.fromtimestamp(time.time(), tz)

        @classmethod
        def utcnow(cls) -> datetime.datetime:  # type: ignore[override]
            return cls.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)

    def off() -> float:
        return float(struct.unpack("d", _shared[:])[0])

    def shift(seconds: float) -> None:
        _shared[:] = struct.pack("d", seconds)

    shift(seconds)
    time.time = lambda: _time() + off()
    time.time_ns = lambda: _time_ns() + int(off() * 1e9)
    datetime.datetime = Skewed  # type: ignore[misc]
    signal.signal(signal.SIGUSR1, lambda *_: shift(0.0))


if __name__ == "__main__":
    set_clock(float(sys.argv[1]))
    del sys.argv[1]
    import tests.faults.small_shards  # noqa: F401
    from sdk_scripts.cli import main

    main()
