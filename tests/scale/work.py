"""What real workers are given to do in these tests, named by dotted path. Arguments are those of a shard's job."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path


def poison(project_id: int, version: str, first: int, last: int, only_missing: bool) -> None:
    """As the kernel ends a process that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def careless(project_id: int, version: str, first: int, last: int, only_missing: bool) -> None:
    raise ValueError("an annotated text that nobody should read here")


def told(project_id: int, version: str, first: int, last: int, only_missing: bool) -> str:
    """Fails until somebody has mended it: until there is a file of the version's name."""
    from ml_backend.labeling.errors import StudioUnreachable

    if not (_shared() / version).exists():
        raise StudioUnreachable("No answer from http://me:secret@studio:8080.", mend="Start it.")
    (_shared() / f"{version}.{first}.done").touch()
    return "done"


def slow(project_id: int, version: str, first: int, last: int, only_missing: bool) -> None:
    """A shard of 0.2 s a task: each start and each end is a file of its own."""
    me = f"{first:04d}-{socket.gethostname()}-{os.getpid()}-{time.time_ns()}"
    (_shared() / f"start-{me}").touch()
    time.sleep(0.2 * (last - first + 1))
    (_shared() / f"end-{me}").touch()


def _shared() -> Path:
    from ml_backend.jobs import job_settings

    return Path(job_settings().models)
