"""What Label Studio keeps of a project, and which changes it stamps: measured, see `test_snapshots_live.py`."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from ml_backend.studio.standing import Standing

START = datetime(2026, 3, 1, tzinfo=UTC)


class ProjectModel:
    """The part of `Studio` that reads tasks, of one project. `calls` counts the tasks that were given out whole."""

    url = "http://label-studio"

    def __init__(self, exported: bool = False) -> None:
        self.stored: dict[int, dict[str, Any]] = {}
        self.people = [1, 2]
        self.exported = exported
        self.calls: Counter[str] = Counter()
        self._now = START
        self._ids = 0

    # what people and programs do

    def pass_time(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def import_tasks(self, n: int) -> None:
        for _ in range(n):
            id = self._id()
            self.stored[id] = {"id": id, "data": {"text": str(id)}, "annotations": [], "predictions": [], "meta": {}}
            self._stamp(id)

    def annotate(self, id: int, answer: str, skipped: bool = False) -> None:
        last = self.stored[id]["predictions"][-1:]
        fields = {"id": self._id(), "result": [answer], "was_cancelled": skipped, "completed_by": 1}
        self.stored[id]["annotations"].append({**fields, "prediction": copy.deepcopy(last[0]) if last else {}})
        self._stamp(id)

    def edit(self, id: int, answer: str) -> None:
        for annotation in self.stored[id]["annotations"][-1:]:
            annotation["result"] = [answer]
            self._stamp(id)

    def unlabel(self, id: int) -> None:
        self.stored[id]["annotations"].clear()
        self._stamp(id)

    def delete_task(self, id: int) -> None:
        del self.stored[id]

    def predict(self, ids: Iterable[int], version: str, answer: str) -> None:
        """In bulk: no stamp. Not by a clock that was set back: that is the one change that cannot be seen."""
        made_at = [it["created_at"] for task in self.stored.values() for it in task["predictions"]]
        self._now = max([self._now, *map(datetime.fromisoformat, made_at)])
        for id in ids:
            made = {"id": self._id(), "model_version": version, "created_at": self._stamped(), "result": [answer]}
            self.stored[id]["predictions"].append(made)
            self._count(id)

    def unpredict(self, ids: Iterable[int], version: str) -> None:
        """By version or for some tasks: no stamp."""
        for id in ids:
            kept = [it for it in self.stored[id]["predictions"] if it["model_version"] != version]
            self.stored[id]["predictions"] = kept
            self._count(id)

    def correct_prediction(self, id: int, answer: str) -> None:
        for prediction in self.stored[id]["predictions"][:1]:
            prediction["result"] = [answer]
            self._stamp(id)

    def _id(self) -> int:
        self._ids += 1
        self._now += timedelta(milliseconds=1)
        return self._ids

    def _stamped(self) -> str:
        self._now += timedelta(milliseconds=1)
        return self._now.isoformat().replace("+00:00", "Z")

    def _stamp(self, id: int) -> None:
        self.stored[id]["updated_at"] = self._stamped()
        self._count(id)

    def _count(self, id: int) -> None:
        task = self.stored[id]
        skipped = sum(it["was_cancelled"] for it in task["annotations"])
        task["total_annotations"] = len(task["annotations"]) - skipped
        task["cancelled_annotations"] = skipped
        task["total_predictions"] = len(task["predictions"])

    # what Studio reads

    def tasks(
        self, project: int, *, ids: Iterable[int] | None = None, updated_after: datetime | None = None
    ) -> Iterator[dict[str, Any]]:
        whole = ids is None and updated_after is None
        wanted = None if ids is None else set(ids)
        for id in sorted(self.stored):
            task = self.stored[id]
            if (wanted is not None and id not in wanted) or not self._after(task, updated_after):
                continue
            self.calls["whole" if whole else "some"] += 1
            given = copy.deepcopy(task)
            if not (whole and self.exported):
                for annotation in given["annotations"]:
                    del annotation["prediction"]
            yield given

    def marks(self, project: int, *, updated_after: datetime | None = None) -> Iterator[dict[str, Any]]:
        names = ("id", "updated_at", "total_annotations", "cancelled_annotations", "total_predictions")
        for id in sorted(self.stored):
            if self._after(self.stored[id], updated_after):
                yield {name: self.stored[id][name] for name in names}

    def _after(self, task: dict[str, Any], time: datetime | None) -> bool:
        return time is None or datetime.fromisoformat(task["updated_at"]) > time

    def standing(self, project: int) -> Standing:
        annotations = [it for task in self.stored.values() for it in task["annotations"]]
        predictions = [it for task in self.stored.values() for it in task["predictions"]]
        versions: dict[str, tuple[int, str]] = {}
        for it in predictions:
            n, at = versions.get(it["model_version"], (0, ""))
            versions[it["model_version"]] = (n + 1, max(at, it["created_at"]))
        skipped = sum(it["was_cancelled"] for it in annotations)
        newest = max((task["updated_at"] for task in self.stored.values()), default="")
        return Standing(
            len(self.stored),
            len(annotations) - skipped,
            skipped,
            len(predictions),
            versions,
            newest,
            tuple(self.people),
        )

    def predicted(self, project: int, version: str) -> set[int]:
        return {
            id for id, task in self.stored.items() if any(it["model_version"] == version for it in task["predictions"])
        }

    def through_export(self, tasks: int) -> bool:
        return self.exported

    def shown_predictions(self, project: int, ids: Iterable[int]) -> dict[int, Any]:
        return {it["id"]: copy.deepcopy(it["prediction"]) for id in ids for it in self.stored[id]["annotations"]}
