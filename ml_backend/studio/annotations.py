"""Single annotations. Many of them come with their tasks, through `import_tasks`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from ml_backend.labeling.errors import StudioRefused
from ml_backend.studio.connection import Connection
from ml_backend.studio.payloads import differing

_UNSHOWN = ("unique_id", "draft_id")


class Annotations(Connection):
    def create_annotation(self, task: int, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Stores an annotation (`result`, and maybe `completed_by`, `was_cancelled`, `ground_truth`, `lead_time`, …).

        It bears a unique id of ours, so that a call without an answer can be repeated: Label Studio refuses the second.
        """
        body = {"unique_id": str(uuid.uuid4()), "ground_truth": False, **fields}
        try:
            made = self._call(
                "POST", f"/api/tasks/{task}/annotations/", json=body, repeatable=True, what=f"task {task}"
            )
        except StudioRefused as error:
            stored = self._get(f"/api/tasks/{task}/", what=f"task {task}")["annotations"]
            ours = [one for one in stored if not differing(_plain(body), _plain(one), secret=_UNSHOWN)]
            if "unique id already exists" not in error.what or not ours:
                raise
            made = max(ours, key=lambda one: one["id"])
        self._check(made, body)
        return made

    def update_annotation(self, id: int, fields: Mapping[str, Any]) -> dict[str, Any]:
        stored = self._call("PATCH", f"/api/annotations/{id}/", json=dict(fields), what=f"annotation {id}")
        self._check(stored, fields)
        return stored

    def delete_annotation(self, id: int) -> None:
        self._call("DELETE", f"/api/annotations/{id}/", what=f"annotation {id}")

    def _check(self, stored: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
        if dropped := differing(sent, stored, secret=_UNSHOWN):
            raise StudioRefused(
                f"Label Studio at {self._shown} stored annotation {stored.get('id')}, but these fields are not as they "
                f"were sent: {', '.join(sorted(dropped))}."
            )


def _plain(annotation: Mapping[str, Any]) -> dict[str, Any]:
    """A task shows who annotated as an object, the rest of the API as an id."""
    who = annotation.get("completed_by")
    return {**annotation, "completed_by": who["id"]} if isinstance(who, Mapping) else dict(annotation)
