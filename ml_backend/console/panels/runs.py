"""Trainings and other jobs: those that run, wait, and those that ended of late, well or not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rq.job import Job
from rq.results import Result

from ml_backend import failures
from ml_backend.console.panels import FromRedis, Panel, register, text, when
from ml_backend.console.panels._jobs import Seen, some_jobs

STATES = ("running", "waiting", "scheduled", "failed", "finished")
MOST = 60
"""Shown, trainings before others where there are more."""
_PLACE = {state: place for place, state in enumerate(STATES)}


@register("runs")
class Runs(Panel):
    where = "redis"

    def collect(self, given: FromRedis) -> dict[str, Any]:
        """rows: id, what, project (key or id), state, at (its last change), seconds, came_to; what runs, then
        what waits, then what ended last. `trainings`: project key -> its last one."""
        seen = some_jobs(given.jobs, STATES)
        rows = sorted((_row(it) for it in seen), key=lambda row: row["at"] or "", reverse=True)
        trainings: dict[str, dict[str, Any]] = {}
        for row in rows:
            if row["what"] == "train" and row["project"] and row["state"] in ("failed", "finished", "refused"):
                trainings.setdefault(row["project"], row)
        kept = sorted(rows, key=lambda row: row["what"] != "train")[:MOST]
        kept.sort(key=lambda row: row["at"] or "", reverse=True)
        kept.sort(key=lambda row: min(_PLACE.get(row["state"], 3), 3))
        return {"rows": kept, "more": len(rows) - len(kept), "trainings": trainings}


def _row(it: Seen) -> dict[str, Any]:
    state, came_to, at = it.state, "", it.job.enqueued_at or it.job.created_at
    if state == "running":
        at = it.job.started_at or at
    elif state in ("failed", "finished"):
        at = it.job.ended_at or at
        state, came_to = _end(state, it)
    elif it.job.started_at is not None:
        came_to = text(f"It ran before, and is tried again. {failures.why(it.job)}")
    return {
        "id": text(it.job.id, 120),
        "what": it.what,
        "project": it.project,
        "state": state,
        "at": when(at),
        "seconds": _seconds(it.job.started_at, it.job.ended_at) if it.state in ("failed", "finished") else None,
        "came_to": came_to,
    }


def _end(state: str, it: Seen) -> tuple[str, str]:
    """Its state, and in words what it came to."""
    if state == "failed":
        return "failed", text(_why(it.job))
    result = _result(it.job)
    said = result.return_value if result else None
    if not isinstance(said, Mapping):
        return "finished", ""
    if "error" in said:
        return "refused", text(f"{said['error']} {said.get('mend') or ''}")
    if it.what == "train":
        live = "made live" if said.get("promoted") else "not made live"
        return "finished", text(f"{said.get('version')} from {said.get('labels')} labels, {live}: {said.get('reason')}")
    scalars = [f"{name} {value}" for name, value in said.items() if isinstance(value, int | float | str) and value]
    return "finished", text(", ".join(scalars))


def _why(job: Job) -> str:
    try:
        return failures.why_failed(job)
    except (ValueError, TypeError, KeyError):  # not one that RQ wrote
        return failures.ENDED


def _result(job: Job) -> Result | None:
    try:
        return job.latest_result()
    except (ValueError, TypeError, KeyError):  # not one that RQ wrote
        return None


def _seconds(began: datetime | None, ended: datetime | None) -> float | None:
    return round((ended - began).total_seconds(), 1) if began and ended else None
