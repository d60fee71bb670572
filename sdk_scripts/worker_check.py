"""Does the worker of this machine live? A container's health check asks."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

from ml_backend.labeling.errors import QueueUnavailable
from ml_backend.redis_connection import connect_redis, reaching
from ml_backend.settings import Settings

FRESH_SECONDS = 60.0
"""A worker's heart beats every 15 s at least, whether it works or waits."""


def living_worker(settings: Settings) -> str:
    """Name of a worker on this host whose heart has beaten within FRESH_SECONDS. Raises QueueUnavailable."""
    from rq import Worker

    host = socket.gethostname()
    with connect_redis(settings, timeout=5.0) as connection, reaching():
        ours = [worker for worker in Worker.all(connection=connection) if worker.hostname == host]
    now = datetime.now(UTC)
    ages = {worker.name: (now - worker.last_heartbeat).total_seconds() for worker in ours if worker.last_heartbeat}
    if not ages:
        raise QueueUnavailable(f"No worker runs on {host}.", mend="Start one with `tiebreak worker`.")
    name = min(ages, key=ages.__getitem__)
    if ages[name] > FRESH_SECONDS:
        raise QueueUnavailable(
            f"The worker {name} gave no sign of life for {ages[name]:.0f} s.", mend="Look at its log and restart it."
        )
    return name
