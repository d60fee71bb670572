"""Ends sessions of processes; run as a script, it ends those of a parent that died.

Only the standard library and none of our modules: it must start at once and outlive whatever is wrong with us. A child
that leads a session can be ended whole, with the jobs it forked into process groups of their own (as RQ does).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

POLL_SECONDS = 0.1


def members(sessions: Iterable[int]) -> list[int]:
    """Living processes (zombies do not count) of these sessions; a session's id is its leader's process id."""
    wanted = set(sessions)
    return [pid for pid in _processes() if _session(pid) in wanted and not _zombie(pid)]


def end(sessions: Iterable[int], seconds: float) -> None:
    """SIGTERM, once more after half of `seconds` (which tells an RQ worker to drop its job), at last SIGKILL."""
    wanted = tuple(sessions)
    for number, patience in ((signal.SIGTERM, seconds / 2), (signal.SIGTERM, seconds / 2), (signal.SIGKILL, seconds)):
        living = members(wanted)
        for pid in living:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        deadline = time.monotonic() + patience
        while living and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            living = members(wanted)
        if not living:
            return


def identity(pid: int) -> str | None:
    """What tells a process from a later one with the same id: when it started. None where it is gone."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]  # clock ticks since boot
        except (OSError, IndexError):
            return None
    listed = subprocess.run(["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.strip() or None


def main() -> None:
    """Read `add PID`, `last PID` and `remove PID` until the pipe closes, then end what is there: first the added ones,
    then those they depend on."""
    first: set[int] = set()
    last: set[int] = set()
    for line in sys.stdin:
        word, pid = line.split()
        first.discard(int(pid))
        last.discard(int(pid))
        if word != "remove":
            (first if word == "add" else last).add(int(pid))
    end(first, 5.0)
    end(last, 5.0)


def _processes() -> list[int]:
    if Path("/proc/self").exists():
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    listed = subprocess.run(["/bin/ps", "-axo", "pid="], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] in {b"Z", b"X"}
    except OSError:
        return False


if __name__ == "__main__":
    main()
