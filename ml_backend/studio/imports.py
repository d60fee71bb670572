"""Importing tasks in bulk, neither lost nor doubled.

Label Studio imports a batch in one transaction inside the request. A time-out says nothing about it, so before a batch
is sent again its tasks are looked for among those that came since.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ml_backend.labeling.errors import InputError, StudioError, StudioRefused, StudioUnreachable
from ml_backend.studio.connection import BULK_SECONDS
from ml_backend.studio.payloads import encode
from ml_backend.studio.refusals import Unsettled
from ml_backend.studio.tasks import Tasks, condition

BATCH_TASKS = 1_000
BATCH_BYTES = 8_000_000
COUNTS = (("task_count", "tasks"), ("annotation_count", "annotations"), ("prediction_count", "predictions"))


class Imports(Tasks):
    def import_tasks(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> int:
        """Imports tasks (`data`, and maybe `meta`, `annotations`, `predictions`); returns how many.

        Annotations are no ground truth unless they say so (Label Studio's own default is that they are). Raises
        InputError before anything is sent where an item is no task, and StudioRefused with the server's reasons, or
        where it stored less than it was given. Batches before the one that failed stay.
        """
        items = [_task(task, place) for place, task in enumerate(tasks)]
        imported = 0
        for batch in batches(items, BATCH_TASKS, BATCH_BYTES):
            self._import_batch(project, batch)
            imported += len(batch)
        return imported

    def _import_batch(self, project: int, batch: Sequence[Mapping[str, Any]]) -> None:
        newest = self._newest(project)
        for _ in range(2):
            try:
                answer = self._call(
                    "POST",
                    f"/api/projects/{project}/import",
                    params={"return_task_ids": "true"},
                    content=encode(batch),
                    timeout=max(self.timeout, BULK_SECONDS),
                    what=f"project {project}",
                )
            except Unsettled as error:
                lost = error
                if self._arrived(project, newest, batch):
                    return
            else:
                self._count(project, batch, answer)
                return
        raise lost

    def _count(self, project: int, batch: Sequence[Mapping[str, Any]], answer: Mapping[str, Any]) -> None:
        sent = {
            "tasks": len(batch),
            "annotations": sum(len(task.get("annotations") or ()) for task in batch),
            "predictions": sum(len(task.get("predictions") or ()) for task in batch),
        }
        short = [f"{answer.get(key)} of {sent[name]} {name}" for key, name in COUNTS if answer.get(key) != sent[name]]
        if short:
            raise StudioRefused(f"Label Studio at {self._shown} stored {', '.join(short)} in project {project}.")

    def _newest(self, project: int) -> int:
        """The highest task id of the project; 0 where it has none."""
        params = {"project": project, "page_size": 1, "query": '{"ordering": ["-tasks:id"]}', "review": "true"}
        rows = self._get("/api/tasks/", params, what=f"project {project}")["tasks"]
        return rows[0]["id"] if rows else 0

    def _arrived(self, project: int, newest: int, batch: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the batch is among the tasks above `newest`. Waits as long as one call may take for it to come."""
        expected = Counter(_fingerprint(task["data"]) for task in batch)
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                since = self._matching(project, [condition("id", "greater", newest, "Number")], data_only=True)
                missing = expected - Counter(_fingerprint(task["data"]) for task in since)
            except StudioUnreachable:
                missing = expected  # it may be starting again
            if not missing:
                return True
            if missing.total() < expected.total():
                raise StudioError(
                    f"Of {expected.total()} tasks sent to project {project} only "
                    f"{expected.total() - missing.total()} are there, after a call without an answer.",
                    mend="Compare the project's tasks with the source before importing the rest.",
                )
            if time.monotonic() > deadline:
                return False
            time.sleep(min(1.0, self.timeout / 10))


def batches(items: Iterable[Any], most: int, size: int) -> Iterator[list[Any]]:
    """Lists of at most `most` items and about `size` bytes of JSON."""
    batch: list[Any] = []
    bytes_so_far = 0
    for item in items:
        length = len(encode(item))
        if batch and (len(batch) >= most or bytes_so_far + length > size):
            yield batch
            batch, bytes_so_far = [], 0
        batch.append(item)
        bytes_so_far += length
    if batch:
        yield batch


def _task(task: Mapping[str, Any], place: int) -> dict[str, Any]:
    if not isinstance(task, Mapping) or not isinstance(task.get("data"), Mapping):
        raise InputError(f"Item {place} to import is no task: it has no `data` object.")
    annotations = [{"ground_truth": False, **annotation} for annotation in task.get("annotations") or ()]
    return {**task, "annotations": annotations} if annotations else dict(task)


def _fingerprint(data: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(encode(_canonical(data))).digest()


def _canonical(value: Any) -> Any:
    """Equal for what a database may give back for it: key order and 1.0 against 1 say nothing."""
    if isinstance(value, Mapping):
        return {key: _canonical(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
