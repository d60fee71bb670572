"""Reading tasks, the queue of the labeling screen, and deleting tasks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from ml_backend.labeling.errors import StudioError, StudioNotFound, StudioRefused
from ml_backend.studio.payloads import differing
from ml_backend.studio.snapshots import SLICE, Snapshots

log = structlog.get_logger(__name__)

PAGE = 500
SNAPSHOT_FROM = 2_000
"""Tasks from which on a whole project is read through a snapshot."""
IDS_A_CALL = 300
"""They travel in the address, which servers cut at 4 to 8 KB."""

Filter = dict[str, Any]


class Tasks(Snapshots):
    def tasks(
        self,
        project: int,
        *,
        ids: Iterable[int] | None = None,
        updated_after: datetime | None = None,
        unpredicted: bool = False,
        data_only: bool = False,
        where: Iterable[Filter] = (),
    ) -> Iterator[dict[str, Any]]:
        """Tasks in order of id, each once, with `data`, `meta`, `annotations` and `predictions` in full.

        Every condition is Label Studio's to apply, so that the cost is that of the tasks that match:
        `ids` (those no longer there are left out); `updated_after`, a time (UTC where it has no zone) after which an
        annotation was made, changed or deleted, or the task was changed (predictions imported in bulk do not count);
        `unpredicted`, that no model has predicted them; `where`, further filters (`condition`). With `data_only` tasks
        have their `id`, `data` and `meta` only, at a fifth of the cost.

        Pages are asked for by id rather than by number, so tasks that come or go meanwhile shift nothing; a large
        project is read whole through snapshots, where they work. Memory is that of one page and all ids. Storage
        addresses in the data stay as they are. Raises StudioNotFound for a project that is not there, and StudioError
        where a page lacks tasks.
        """
        conditions: list[Filter] = list(where)
        if updated_after is not None:
            conditions.append(changed_after(updated_after))
        if unpredicted:
            conditions.append(condition("total_predictions", "equal", 0, "Number"))
        if not conditions and ids is None and not data_only and self.task_count(project) >= SNAPSHOT_FROM:
            yield from self._whole(project, conditions)
            return
        if ids is None:
            yield from self._matching(project, conditions, data_only=data_only)
            return
        wanted = sorted(set(ids))
        for start in range(0, len(wanted), IDS_A_CALL):
            some = condition("id", "in_list", wanted[start : start + IDS_A_CALL], "List")
            yield from self._matching(project, [*conditions, some], data_only=data_only)

    def labelled(self, project: int) -> Iterator[dict[str, Any]]:
        """The tasks with an annotation that was not skipped, in order of id: in full, but maybe without `overlap`. The
        cost is theirs, however many others there are; many come through snapshots, where they work."""
        if self._page(project, [LABELLED], size=1, data_only=True)["total"] >= SNAPSHOT_FROM:
            yield from self._whole(project, [LABELLED])
        else:
            yield from self._matching(project, [LABELLED], data_only=False)

    def task_count(self, project: int, *, predicted: bool = False, updated_after: datetime | None = None) -> int:
        """How many tasks the project has; of them, those with a prediction, or changed after that time (`tasks`)."""
        conditions = [condition("total_predictions", "greater", 0, "Number")] if predicted else []
        conditions += [changed_after(updated_after)] if updated_after is not None else []
        return self._page(project, conditions, size=1, data_only=True)["total"]

    def last_labelled(self, project: int, most: int) -> list[dict[str, Any]]:
        """Up to `most` tasks with an annotation, in full, of those changed last."""
        found: dict[int, dict[str, Any]] = {}
        for page in range(1, -(-most // PAGE) + 1):
            some = self._page(
                project, [LABELLED], size=PAGE, page=page, data_only=False, ordering=("-tasks:updated_at", "-tasks:id")
            )
            found |= {task["id"]: task for task in some["tasks"]}
            if page * PAGE >= some["total"]:
                break
        return list(found.values())[:most]

    def newest_change(self, project: int) -> str:
        """When a task of the project was changed last (as `updated_after` counts), as Label Studio writes it; "" where
        it has no tasks."""
        page = self._page(project, [], size=1, data_only=False, ordering=("-tasks:updated_at",))
        return str(page["tasks"][0]["updated_at"]) if page["tasks"] else ""

    def unfinished(self, project: int) -> Iterator[dict[str, Any]]:
        """The tasks, in full, that have fewer annotations than their overlap asks for."""
        return self._matching(project, [condition("completed_at", "empty", True, "Boolean")], data_only=False)

    def newest_task(self, project: int) -> int:
        """Id of the task that was imported last; 0 where there are none."""
        page = self._page(project, [], size=1, data_only=True, ordering=("-tasks:id",))
        return int(page["tasks"][0]["id"]) if page["tasks"] else 0

    def task(self, id: int) -> dict[str, Any]:
        """One task in full."""
        return self._get(f"/api/tasks/{id}/", {"resolve_uri": "false"}, what=f"task {id}")

    def update_task_data(self, id: int, data: Mapping[str, Any]) -> None:
        """Replaces the task's `data`. Raises StudioRefused where it was not stored as sent."""
        self._call("PATCH", f"/api/tasks/{id}/", json={"data": dict(data)}, what=f"task {id}")
        stored = self.task(id)["data"]
        if differing(data, stored) or stored.keys() != data.keys():
            raise StudioRefused(f"Label Studio at {self._shown} did not store the data of task {id} as it was sent.")

    def next_task(self, project: int) -> dict[str, Any] | None:
        """The task that this account would be served next, or None where none is left."""
        try:
            return self._get(f"/api/projects/{project}/next", what=f"project {project}")
        except StudioNotFound:
            self._get(f"/api/projects/{project}/", what=f"project {project}")  # 404 means both: no task, no project
            return None

    def delete_tasks(self, project: int, ids: Iterable[int]) -> int:
        """How many were deleted. Deleting a project's last task deletes its Data Manager views, too."""
        wanted = sorted(set(ids))
        deleted = 0
        for start in range(0, len(wanted), PAGE):
            some = wanted[start : start + PAGE]
            body = {"selectedItems": {"all": False, "included": some}}
            known = {"before_tasks": list(self.tasks(project, ids=some))} if self._trail is not None else None
            answer = self._call(
                "POST",
                "/api/dm/actions",
                params={"id": "delete_tasks", "project": project},
                json=body,
                repeatable=True,
                known=known,
                what=f"project {project}",
            )
            deleted += answer["processed_items"]
        if left := [task["id"] for task in self.tasks(project, ids=wanted, data_only=True)]:
            raise StudioRefused(f"Label Studio at {self._shown} kept {len(left)} tasks it was told to delete.")
        return deleted

    def _whole(self, project: int, conditions: list[Filter]) -> Iterator[dict[str, Any]]:
        """As `_matching`, through snapshots; from the first that fails on by pages."""
        ids = [task["id"] for task in self._matching(project, conditions, data_only=True, include="id")]
        last = 0
        for start in range(0, len(ids), SLICE):
            try:
                for task in self._snapshot(project, ids[start : start + SLICE]):
                    yield task
                    last = task["id"]
            except StudioError as error:
                log.info("reading page by page", project=project, after=last, why=error.what)
                beyond = condition("id", "greater", last, "Number")
                yield from self._matching(project, [*conditions, beyond] if last else conditions, data_only=False)
                return

    def _matching(
        self,
        project: int,
        conditions: list[Filter],
        *,
        data_only: bool,
        review: bool = True,
        include: str = "id,data,meta",
    ) -> Iterator[dict[str, Any]]:
        last, seen = 0, 0
        expected: int | None = None
        while True:
            beyond = condition("id", "greater", last, "Number")
            page = self._page(
                project, [*conditions, beyond], size=PAGE, data_only=data_only, review=review, include=include
            )
            rows, total = page["tasks"], page["total"]
            expected = total if expected is None else expected
            ids = [row["id"] for row in rows]
            if ids != sorted(ids) or (ids and ids[0] <= last):
                raise StudioError(
                    f"Label Studio at {self._shown} served tasks of project {project} out of order.",
                    mend="Does a proxy change the query of its addresses?",
                )
            if total and not rows:
                raise self._incomplete(project, seen, expected)
            for row in rows:
                if row["id"] != last:  # a task with several matching predictions comes several times
                    seen += 1
                    last = row["id"]
                    yield row
            if len(rows) >= total:
                break
        if not conditions and seen < expected and seen < self.task_count(project):
            raise self._incomplete(project, seen, expected)

    def _incomplete(self, project: int, seen: int, expected: int) -> StudioError:
        return StudioError(
            f"Label Studio at {self._shown} gave {seen} of {expected} tasks of project {project}.",
            mend="Run it again; if it repeats, Label Studio's log says more.",
        )

    def _page(
        self,
        project: int,
        conditions: list[Filter],
        *,
        size: int,
        data_only: bool,
        review: bool = True,
        page: int = 1,
        ordering: tuple[str, ...] = (),
        include: str = "id,data,meta",
    ) -> dict[str, Any]:
        """A page (the first by default) of the tasks that meet all conditions, and as `total` how many there are."""
        query = json.dumps({"filters": {"conjunction": "and", "items": conditions}, "ordering": list(ordering)})
        params = {
            "project": project,
            "page": page,
            "page_size": size,
            # Label Studio decodes the query twice.
            "query": query.replace("%", "%25"),
            "resolve_uri": "false",
            # Full rows of the review screen: without columns that only the Data Manager shows (half the time), and
            # without asking the ML backend for predictions in the middle of a read.
            "review": "true" if review else "false",
            "fields": "task_only" if data_only else "all",
        }
        if data_only and review:  # a third of the time of whole rows; not for those who ask for a column
            params["include"] = include
        return self._get("/api/tasks/", params, what=f"project {project}")


def condition(column: str, operator: str, value: Any, type: str) -> Filter:
    """One filter of the Data Manager."""
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": type, "value": value}


def changed_after(time: datetime) -> Filter:
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return condition("updated_at", "greater", time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "Datetime")


LABELLED = condition("total_annotations", "greater", 0, "Number")
