"""Predictions in bulk, checked against the project's label config: Label Studio itself takes, or drops, anything."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import InputError, StudioRefused, StudioUnreachable
from ml_backend.studio.checks import prediction_problems
from ml_backend.studio.connection import BULK_SECONDS
from ml_backend.studio.imports import batches
from ml_backend.studio.payloads import encode
from ml_backend.studio.projects import Projects
from ml_backend.studio.refusals import MAX_REASONS, Unsettled
from ml_backend.studio.tasks import Filter, Tasks, condition

BATCH_PREDICTIONS = 10_000
"""Every call counts all tasks of the project anew (0.6 ms each), so few large calls are many times faster."""
BATCH_BYTES = 32_000_000
_CUT = 500
"""Label Studio cuts its list of a task's model versions at so many characters."""


class Predictions(Projects, Tasks):
    def import_predictions(self, project: int, predictions: Sequence[Mapping[str, Any]]) -> int:
        """Stores predictions `{task, result, score, model_version, cluster?}`; returns how many are new.

        A task that has a prediction of the same model version keeps that one. Those with a `cluster` are stored one by
        one (0.1 s each), as the bulk call drops it. Raises InputError with every reason, before anything is sent,
        where one does not fit the label config; StudioRefused where Label Studio dropped some.
        """
        config = parse(self.project(project)["label_config"])
        if reasons := [
            f"item {place}: {reason}"
            for place, prediction in enumerate(predictions)
            for reason in prediction_problems(prediction, config)
        ]:
            more = f"; and {len(reasons) - MAX_REASONS} more" if len(reasons) > MAX_REASONS else ""
            raise InputError(f"Some predictions cannot be stored: {'; '.join(reasons[:MAX_REASONS])}{more}.")
        unique = {(item["task"], item["model_version"]): item for item in predictions}
        by_version: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for (_, version), item in sorted(unique.items()):
            by_version[version].append(item)
        return sum(
            self._import_batch_of(project, version, batch)
            for version, items in by_version.items()
            for batch in batches(items, BATCH_PREDICTIONS, BATCH_BYTES)
        )

    def _import_batch_of(self, project: int, version: str, batch: Sequence[Mapping[str, Any]]) -> int:
        """One batch of one version, ascending by task."""
        span = (batch[0]["task"], batch[-1]["task"])
        had = self.predicted(project, version, between=span)
        missing = [item for item in batch if item["task"] not in had]
        for item in missing:
            if item.get("cluster") is not None:
                self._store_one(item)
        if bulk := [_row(item) for item in missing if item.get("cluster") is None]:
            self._store(project, version, span, bulk)
        return len(missing)

    def _store(self, project: int, version: str, span: tuple[int, int], rows: list[dict[str, Any]]) -> None:
        for _ in range(2):
            try:
                answer = self._call(
                    "POST",
                    f"/api/projects/{project}/import/predictions",
                    content=encode(rows),
                    timeout=max(self.timeout, BULK_SECONDS),
                    known={"version": version, "tasks": [row["task"] for row in rows]},
                    what=f"project {project}",
                )
            except Unsettled as error:
                lost = error
                rows = self._still_missing(project, version, span, rows)
                if not rows:
                    return
                continue
            if answer["created"] != len(rows):
                there = self.predicted(project, version, between=span)
                dropped = [row["task"] for row in rows if row["task"] not in there]
                raise StudioRefused(
                    f"Label Studio at {self._shown} stored {answer['created']} of {len(rows)} predictions and dropped "
                    f"the others, those of tasks {', '.join(map(str, dropped[:MAX_REASONS]))}"
                    f"{', …' if len(dropped) > MAX_REASONS else ''}.",
                    mend="Its log names what does not fit the project's label config.",
                )
            return
        raise lost

    def _still_missing(
        self, project: int, version: str, span: tuple[int, int], rows: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """What of the rows is not stored, after waiting as long as one call may take for them to come."""
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                there = self.predicted(project, version, between=span)
            except StudioUnreachable:
                there = set()  # it may be starting again
            missing = [row for row in rows if row["task"] not in there]
            if not missing or time.monotonic() > deadline:
                return missing
            time.sleep(min(1.0, self.timeout / 10))

    def _store_one(self, item: Mapping[str, Any]) -> None:
        fields = {**_row(item), "cluster": item["cluster"]}

        def same() -> dict[str, Any] | None:
            stored = self._get("/api/predictions/", {"task": item["task"]})
            return next((p for p in stored if p["model_version"] == item["model_version"]), None)

        made = self._create("/api/predictions/", fields, same=same, what=f"task {item['task']}")
        if made.get("cluster") != item["cluster"]:
            raise StudioRefused(f"Label Studio at {self._shown} dropped the cluster of a prediction.")

    def predicted(self, project: int, version: str, *, between: tuple[int, int] | None = None) -> set[int]:
        """Ids of the tasks that have a prediction of exactly this model version; `between` two ids, where given."""
        found: set[int] = set()
        for row in self._versions(project, with_version(version, between)):
            listed = row["predictions_model_versions"]
            names = {name.strip() for name in listed.split(",")}
            # "contains" finds v1 in v10, too. A list that may have been cut (with two quotes a name, which it has
            # lost) and a name with a comma leave it open.
            is_open = len(listed) + 2 * len(names) >= _CUT or "," in version
            if version in names or (is_open and self._has(row["id"], version)):
                found.add(row["id"])
        return found

    def tasks_without(
        self, project: int, version: str | None, *, between: tuple[int, int] | None = None
    ) -> Iterator[dict[str, Any]]:
        """The tasks, `data_only`, that have no prediction of exactly this model version, or with None of any; each
        once. `between` two ids, where given."""
        yield from self._matching(project, _without(version, between), data_only=True)
        if version is not None and self._alike(project, version):
            containing = with_version(version, between)
            found = {row["id"] for row in self._versions(project, containing)}
            yield from self.tasks(
                project, ids=found - self.predicted(project, version, between=between), data_only=True
            )

    def count_without(self, project: int, version: str | None, *, between: tuple[int, int] | None = None) -> int:
        """How many tasks `tasks_without` gives."""
        count = int(self._page(project, _without(version, between), size=1, data_only=True)["total"])
        if version is not None and self._alike(project, version):
            containing = self._page(project, with_version(version, between), size=1, data_only=True)["total"]
            count += containing - len(self.predicted(project, version, between=between))
        return count

    def count_with(self, project: int, version: str, *, between: tuple[int, int]) -> int:
        """How many tasks have a prediction of this model version (or of one whose name contains it)."""
        return int(self._page(project, with_version(version, between), size=1, data_only=True)["total"])

    def ranges(self, project: int, size: int) -> list[tuple[int, int]]:
        """The first and last id of every `size` tasks in order of id; together they hold all tasks there are now."""
        total = self.task_count(project)
        firsts = [self._id_at(project, place) for place in range(0, total, size)]
        if not firsts:
            return []
        lasts = [*(first - 1 for first in firsts[1:]), self._id_at(project, total - 1)]
        return list(zip(firsts, lasts, strict=True))

    def _id_at(self, project: int, place: int) -> int:
        return int(self._page(project, [], size=1, page=place + 1, data_only=True)["tasks"][0]["id"])

    def _alike(self, project: int, version: str) -> bool:
        """Whether the filter "contains" finds other versions than this one."""
        return any(name != version and version in name for name in self.model_versions(project))

    def _versions(self, project: int, conditions: list[Filter]) -> Iterator[dict[str, Any]]:
        return self._matching(project, conditions, data_only=True, review=False)

    def _has(self, task: int, version: str) -> bool:
        stored = self._get("/api/predictions/", {"task": task})
        return any(prediction["model_version"] == version for prediction in stored)

    def model_versions(self, project: int) -> dict[str, int]:
        """Model versions of the project's predictions, with how many each has."""
        return self._get(f"/api/projects/{project}/model-versions/", what=f"project {project}")

    def delete_predictions(self, project: int, *, version: str | None = None, ids: Iterable[int] | None = None) -> int:
        """Deletes a project's predictions of one model version, or those with these ids; returns how many."""
        if (version is None) == (ids is None):
            raise InputError("delete_predictions needs a version or ids, not both.")
        if version is not None:
            path = f"/api/projects/{project}/model-versions/"
            had = self.model_versions(project).get(version, 0)
            self._call("DELETE", path, json={"model_version": version}, what=f"project {project}")
            if left := self.model_versions(project).get(version, 0):
                raise StudioRefused(f"Label Studio at {self._shown} kept {left} of {had} predictions of {version!r}.")
            return had
        wanted = set(ids or ())
        for id in sorted(wanted):
            self._call("DELETE", f"/api/predictions/{id}/", what=f"prediction {id}")
        return len(wanted)


def _row(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item.get(key) for key in ("task", "result", "score", "model_version")}


def with_version(version: str, between: tuple[int, int] | None) -> list[Filter]:
    return [condition("predictions_model_versions", "contains", [version], "List"), *_ids(between)]


def _without(version: str | None, between: tuple[int, int] | None) -> list[Filter]:
    if version is None:
        return [condition("total_predictions", "equal", 0, "Number"), *_ids(between)]
    return [condition("predictions_model_versions", "not_contains", [version], "List"), *_ids(between)]


def _ids(between: tuple[int, int] | None) -> list[Filter]:
    return [condition("id", "in", {"min": between[0], "max": between[1]}, "Number")] if between else []
