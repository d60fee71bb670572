"""What a project's tasks look like from outside: how many of everything there is, and when each changed.

Label Studio stamps a task (`updated_at`) with most changes of it and of what belongs to it. It does not where
predictions are imported in bulk or deleted by version: those show in the counts and the newest prediction by version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ml_backend.labeling.errors import StudioError
from ml_backend.studio.people import People
from ml_backend.studio.snapshots import SLICE
from ml_backend.studio.stored_predictions import StoredPredictions
from ml_backend.studio.tasks import SNAPSHOT_FROM, changed_after, condition

MARKS_A_CALL = 2_000
_MARKS = "id,updated_at,total_annotations,cancelled_annotations,total_predictions"


@dataclass(frozen=True, slots=True)
class Standing:
    tasks: int
    annotations: int
    skipped: int
    predictions: int
    versions: Mapping[str, tuple[int, str]]
    """Model version -> how many predictions, and when the newest was made; "" for those without a version."""
    newest: str
    """The latest `updated_at` of a task, as Label Studio writes it; "" without tasks."""
    people: tuple[int, ...]
    """Ids of all accounts, in order."""


class Standings(StoredPredictions, People):
    def standing(self, project: int) -> Standing:
        newest = self.newest_change(project)  # first: what changes from here on is seen again
        people = tuple(sorted(int(person["id"]) for person in self._people()))
        listed = self._get(f"/api/projects/{project}/model-versions/", {"extended": "true"}, what=f"project {project}")
        rows = listed["static"] if isinstance(listed, Mapping) else listed
        fields = self.project(project)
        return Standing(
            tasks=int(fields["task_number"] or 0),
            annotations=int(fields["total_annotations_number"] or 0),
            skipped=int(fields["skipped_annotations_number"] or 0),
            predictions=int(fields["total_predictions_number"] or 0),
            versions={str(it["model_version"] or ""): (int(it["count"]), str(it["latest"])) for it in rows},
            newest=newest,
            people=people,
        )

    def marks(self, project: int, *, updated_after: datetime | None = None) -> Iterator[dict[str, Any]]:
        """Of every task, or those changed after that time, `id`, `updated_at` and its counts as they are kept with it,
        in order of id: a third of the time of whole tasks."""
        conditions = [changed_after(updated_after)] if updated_after is not None else []
        last = 0
        while True:
            beyond = condition("id", "greater", last, "Number")
            page = self._page(project, [*conditions, beyond], size=MARKS_A_CALL, data_only=True, include=_MARKS)
            yield from page["tasks"]
            if page["tasks"]:
                last = page["tasks"][-1]["id"]
            if len(page["tasks"]) >= page["total"]:
                return
            if not page["tasks"]:
                raise StudioError(
                    f"Label Studio at {self._shown} lists {page['total']} tasks and shows none.", mend="Run it again."
                )

    def through_export(self, tasks: int) -> bool:
        """Whether a project of so many tasks is read through an export (`Tasks.tasks`), whose annotations say which
        prediction was shown."""
        return tasks >= SNAPSHOT_FROM

    def shown_predictions(self, project: int, ids: Iterable[int]) -> dict[int, Any]:
        """Annotation id -> the prediction that was the project's when it was made, of these tasks: exports have it,
        pages of tasks do not."""
        found: dict[int, Any] = {}
        wanted = sorted(set(ids))
        for start in range(0, len(wanted), SLICE):
            for task in self._snapshot(project, wanted[start : start + SLICE]):
                found |= {it["id"]: it.get("prediction") for it in task["annotations"]}
        return found
