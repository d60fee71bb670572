"""Changes of a project that some kind of work has yet to look at, counted in Redis so that a storm plans one job.

pending      changes since the last job began
since        when the first of them came (Unix seconds)
generation   number of the job that will take them
until        the newest change that a job has done with: ISO 8601, in Label Studio's clock
ended        when the last job ended (Unix seconds), of work that is also done on a schedule
asked        the number of a job that somebody asked for: it does not wait

A key of its own, `<key>:rest`, lives until the next job may begin: no machine's clock that is off lengthens that.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import redis

from ml_backend.leases import Lease, lease

_ADVANCE = """
local generation = tonumber(redis.call('HGET', KEYS[1], 'generation') or '0')
if generation ~= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'generation', generation + 1)
if ARGV[2] == 'take' then redis.call('HDEL', KEYS[1], 'pending', 'since') end
return 1
"""


@dataclass(frozen=True, slots=True)
class Pending:
    labels: int
    since: float
    """Unix seconds."""
    generation: int


class Changes:
    def __init__(self, connection: redis.Redis, key: str, lease_key: str) -> None:
        self._redis = connection
        self._lease_key = lease_key
        self.key = key
        self._resting = f"{key}:rest"

    def add(self, labels: int) -> Pending:
        """Count `labels` more changed labels."""
        with self._redis.pipeline() as pipe:
            pipe.hincrby(self.key, "pending", labels)
            pipe.hsetnx(self.key, "since", repr(time.time()))
            pipe.hmget(self.key, "pending", "since", "generation")
            return _pending(pipe.execute()[-1])

    def pending(self) -> Pending:
        return _pending(cast("list[bytes | None]", self._redis.hmget(self.key, "pending", "since", "generation")))

    def take(self, generation: int) -> bool:
        """A job begins: what is pending is its own; the next change is the next generation's.

        False where that happened before: the job is tried anew.
        """
        return bool(self._redis.eval(_ADVANCE, 1, self.key, generation, "take"))

    def skip(self, generation: int) -> None:
        """The job of this generation died before it began; what is pending is the next one's."""
        self._redis.eval(_ADVANCE, 1, self.key, generation, "leave")

    def until(self) -> str:
        """Empty before the first job."""
        return (cast("bytes | None", self._redis.hget(self.key, "until")) or b"").decode()

    def done_until(self, moment: str) -> None:
        self._redis.hset(self.key, "until", moment)

    def ended(self) -> float:
        """When the last job ended, well or not; 0 where none has."""
        return float(cast("bytes | None", self._redis.hget(self.key, "ended")) or 0)

    def resting(self) -> float:
        """Seconds until the next job may begin; 0: at once."""
        return max(0, self._redis.pttl(self._resting)) / 1000

    def note_end(self, rest: float) -> None:
        """A job ends; the next one waits `rest` seconds at least."""
        self._redis.hset(self.key, "ended", repr(time.time()))
        self._rest(rest)

    def took(self, seconds: float) -> None:
        """Work on the project has just taken so long: the next job waits that much longer, so that Label Studio and
        this machine have half of the time for people."""
        self._rest(self.resting() + seconds)

    def _rest(self, seconds: float) -> None:
        self._redis.set(self._resting, 1, px=max(1, round(1000 * seconds)))

    def ask(self, generation: int) -> None:
        """Somebody wants the job of this number at once."""
        self._redis.hset(self.key, "asked", generation)

    def asked(self, generation: int) -> bool:
        return cast("bytes | None", self._redis.hget(self.key, "asked")) == str(generation).encode()

    def busy(self) -> bool:
        """Whether a job holds the lease of this work."""
        return bool(self._redis.exists(self._lease_key))

    @contextmanager
    def working(self) -> Iterator[Lease]:
        """Hold the lease of this work; yields a false one where another job holds it."""
        with lease(self._redis, self._lease_key) as ours:
            yield ours


class Newest:
    """The latest `updated_at` of the tasks that pass (ISO 8601 of one clock and zone sorts as text)."""

    def __init__(self) -> None:
        self.stamp = ""

    def of(self, tasks: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for task in tasks:
            self.stamp = max(self.stamp, str(task.get("updated_at") or ""))
            yield task


def _pending(fields: list[bytes | None]) -> Pending:
    labels, since, generation = fields
    now = time.time()
    # A stamp from the future is of a clock that is ahead, or was: nothing waits for it.
    return Pending(int(labels or 0), min(float(since or now), now), int(generation or 0))
