"""What Redis remembers of a project between jobs: labels not yet trained on, what training saw last, who trains now.

    tiebreak:projects           the known projects: key -> when it was last heard of
    tiebreak:project:<key>      pending      labels that changed since the last training began
                                since        when the first of them did (Unix seconds)
                                generation   number of the training job that will take them
                                last         JSON of Seen: what the last training saw
    tiebreak:training:<key>     a lease, held while a training of the project runs

All of it can be lost: Label Studio is the source of truth, and the reconciler counts the labels there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any, cast

import redis

from ml_backend.labeling.errors import InputError
from ml_backend.leases import lease

PROJECTS = "tiebreak:projects"

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


@dataclass(frozen=True, slots=True)
class Seen:
    """What a training saw in Label Studio."""

    labels: int
    """Annotations of the project, without skipped ones."""
    at: float
    """When it began; Unix seconds."""
    until: str = ""
    """The newest change of a task it read, in ISO 8601 and Label Studio's clock."""
    settled: bool = False
    """It came to an end (a version, or too few labels for one) rather than to an error."""
    edits_checked: float = 0.0


def project_id_of(project_key: str) -> int:
    """`"12.1795381865"` -> 12. Raises InputError for anything else."""
    number, dot, created = project_key.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in (number, *([created] if dot else []))):
        raise InputError(
            f"{project_key[:80]!r} is not a project key.", mend="It is '<id>.<created, Unix seconds>', as in /setup."
        )
    return int(number)


def count_labels(project: Mapping[str, Any]) -> int:
    """The number of annotations in a project's JSON; Label Studio leaves skipped ones out."""
    value = project.get("total_annotations_number")
    return value if isinstance(value, int) else 0


class ProjectState:
    def __init__(self, connection: redis.Redis, project_key: str) -> None:
        project_id_of(project_key)
        self._redis = connection
        self._lock_key = f"tiebreak:training:{project_key}"
        self.project_key = project_key
        self.key = f"tiebreak:project:{project_key}"

    def remember(self) -> None:
        self._redis.zadd(PROJECTS, {self.project_key: time.time()})

    def forget(self) -> None:
        """The project is gone from Label Studio."""
        with self._redis.pipeline() as pipe:
            pipe.zrem(PROJECTS, self.project_key)
            pipe.delete(self.key)
            pipe.execute()

    def add(self, labels: int) -> Pending:
        """Count `labels` more changed labels."""
        with self._redis.pipeline() as pipe:
            pipe.zadd(PROJECTS, {self.project_key: time.time()})
            pipe.hincrby(self.key, "pending", labels)
            pipe.hsetnx(self.key, "since", repr(time.time()))
            pipe.hmget(self.key, "pending", "since", "generation")
            return _pending(pipe.execute()[-1])

    def pending(self) -> Pending:
        return _pending(cast("list[bytes | None]", self._redis.hmget(self.key, "pending", "since", "generation")))

    def take(self, generation: int) -> bool:
        """A training begins: what is pending is its own; the next change is the next generation's.

        False where that happened before: the training is tried anew.
        """
        return bool(self._redis.eval(_ADVANCE, 1, self.key, generation, "take"))

    def skip(self, generation: int) -> None:
        """The job of this generation died before it began; what is pending is the next one's."""
        self._redis.eval(_ADVANCE, 1, self.key, generation, "leave")

    def last(self) -> Seen | None:
        raw = cast("bytes | None", self._redis.hget(self.key, "last"))
        with suppress(ValueError, TypeError):
            return Seen(**json.loads(raw)) if raw else None
        return None

    def record(self, seen: Seen) -> None:
        self._redis.hset(self.key, "last", json.dumps(asdict(seen)))

    def is_training(self) -> bool:
        return bool(self._redis.exists(self._lock_key))

    @contextmanager
    def training(self) -> Iterator[bool]:
        """Hold the project's training lease; yields False where another training holds it."""
        with lease(self._redis, self._lock_key) as ours:  # promotion is atomic: a second training does no harm
            yield ours


def known_projects(connection: redis.Redis) -> list[str]:
    return [key.decode() for key in cast("list[bytes]", connection.zrange(PROJECTS, 0, -1))]


def _pending(fields: list[bytes | None]) -> Pending:
    labels, since, generation = fields
    return Pending(int(labels or 0), float(since or time.time()), int(generation or 0))
