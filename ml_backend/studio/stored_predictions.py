"""Single predictions that are stored: clusters for the queue, what is out of date, what is there twice."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from operator import itemgetter
from typing import Any

from ml_backend.labeling.errors import StudioError, StudioNotFound, StudioRefused
from ml_backend.labeling.results import read_time
from ml_backend.studio.connection import BULK_SECONDS
from ml_backend.studio.payloads import differing
from ml_backend.studio.predictions import Predictions, with_version
from ml_backend.studio.tasks import LABELLED, PAGE, condition

NOBODYS = [
    condition("total_annotations", "equal", 0, "Number"),
    condition("cancelled_annotations", "equal", 0, "Number"),
]
UNTOUCHED = [*NOBODYS, condition("total_predictions", "greater", 0, "Number")]
NOT_BEGUN = condition("draft_exists", "equal", False, "Boolean")
"""A task's own `drafts` are those of the account that asks, and nobody else's."""


class StoredPredictions(Predictions):
    def set_cluster(self, task: int, version: str, cluster: int | None) -> bool:
        """Changes the cluster of a task's prediction of this version and nothing else; False where it has none."""
        for prediction in self._get("/api/predictions/", {"task": task}):
            if prediction["model_version"] == version:
                if prediction["cluster"] != cluster:
                    path = f"/api/predictions/{prediction['id']}/"
                    known, fields = {"before": prediction}, {"cluster": cluster}
                    stored = self._call("PATCH", path, json=fields, known=known, what=f"task {task}")
                    if stored["cluster"] != cluster:
                        raise StudioRefused(f"Label Studio at {self._shown} dropped the cluster of a prediction.")
                return True
        return False

    def out_of_date(self, project: int, live: str, versions: Collection[str]) -> Iterator[int]:
        """Ids of predictions of these versions, where the task has one of the live version too, and no annotation
        (skipped ones count) or draft: those say from which prediction they were made, and would forget it."""
        for task in self._matching(project, [*UNTOUCHED, NOT_BEGUN], data_only=False):
            stored = task["predictions"]
            if task["annotations"] or all(it["model_version"] != live for it in stored):
                continue
            yield from (it["id"] for it in stored if it["model_version"] in versions and it["model_version"] != live)

    def doubles(self, project: int, version: str) -> Iterator[tuple[int, datetime]]:
        """Predictions of a version that their task already had one of, and when they were made; the first and those
        that annotations were made from left out."""
        several = [condition("total_predictions", "greater", 1, "Number")]
        for task in self._matching(project, several, data_only=False):
            used = {annotation.get("parent_prediction") for annotation in task["annotations"]}
            same = sorted((it for it in task["predictions"] if it["model_version"] == version), key=itemgetter("id"))
            for double in same[1:]:
                made = read_time(double.get("created_at"))
                if double["id"] not in used and made is not None:
                    yield double["id"], made

    def recount(self, project: int, version: str, *, seconds: float) -> int:
        """Has tasks counted anew that have a prediction of this version and are said to have none, as an import that
        broke off leaves them: Label Studio counts at its end. Returns how many of them there were; the time is for
        those that take a call each (0.1 s), the rest stays."""
        none = condition("total_predictions", "equal", 0, "Number")
        forgotten = [none, *with_version(version, None)]
        found = int(self._page(project, forgotten, size=1, data_only=True)["total"])
        if not found:
            return 0
        # Unless it was told to be lean, Label Studio counts the whole project with every import.
        with suppress(StudioError):
            self._call("POST", f"/api/projects/{project}/import/predictions", json=[], timeout=BULK_SECONDS)
        deadline = time.monotonic() + seconds
        for task in self._matching(project, forgotten, data_only=False):
            if time.monotonic() > deadline:
                break
            for prediction in task["predictions"][:1]:
                fields = {"score": prediction["score"]}  # it counts with every change, also where nothing changes
                path = f"/api/predictions/{prediction['id']}/"
                self._call("PATCH", path, json=fields, known={}, what=f"task {task['id']}")
        return found

    def delete_prediction(self, id: int) -> None:
        """Nothing happens where it is gone already."""
        with suppress(StudioNotFound):
            self._call("DELETE", f"/api/predictions/{id}/", what=f"prediction {id}")

    def least_certain(self, project: int, most: int) -> list[dict[str, Any]]:
        """Up to `most` tasks, `data_only`, that nobody has annotated or skipped and a model has predicted: those with
        the least score of the project's model version first."""
        if not self.untouched(project):  # where no task has a prediction, ordering by their scores is an error 500
            return []
        found: dict[int, dict[str, Any]] = {}
        for page in range(1, -(-most // PAGE) + 1):
            tasks = self._page(
                project, UNTOUCHED, size=PAGE, page=page, data_only=True, ordering=("tasks:predictions_score",)
            )
            found |= {task["id"]: task for task in tasks["tasks"]}
            if page * PAGE >= tasks["total"]:
                break
        return list(found.values())[:most]

    def untouched(self, project: int) -> int:
        """How many tasks `least_certain` has to offer."""
        return int(self._page(project, UNTOUCHED, size=1, data_only=True)["total"])

    def untouched_at(self, project: int, place: int) -> dict[str, Any]:
        """One of them, `data_only`, by its place (from 0) in order of id."""
        return dict(self._page(project, UNTOUCHED, size=1, page=place + 1, data_only=True)["tasks"][0])

    def annotated(self, project: int) -> Iterator[dict[str, Any]]:
        """The tasks with an annotation that was not skipped, in full."""
        return self._matching(project, [LABELLED], data_only=False)

    def least_certain_ids(self, project: int) -> Iterator[int]:
        """The ids of all tasks that `least_certain` has to offer, in its order."""
        ahead: dict[int, None] = {}
        for page in range(1, -(-self.untouched(project) // PAGE) + 1):
            order = ("tasks:predictions_score",)
            for task in self._page(project, UNTOUCHED, size=PAGE, page=page, data_only=True, ordering=order)["tasks"]:
                ahead[task["id"]] = None
        yield from ahead

    def untouched_tasks(
        self, project: int, *, ids: Iterable[int] | None = None, predicted: bool | None = None
    ) -> Iterator[dict[str, Any]]:
        """The tasks, in full, that nobody has annotated, skipped or begun (a draft); of these `ids`, or with a
        prediction or without, where given."""
        of = [condition("id", "in_list", sorted(set(ids)), "List")] if ids is not None else []
        if predicted is not None:
            of.append(condition("total_predictions", "greater" if predicted else "equal", 0, "Number"))
        return self._matching(project, [*NOBODYS, NOT_BEGUN, *of], data_only=False)

    def annotated_by(self, project: int, user: int) -> Iterator[dict[str, Any]]:
        """The tasks, in full, that an account has annotated or skipped."""
        return self._matching(project, [condition("annotators", "contains", user, "List")], data_only=False)

    def update_prediction(self, id: int, fields: Mapping[str, Any]) -> None:
        """Changes `result` and `score` of a stored prediction in place; `task` and `model_version` go with them, as
        they are. Raises StudioRefused where it was not stored as sent."""
        path = f"/api/predictions/{id}/"
        stored = self._call("PATCH", path, json=dict(fields), what=f"prediction {id}")
        if dropped := differing(fields, stored):
            raise StudioRefused(
                f"Label Studio at {self._shown} did not store prediction {id} as it was sent: {', '.join(dropped)}."
            )

    def raise_overlap(self, task: int, overlap: int) -> bool:
        """The queue serves the task until it has so many annotations; False where it does already."""
        stored = self.task(task)
        return stored["overlap"] < overlap and self._set_overlap(stored, overlap)

    def set_overlap(self, task: int, overlap: int) -> bool:
        """The same, but it may be fewer than before; False where it is so already."""
        stored = self.task(task)
        labelled = stored["total_annotations"] >= overlap
        if stored["overlap"] == overlap and stored["is_labeled"] == labelled:
            return False
        return self._set_overlap(stored, overlap)

    def _set_overlap(self, stored: Mapping[str, Any], overlap: int) -> bool:
        # Label Studio would look at the new overlap with the next annotation only.
        fields = {"overlap": overlap, "is_labeled": stored["total_annotations"] >= overlap}
        path, known = f"/api/tasks/{stored['id']}/", {"before": stored}
        changed = self._call("PATCH", path, json=fields, known=known, what=f"task {stored['id']}")
        if changed["overlap"] != overlap:
            raise StudioRefused(f"Label Studio at {self._shown} kept the overlap of task {stored['id']}.")
        return True
