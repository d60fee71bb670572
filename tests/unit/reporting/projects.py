"""A Label Studio with one project, as far as the reconciler asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

STEPS = ("import", "label all", "label one", "reopen", "delete", "nothing")


@dataclass
class Project:
    """With its tasks, those that are open, and those with ground truth."""

    tasks: list[int] = field(default_factory=list)
    open: set[int] = field(default_factory=set)
    decided: set[int] = field(default_factory=set)
    labels: int = 0

    def fields(self, line: str = "") -> dict[str, Any]:
        return {
            "id": 7,
            "created_at": "2026-11-22T00:00:00Z",
            "description": f"Reviews.\n\n{line}",
            "task_number": len(self.tasks),
            "finished_task_number": len(self.tasks) - len(self.open),
            "ground_truth_number": len(self.decided),
            "total_annotations_number": self.labels,
        }

    def do(self, step: str) -> None:
        if step == "import":
            self.tasks.append(max(self.tasks, default=0) + 1)
            self.open.add(self.tasks[-1])
        elif step == "label all":
            self.open.clear()
        elif step == "label one" and self.open:
            self.open.pop()
        elif step == "reopen" and self.tasks:
            self.open.add(self.tasks[0])
        elif step == "delete" and len(self.tasks) > 1:
            self.open.discard(self.tasks.pop(0))

    def newest_task(self, _: int) -> int:
        return max(self.tasks, default=0)

    def unfinished(self, _: int) -> Iterator[dict[str, Any]]:
        return iter({"id": it, "annotations": [{"ground_truth": it in self.decided}]} for it in sorted(self.open))

    def task_count(self, *_: Any, **__: Any) -> int:
        return 0
