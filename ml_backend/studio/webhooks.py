"""Webhooks of a project: hints, sent once with a limit of a second, never repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_backend.labeling.errors import StudioRefused
from ml_backend.studio.connection import Connection
from ml_backend.studio.payloads import differing


class Webhooks(Connection):
    """A webhook's fields: `url`, `actions` (names), `send_for_all_actions`, `send_payload`, `is_active`, `headers`."""

    def webhooks(self, project: int) -> list[dict[str, Any]]:
        self._get(f"/api/projects/{project}/", what=f"project {project}")  # for no project it answers 400
        return self._get("/api/webhooks/", {"project": project}, what=f"project {project}")

    def add_webhook(self, project: int, fields: Mapping[str, Any]) -> dict[str, Any]:
        wanted = {"send_for_all_actions": not fields.get("actions"), **fields}

        def same() -> dict[str, Any] | None:
            return next((w for w in self.webhooks(project) if not differing(_sorted(wanted), _sorted(w))), None)

        made = self._create("/api/webhooks/", {**wanted, "project": project}, same=same, what=f"project {project}")
        self._check_webhook(made, wanted)
        return made

    def update_webhook(self, id: int, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Changes the fields named and keeps the rest.

        `actions` always go along: left out, Label Studio empties them, and the webhook is silently dead.
        """
        stored = self._get(f"/api/webhooks/{id}/", what=f"webhook {id}")
        wanted = {"actions": stored["actions"], **fields}
        changed = self._call(
            "PATCH", f"/api/webhooks/{id}/", json=wanted, known={"before": stored}, what=f"webhook {id}"
        )
        self._check_webhook(changed, wanted)
        return changed

    def delete_webhook(self, id: int) -> None:
        self._call("DELETE", f"/api/webhooks/{id}/", what=f"webhook {id}")

    def _check_webhook(self, webhook: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        if dropped := differing(_sorted(wanted), _sorted(webhook)):
            raise StudioRefused(
                f"Label Studio at {self._shown} stored webhook {webhook['id']}, but these fields are not as they were "
                f"sent: {', '.join(sorted(dropped))}."
            )


def _sorted(webhook: Mapping[str, Any]) -> dict[str, Any]:
    return {**webhook, "actions": sorted(webhook.get("actions") or ())}
