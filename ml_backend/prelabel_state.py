"""What Redis remembers of pre-labeling: which shards are done, who pushes, which version was shown when.

    tiebreak:prelabel:<key>:<version>          shard "<first>-<last>" -> "" while it waits, then JSON of its outcome
                                               end -> JSON of the whole run's outcome
    tiebreak:shard:<key>:<version>:<first>     a lease, held while the shard is predicted
    tiebreak:push:<key>                        a lease, held while predictions are pushed into the project
    tiebreak:pushing:<key>                     JSON of the Push that was sent and not answered yet
    tiebreak:shown:<key>                       version -> when it became the project's last (Unix seconds)
    tiebreak:covered:<key>                     version -> how many tasks the project had when it was pushed to them
                                               until -> when that has to be looked at again (Unix seconds)

All of it can be lost: Label Studio says which predictions are there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, cast

import redis

from ml_backend.labeling.errors import StudioUnreachable, TiebreakError
from ml_backend.leases import lease
from ml_backend.project_state import project_id_of
from ml_backend.redis_connection import redis_time

KEPT_SECONDS = 24 * 3600
SETTLE_SECONDS, SETTLE_SECONDS_A_PREDICTION = 60, 0.024
"""How long after the death of a pusher Label Studio may still be storing what it was sent: five minutes for 10,000."""
VERSIONS_KEPT = 100
NOT_ALL = -1
"""Of tasks that were covered: some were not."""

Shard = tuple[int, int]
"""The first and the last task id of a range."""


@dataclass(frozen=True, slots=True)
class Push:
    version: str
    first: int
    last: int
    """Task ids: everything pushed lies between."""
    predictions: int


class PrelabelState:
    """Of one project."""

    def __init__(self, connection: redis.Redis, project_key: str) -> None:
        project_id_of(project_key)
        self._redis = connection
        self.project_key = project_key

    def board(self, version: str, *, only_missing: bool = False) -> Board:
        return Board(self._redis, f"tiebreak:prelabel:{self.project_key}:{version}{':missing' * only_missing}")

    @contextmanager
    def shard(self, version: str, shard: Shard) -> Iterator[None]:
        """Predict a shard alone: whoever comes second waits, and finds nothing left to do."""
        with lease(self._redis, f"tiebreak:shard:{self.project_key}:{version}:{shard[0]}", wait=True):
            yield

    @contextmanager
    def pushing(self, push: Push, arrived: Callable[[Push], int]) -> Iterator[None]:
        """Look what is there and push what is not, alone.

        Label Studio goes on storing what a pusher sent before it died, and shows it only when all is stored. So the
        next one first waits until that has `arrived`, or can come no more.
        """
        note = f"tiebreak:pushing:{self.project_key}"
        with lease(self._redis, f"tiebreak:push:{self.project_key}", wait=True):
            while (raw := cast("bytes | None", self._redis.get(note))) is not None:
                before = Push(**json.loads(raw))
                if arrived(before) >= before.predictions:
                    break
                time.sleep(1)
            settled = round(SETTLE_SECONDS + SETTLE_SECONDS_A_PREDICTION * push.predictions)
            self._redis.set(note, json.dumps(asdict(push)), ex=settled)
            try:
                yield
            except StudioUnreachable:  # no answer: it may still come
                raise
            except TiebreakError:
                self._redis.delete(note)
                raise
            self._redis.delete(note)

    def now(self) -> float:
        """Unix seconds by Redis' clock."""
        return redis_time(self._redis)

    def shown(self, version: str) -> None:
        """The version has become the project's."""
        key = f"tiebreak:shown:{self.project_key}"
        with self._redis.pipeline() as pipe:
            pipe.zadd(key, {version: self.now()})
            pipe.zremrangebyrank(key, 0, -VERSIONS_KEPT - 1)
            pipe.execute()

    def cover(self, version: str, tasks: int, *, seconds: float | None = None) -> None:
        """The version was pushed to all of that many tasks, and is to be pushed to those that come; with `seconds`,
        something is left to do in that time."""
        key = f"tiebreak:covered:{self.project_key}"
        with self._redis.pipeline() as pipe:
            pipe.delete(key)
            pipe.hset(key, version, tasks)
            if seconds is not None:
                pipe.hset(key, "until", repr(self.now() + seconds))
            pipe.execute()

    def covered(self, version: str) -> int | None:
        """How many tasks the project had then, NOT_ALL once something is left to do; None where this is not the version
        that new tasks get."""
        raw, until = cast(
            "list[bytes | None]", self._redis.hmget(f"tiebreak:covered:{self.project_key}", version, "until")
        )
        if raw is None:
            return None
        return NOT_ALL if until and float(until) <= self.now() else int(raw)

    def uncover(self, version: str) -> None:
        self._redis.hdel(f"tiebreak:covered:{self.project_key}", version)

    def shown_until(self, version: str) -> float | None:
        """When another version took its place (as `now`); None where it has not, or nothing is known."""
        times = cast(
            "list[tuple[bytes, float]]",
            self._redis.zrange(f"tiebreak:shown:{self.project_key}", 0, -1, withscores=True),
        )
        since = {name.decode(): at for name, at in times}
        return min((at for at in since.values() if at > since.get(version, 0.0)), default=None)


class Board:
    """The shards of one version's pre-labeling."""

    def __init__(self, connection: redis.Redis, key: str) -> None:
        self._redis = connection
        self.key = key

    def plan(self, shards: list[Shard]) -> None:
        """Begin anew with these."""
        with self._redis.pipeline() as pipe:
            pipe.delete(self.key)
            for first, last in shards:
                pipe.hset(self.key, f"{first}-{last}", "")
            pipe.expire(self.key, KEPT_SECONDS)
            pipe.execute()

    def shards(self) -> dict[Shard, dict[str, Any] | None]:
        """Every shard, with its outcome where it is done."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(self.key))
        shards: dict[Shard, dict[str, Any] | None] = {}
        for name, outcome in found.items():
            first, dash, last = name.decode().partition("-")
            if dash:
                shards[int(first), int(last)] = json.loads(outcome) if outcome else None
        return dict(sorted(shards.items()))

    def done(self, shard: Shard, outcome: Mapping[str, Any]) -> bool:
        """False where the shard is not on the board: Redis has forgotten, and the rest has to be planned anew."""
        name = f"{shard[0]}-{shard[1]}"
        if not self._redis.hexists(self.key, name):
            return False
        self._redis.hset(self.key, name, json.dumps(dict(outcome)))
        return True

    def clear(self) -> None:
        self._redis.delete(self.key)

    def end(self, outcome: Mapping[str, Any]) -> None:
        self._redis.hset(self.key, "end", json.dumps(dict(outcome)))
        self._redis.expire(self.key, KEPT_SECONDS)

    def ended(self) -> dict[str, Any] | None:
        raw = cast("bytes | None", self._redis.hget(self.key, "end"))
        return json.loads(raw) if raw else None
