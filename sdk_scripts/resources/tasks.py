"""Tasks from task sources. Only added: a task is never changed or deleted by sync."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ml_backend.labeling.errors import InputError, StudioRefused
from sdk_scripts.manifest import Manifest
from sdk_scripts.manifest_schema import TASK_KEY, TaskSource
from sdk_scripts.plan import Diff, Draft
from sdk_scripts.row_formats import Reject, shortened
from sdk_scripts.task_sources import NewTask, RejectsFile, read_tasks, rejects_path

BATCH = 1_000
"""Tasks a call."""
HOPELESS = 100
"""Refused tasks in a row after which the fault is not the tasks'."""


class Importer(Protocol):
    def import_tasks(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> int: ...

    def tasks(self, project: int, *, data_only: bool = False) -> Iterator[dict[str, Any]]: ...


def keys_in(tasks: Iterable[Mapping[str, Any]]) -> set[str]:
    """The keys of the tasks that came from sources. The others (people's own) have none."""
    found = ((task.get("data") or {}).get(TASK_KEY) for task in tasks)
    return {str(key) for key in found if key is not None}


def plan_tasks(draft: Draft, existing: set[str], refused: Mapping[str, str]) -> None:
    """`existing` are the keys of the project's tasks; `refused` those that Label Studio would not take, with why."""
    manifest, known = draft.manifest, set(existing)
    for source in manifest.project.tasks:
        path = manifest.source_path(source)
        file = rejects_path(draft.settings.folder("rejects"), manifest.name, path)
        new = already = 0
        with RejectsFile(str(path), file) as rejected:
            for task in read_tasks(path, source, manifest.config):
                if isinstance(task, Reject):
                    rejected.add(task)
                elif task.key in refused:
                    rejected.add(Reject(task.line, refused[task.key], shortened(str(dict(task.data)))))
                elif task.key in known:
                    already += 1
                else:
                    new += 1
                    known.add(task.key)
        if rejected.rejects.count:
            draft.rejects.append(rejected.rejects)
        if new:
            draft.change("create", "tasks", str(source.file), {"tasks": Diff(already, already + new)}, payload=source)


def import_source(
    studio: Importer, project: int, manifest: Manifest, source: TaskSource, report: Callable[[str], object]
) -> dict[str, str]:
    """Import what the project does not have yet. Returns key -> reason of the tasks that Label Studio refused.

    Raises StudioError where Label Studio stops answering: what went in stays, and another run goes on from there.
    """
    have = keys_in(studio.tasks(project, data_only=True))
    refused: dict[str, str] = {}
    imported = 0
    for batch in _batches(manifest, source, have):
        refused |= _import(studio, project, batch)
        imported += len(batch)
        report(f"{manifest.name}: {imported - len(refused):,} tasks imported from {source.file}")
    return refused


def _batches(manifest: Manifest, source: TaskSource, have: set[str]) -> Iterator[list[NewTask]]:
    batch: list[NewTask] = []
    for task in read_tasks(manifest.source_path(source), source, manifest.config):
        if isinstance(task, NewTask) and task.key not in have:
            have.add(task.key)
            batch.append(task)
            if len(batch) >= BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


def _import(studio: Importer, project: int, batch: Sequence[NewTask]) -> dict[str, str]:
    """Import a batch; where Label Studio refuses it, halve it until the tasks that it refuses are found."""
    refused: dict[str, str] = {}
    waiting: list[Sequence[NewTask]] = [batch]
    in_a_row = 0
    while waiting:
        tasks = waiting.pop()
        try:
            studio.import_tasks(project, [task.to_json() for task in tasks])
            in_a_row = 0
        except (StudioRefused, InputError) as error:
            if len(tasks) == 1:
                refused[tasks[0].key] = f"was refused by Label Studio: {error.what}"
                in_a_row += 1
                if in_a_row >= HOPELESS:
                    raise
                continue
            have = keys_in(studio.tasks(project, data_only=True))  # a refusal may come after some were stored
            left = [task for task in tasks if task.key not in have]
            middle = (len(left) + 1) // 2
            waiting += [half for half in (left[middle:], left[:middle]) if half]
    return refused
