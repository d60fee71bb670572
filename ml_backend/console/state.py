"""What the console shows: collected a few seconds apart, however many look, and never waited for long.

Two sources, Redis and the storage of the models, are each read by one thread at a time, panel after panel. What does
not come in time is shown as it was, with what is wrong and how to mend it; so a source that hangs costs one thread and
nothing else. For use in one event loop.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import structlog

from ml_backend.console.panels import FromRedis, FromStorage, Memory, Panel, Where, newest, panels_of
from ml_backend.hints import Hints
from ml_backend.labeling.errors import ModelUnavailable, QueueUnavailable, TiebreakError
from ml_backend.model_files import ModelFiles
from ml_backend.model_registry import ModelRegistry
from ml_backend.project_list import ProjectList, read_list
from ml_backend.queues import Jobs
from ml_backend.settings import Settings

log = structlog.stdlib.get_logger()

FRESH_SECONDS: dict[Where, float] = {"redis": 2.0, "storage": 5.0}
REST = 20.0
"""Times as long as looking took: a source is read a twentieth of the time at the most, so that predictions go on."""
WAIT_SECONDS = 1.5
"""That an answer waits for a source."""

Problem = Mapping[str, str]
"""what, mend"""


@dataclass(frozen=True)
class Shown:
    """A panel: what it says, and why that is not new."""

    data: Mapping[str, Any] | None = None
    """None where it could not be read yet."""
    problem: Problem | None = None
    at: float | None = None
    """When `data` was read; Unix seconds."""

    def to_json(self) -> dict[str, Any]:
        """`as_of`, Unix seconds, stands beside a problem only: else it would differ each time."""
        return {"data": self.data, "problem": self.problem, "as_of": self.at if self.problem else None}


@dataclass
class _Source:
    where: Where
    collect: Callable[[], dict[str, Shown]]
    shown: dict[str, Shown] = field(default_factory=dict)
    began: float = 0.0
    again: float = float("-inf")
    """When it is read anew, by the monotonic clock."""
    running: asyncio.Future[dict[str, Shown]] | None = None
    late: bool = False


class State:
    def __init__(self, settings: Settings, registry: ModelRegistry, hints: Hints, pool: ThreadPoolExecutor) -> None:
        self._settings = settings
        self._registry = registry
        self._hints = hints
        self._pool = pool
        self._files = ModelFiles(settings.models)
        self._memory = Memory()
        self._listed: ProjectList | None = None
        self._sources = [_Source("redis", self._from_redis), _Source("storage", self._from_storage)]

    async def refreshed(self) -> dict[str, Shown]:
        """The panels by name, after WAIT_SECONDS at the latest."""
        await asyncio.gather(*(self._refresh(source) for source in self._sources))
        return self.shown

    @property
    def shown(self) -> dict[str, Shown]:
        """As they are now, without looking."""
        found: dict[str, Shown] = {}
        for source in self._sources:
            for panel in panels_of(source.where):
                it = source.shown.get(panel.name, Shown())
                found[panel.name] = Shown(it.data, it.problem or _late(source), it.at) if source.late else it
        return found

    async def _refresh(self, source: _Source) -> None:
        if source.running is None:
            if time.monotonic() < source.again:
                return
            source.began = time.monotonic()
            source.running = asyncio.get_running_loop().run_in_executor(self._pool, source.collect)
            source.running.add_done_callback(lambda done: _ended(source, done))
        await asyncio.wait([source.running], timeout=WAIT_SECONDS)
        source.late = source.running is not None and not source.running.done()

    # ------------------------------------------------------------------------------------------------------------------

    def _from_redis(self) -> dict[str, Shown]:
        given: FromRedis | None = None

        def ask(panel: Panel) -> dict[str, Any]:
            nonlocal given
            given = given or self._hints.ask(self._given)
            return self._hints.ask(lambda _: panel.collect(given))

        return self._collected("redis", ask)

    def _given(self, jobs: Jobs) -> FromRedis:
        self._listed = read_list(jobs.redis)
        return FromRedis(self._settings, jobs, self._listed)

    def _from_storage(self) -> dict[str, Shown]:
        given: FromStorage | None = None

        def ask(panel: Panel) -> dict[str, Any]:
            nonlocal given
            given = given or FromStorage(self._settings, self._registry, self._files, self._keys(), self._memory)
            return panel.collect(given)

        return self._collected("storage", ask)

    def _keys(self) -> tuple[str, ...]:
        """Of the projects: those that the reconciler listed, else those that the storage knows."""
        if self._listed is not None and self._listed.projects:
            return newest(it.key for it in self._listed.projects if it.reviews_of is None)
        return newest(key for folder in ("", "reports", "inspections") for key in self._files.folders(folder))

    def _collected(self, where: Where, ask: Callable[[Panel], dict[str, Any]]) -> dict[str, Shown]:
        """A panel that cannot be read stays as it was; a source that does not answer is not asked for the others."""
        source = next(it for it in self._sources if it.where == where)
        found: dict[str, Shown] = {}
        away: Problem | None = None
        for panel in panels_of(where):
            before = source.shown.get(panel.name, Shown())
            if away is None:
                try:
                    found[panel.name] = Shown(ask(panel), None, time.time())
                    continue
                except TiebreakError as error:
                    problem = {"what": error.what, "mend": error.mend.strip()}
                    away = problem if isinstance(error, QueueUnavailable | ModelUnavailable) else None
                except Exception:
                    id = secrets.token_hex(6)
                    log.exception("a panel of the console cannot be read", id=id, panel=panel.name)
                    what = f"Something went wrong that nobody foresaw (error {id})."
                    problem = {"what": what, "mend": f"Look for {id} in the backend's log."}
            found[panel.name] = Shown(before.data, away or problem, before.at)
        return found


def _ended(source: _Source, done: asyncio.Future[dict[str, Shown]]) -> None:
    now = time.monotonic()
    source.running, source.late = None, False
    source.again = now + max(FRESH_SECONDS[source.where], REST * (now - source.began))
    if not done.cancelled() and done.exception() is None:
        source.shown = done.result()


def _late(source: _Source) -> Problem:
    what = {"redis": "Redis", "storage": "The storage of the models"}[source.where]
    setting = {"redis": "TIEBREAK_REDIS_URL", "storage": "TIEBREAK_MODELS_URL"}[source.where]
    return {"what": f"{what} has not answered yet.", "mend": f"Check {setting}, and whether it is up."}
