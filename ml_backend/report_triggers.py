"""What asks for a project's next report: the clock, new labels, a batch that is complete. The reconciler looks, so that
it needs no webhook; after a time without workers one report is made, however many were due.

    tiebreak:report:<key>   `changes.Changes` of its reports; seen: JSON of Seen; why: "<generation> <why>" of the last
                            that something here asked for
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING, Any, cast

from ml_backend.labeling.errors import UNREADABLE
from ml_backend.project_state import count_labels
from ml_backend.queues import REPORTING, Jobs
from ml_backend.report_schedule import Schedule, last_due

if TYPE_CHECKING:
    from ml_backend.studio import Studio

BACK = 86_400.0
"""Seconds. What is noted for a time further ahead was noted by a clock that was wrong."""

MOST_OPEN = 200
"""Gold questions at a time, at the most."""

_NOTE = """
if (redis.call('HGET', KEYS[1], 'seen') or '') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'seen', ARGV[2])
if ARGV[3] ~= '' then
  redis.call('HINCRBY', KEYS[1], 'pending', 1)
  redis.call('HSETNX', KEYS[1], 'since', ARGV[4])
  redis.call('HSET', KEYS[1], 'why', (redis.call('HGET', KEYS[1], 'generation') or '0') .. ' ' .. ARGV[3])
end
return 1
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What reports were asked for already; None where that was off when last looked."""

    clock: str = ""
    """`Schedule.clock` that `since` is of."""
    since: float | None = None
    """Times up to this one are done with; Unix seconds."""
    labels: int | None = None
    """Of the project at the last report that something here asked for."""
    batch: int | None = None
    """The newest task of the last complete batch; 0 before the first."""

    @classmethod
    def from_json(cls, content: bytes) -> Seen:
        """A damaged one counts as none."""
        try:
            read = json.loads(content)
            return cls(str(read["clock"]), _number(read["since"]), _whole(read["labels"]), _whole(read["batch"]))
        except UNREADABLE:
            return cls()


@dataclass(frozen=True, slots=True)
class Look:
    """The project now."""

    at: float
    """Unix seconds."""
    labels: int
    batch: int | None
    """Its newest task where it is complete; None where it is not."""


def next_report(schedule: Schedule, seen: Seen, look: Look) -> tuple[str, Seen]:
    """Why a report is due (batch, labels, schedule; empty: none is), and what is seen then.

    What is looked at for the first time asks for nothing: it was so before anybody wanted a report of it.
    """
    since = seen.since if seen.clock == schedule.clock else None
    if since is None or since > look.at + BACK:
        since = look.at
    due = last_due(schedule, datetime.fromtimestamp(look.at, UTC))
    by_clock = due is not None and due.timestamp() > since
    if due is not None and by_clock:
        since = due.timestamp()

    labels = look.labels if seen.labels is None else min(seen.labels, look.labels)
    by_labels = schedule.every_labels is not None and look.labels - labels >= schedule.every_labels

    batch = (look.batch or 0) if seen.batch is None else seen.batch
    by_batch = schedule.on_completion and look.batch is not None and look.batch > batch
    if look.batch is not None and by_batch:
        batch = look.batch

    why = "batch" if by_batch else "labels" if by_labels else "schedule" if by_clock else ""
    return why, Seen(
        clock=schedule.clock,
        since=since if schedule.cron else None,
        labels=(look.labels if why else labels) if schedule.every_labels else None,
        batch=batch if schedule.on_completion else None,
    )


def plan_report(jobs: Jobs, project_key: str, project: Mapping[str, Any], schedule: Schedule, studio: Studio) -> None:
    """Plan the report that is due, or whose job was lost. May raise StudioError, and errors of Redis."""
    changes = jobs.changes(REPORTING, project_key)
    if schedule:
        known = cast("bytes | None", jobs.redis.hget(changes.key, "seen")) or b""
        why, seen = next_report(schedule, Seen.from_json(known), _look(project, schedule, studio))
        now = json.dumps(asdict(seen))
        if now.encode() != known:  # nothing is noted where another worker looked meanwhile
            jobs.redis.eval(_NOTE, 1, changes.key, known, now, why, repr(time()))
    else:
        jobs.redis.hdel(changes.key, "seen")
    pending = changes.pending()
    if pending.labels:
        why = _why(jobs, changes.key, pending.generation)
        jobs.plan(REPORTING, project_key, int(project["id"]), pending, at_once=True, more=(why,))


def _why(jobs: Jobs, key: str, generation: int) -> str:
    """Who asked for the report of this number: where it was nothing here, somebody did."""
    noted = (cast("bytes | None", jobs.redis.hget(key, "why")) or b"").decode()
    number, _, why = noted.partition(" ")
    return why if number == str(generation) else "webhook"


def _look(project: Mapping[str, Any], schedule: Schedule, studio: Studio) -> Look:
    complete = schedule.on_completion and _complete(project, studio)
    return Look(time(), count_labels(project), studio.newest_task(int(project["id"])) if complete else None)


def _complete(project: Mapping[str, Any], studio: Studio) -> bool:
    """Whether every task is labelled as often as its overlap asks. Decided ones that are open are gold questions,
    which never run out: they are not waited for."""
    tasks, finished, truths = (
        _count(project, of) for of in ("task_number", "finished_task_number", "ground_truth_number")
    )
    unfinished = tasks - finished
    if not tasks or unfinished > min(truths, MOST_OPEN):
        return False
    return unfinished <= 0 or all(
        any(it.get("ground_truth") for it in task["annotations"]) for task in studio.unfinished(int(project["id"]))
    )


def _count(project: Mapping[str, Any], of: str) -> int:
    value = project.get(of)
    return value if isinstance(value, int) else 0


def _number(said: Any) -> float | None:
    return None if said is None else float(said)


def _whole(said: Any) -> int | None:
    return None if said is None else int(said)
