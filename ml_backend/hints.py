"""The queues as the HTTP face sees them: told, never waited for longer than a webhook may take."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sized
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from ml_backend.labeling.errors import QueueUnavailable, TiebreakError
from ml_backend.queues import Jobs
from ml_backend.redis_connection import reaching
from ml_backend.roles import Role
from ml_backend.settings import Settings

log = structlog.stdlib.get_logger()
T = TypeVar("T")

CALL_SECONDS = 0.25  # for one call to Redis
HINT_SECONDS = 0.6  # for everything one webhook does; Label Studio gives up after 1
TRAIN_SECONDS = 5.0  # somebody pressed a button and wants to know


def changed_labels(action: str, annotation: Any, annotations: Any, tasks: Any) -> int | None:
    """How many labels a webhook tells of; None where the action has nothing to do with labels."""
    if action in ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_CREATED", "ANNOTATIONS_UPDATED"):
        told = annotation if isinstance(annotation, list) else [annotation]
        return sum(not (isinstance(item, dict) and item.get("was_cancelled")) for item in told)
    if action == "ANNOTATIONS_DELETED":
        return len(annotations) if isinstance(annotations, Sized) and not isinstance(annotations, str) else 1
    if action == "TASKS_CREATED" and isinstance(tasks, list):  # an import may bring annotations, told of here only
        counts = [task.get("total_annotations") for task in tasks if isinstance(task, dict)]
        return sum(count for count in counts if isinstance(count, int) and count > 0)
    return None


class Hints:
    """Opened in the background; mended there too, when Redis is gone. What it drops, the reconciler finds."""

    def __init__(self, settings: Settings) -> None:
        self._jobs = Jobs(settings, timeout=CALL_SECONDS)
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="hint")
        self._mending = threading.Lock()
        self._opened = False
        self._closed = False

    def open(self) -> None:
        """Connect, starting the bundled Valkey where it is wanted and not there."""
        if not self._mending.acquire(blocking=False):
            return
        try:
            if self._closed:
                return
            if self._opened:
                self._jobs.revive()
            else:
                self._jobs.__enter__()
                self._opened = True
        except TiebreakError as error:
            log.warning("the queues cannot be used", why=str(error))
        finally:
            self._mending.release()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        with self._mending:
            self._closed = True
            if self._opened:
                self._jobs.__exit__()

    def remember(self, project_key: str) -> None:
        """The reconciler looks after the project from now on. Returns at once."""
        self._pool.submit(self._try, lambda: self._jobs.remember(project_key))

    async def labels_changed(self, role: Role, project_key: str, project_id: int, n: int) -> bool:
        """False where the queue does not answer in time. `n` is 0 where somebody only skipped a task."""

        def tell() -> None:
            self._jobs.remember(project_key)
            self._jobs.project_changed(role, project_key, project_id, n)

        try:
            await self._tell(HINT_SECONDS, tell)
        except QueueUnavailable as error:
            log.warning("a hint is lost", project=project_key, why=error.what)
            return False
        return True

    def ask(self, question: Callable[[Jobs], T]) -> T:
        """What the queues answer, in the caller's thread; a call to Redis fails after CALL_SECONDS. Raises
        QueueUnavailable."""

        def asked() -> T:
            with reaching():
                return question(self._jobs)

        return self._try_or_mend(asked)

    async def train(self, project_key: str, project_id: int) -> str:
        """The id of the job. Raises QueueUnavailable."""
        return await self._tell(TRAIN_SECONDS, lambda: self._jobs.request_training(project_key, project_id).id)

    async def report(self, project_key: str, project_id: int) -> str:
        """The id of the job. Raises QueueUnavailable."""
        return await self._tell(TRAIN_SECONDS, lambda: self._jobs.request_report(project_key, project_id).id)

    async def _tell(self, seconds: float, call: Callable[[], T]) -> T:
        told = asyncio.get_running_loop().run_in_executor(self._pool, self._try_or_mend, call)
        try:
            return await asyncio.wait_for(told, seconds)
        except TimeoutError:
            raise QueueUnavailable(
                f"Redis did not answer within {seconds} seconds.", mend="Start it, or correct TIEBREAK_REDIS_URL."
            ) from None

    def _try_or_mend(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except QueueUnavailable:
            if not self._closed:
                threading.Thread(target=self.open, name="mend-queues", daemon=True).start()
            raise

    def _try(self, call: Callable[[], object]) -> None:
        try:
            self._try_or_mend(call)
        except TiebreakError as error:
            log.warning("a hint is lost", why=error.what)
