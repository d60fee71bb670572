"""Projects and label configs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_backend.labeling.errors import ConfigError, StudioError, StudioRefused
from ml_backend.studio.connection import Connection
from ml_backend.studio.payloads import differing
from ml_backend.studio.refusals import Refusal, plain

PAGE = 100
"""The most that Label Studio lists at once."""
_UNSHOWN = ("task_data_password",)
ENTERPRISE = "This edition of Label Studio does not have them; leave them out."


class Projects(Connection):
    def projects(self) -> list[dict[str, Any]]:
        """Every project, oldest first. Raises StudioError where the list stays incomplete."""
        for _ in range(3):  # a project made or deleted meanwhile shifts the pages
            found: dict[int, dict[str, Any]] = {}
            page, count = 1, 1
            while len(found) < count:
                answer = self._get("/api/projects/", {"page": page, "page_size": PAGE}, what="list of projects")
                count = answer["count"]
                found |= {project["id"]: project for project in answer["results"]}
                if answer["next"] is None:
                    break
                page += 1
            if len(found) == count:
                return [found[id] for id in sorted(found)]
        raise StudioError(f"Label Studio at {self._shown} listed {len(found)} of its {count} projects.")

    def project(self, id: int) -> dict[str, Any]:
        return self._get(f"/api/projects/{id}/", what=f"project {id}")

    def create_project(self, fields: Mapping[str, Any], *, alone: bool = False) -> dict[str, Any]:
        """The project as it was stored. Raises StudioRefused, leaving none behind, where fields were dropped.

        `alone`: nothing like it was there, and only one may be. On SQLite Label Studio itself repeats a request whose
        end found the database locked, and so makes a second project; the earlier one is deleted.
        """

        def alike() -> list[dict[str, Any]]:
            projects = reversed(self.projects())
            return [it for it in projects if not it["task_number"] and not differing(fields, it, secret=_UNSHOWN)]

        def same() -> dict[str, Any] | None:
            return next(iter(alike()), None)

        made = self._create("/api/projects/", fields, same=same, what="place for projects")
        stored = self.project(made["id"])
        if dropped := differing(fields, stored, secret=_UNSHOWN):
            self.delete_project(made["id"])
            raise self._dropped(dropped, f"the new project {plain(fields.get('title', ''))!r}")
        for twin in alike() if alone else ():
            if twin["id"] < made["id"]:
                self.delete_project(twin["id"])
        return stored

    def update_project(self, id: int, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The project after the change. Raises StudioRefused naming the fields that Label Studio silently dropped."""
        self._call("PATCH", f"/api/projects/{id}/", json=dict(fields), what=f"project {id}")
        stored = self.project(id)
        if dropped := differing(fields, stored, secret=_UNSHOWN):
            raise self._dropped(dropped, f"project {id}")
        return stored

    def delete_project(self, id: int) -> None:
        """Deletes it with its tasks, annotations and predictions."""
        self._call("DELETE", f"/api/projects/{id}/", what=f"project {id}")

    def validate_config(self, xml: str) -> None:
        """Raises ConfigError with Label Studio's reasons where it would not take this label config."""
        try:
            self._call("POST", "/api/projects/validate/", json={"label_config": xml}, repeatable=True)
        except Refusal as error:
            reasons = [reason.removeprefix("label_config: ") for reason in error.reasons]
            raise ConfigError("Label Studio does not accept the label config:", reasons or [error.what]) from None

    def _dropped(self, names: list[str], where: str) -> StudioRefused:
        return StudioRefused(
            f"Label Studio at {self._shown} answered that it stored {where}, but these fields are not as they were "
            f"sent: {', '.join(sorted(names))}.",
            mend=ENTERPRISE,
        )
