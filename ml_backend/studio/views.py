"""Views (tabs) of the Data Manager."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ml_backend.labeling.errors import StudioRefused
from ml_backend.studio.connection import Connection
from ml_backend.studio.payloads import differing

NEW_VIEW = {"type": "list", "target": "tasks"}


class Views(Connection):
    """A view's `data` has its `title`, `filters` ({conjunction, items}), `ordering` (["tasks:predictions_score"], a
    minus in front for descending) and what the screen remembers, such as `hiddenColumns`."""

    def views(self, project: int) -> list[dict[str, Any]]:
        """In the order of their tabs."""
        self._get(f"/api/projects/{project}/", what=f"project {project}")  # the list of no project is empty
        return self._get("/api/dm/views/", {"project": project})

    def create_view(self, project: int, data: Mapping[str, Any]) -> dict[str, Any]:
        wanted = {**NEW_VIEW, **data}

        def same() -> dict[str, Any] | None:
            return next((view for view in self.views(project) if not differing(wanted, view["data"])), None)

        # Label Studio empties the `data` it is given, and so might a transport: it gets a copy.
        fields = {"project": project, "data": copy.deepcopy(wanted)}
        made = self._create("/api/dm/views/", fields, same=same, what=f"project {project}")
        self._check_view(made, wanted)
        return made

    def update_view(self, id: int, data: Mapping[str, Any]) -> dict[str, Any]:
        """Changes what `data` names and keeps the rest. Empty `filters` or `ordering` take them away.

        Label Studio cannot take an ordering away, so such a view is made anew, with another id.
        """
        stored = self._get(f"/api/dm/views/{id}/", what=f"view {id}")
        wanted = {**stored["data"], **data}
        if not wanted.get("filters"):
            wanted["filters"] = {"conjunction": "and", "items": []}  # leaving them out would keep the old ones
        if stored["data"].get("ordering") and not wanted.get("ordering"):
            made = self.create_view(stored["project"], wanted)
            self.delete_view(id)
            return made
        known = {"before": stored}
        changed = self._call("PATCH", f"/api/dm/views/{id}/", json={"data": wanted}, known=known, what=f"view {id}")
        self._check_view(changed, wanted)
        return changed

    def delete_view(self, id: int) -> None:
        self._call("DELETE", f"/api/dm/views/{id}/", what=f"view {id}")

    def _check_view(self, view: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        if dropped := differing(_filled(wanted), _filled(view["data"])):
            raise StudioRefused(
                f"Label Studio at {self._shown} stored view {view['id']}, but these parts are not as they were sent: "
                f"{', '.join(sorted(dropped))}."
            )


def _filled(data: Mapping[str, Any]) -> dict[str, Any]:
    """No filters and no ordering have several spellings."""
    filters = data.get("filters") or {}
    return {**data, "filters": list(filters.get("items") or ()), "ordering": list(data.get("ordering") or ())}
