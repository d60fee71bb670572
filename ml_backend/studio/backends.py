"""ML backends connected to a project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_backend.labeling.errors import InputError, StudioRefused
from ml_backend.studio.connection import Connection
from ml_backend.studio.payloads import differing

PASSWORD = "basic_auth_pass"  # noqa: S105  # the name of a field
_EDITABLE = (
    "url",
    "title",
    "description",
    "auth_method",
    "basic_auth_user",
    "is_interactive",
    "extra_params",
    "timeout",
)


class Backends(Connection):
    """A backend's fields: `url`, `title`, `is_interactive`, `description`, `timeout` and, for Basic auth, `auth_method`
    "BASIC_AUTH", `basic_auth_user`, `basic_auth_pass` (never shown again)."""

    def backends(self, project: int) -> list[dict[str, Any]]:
        """Label Studio asks each for its health meanwhile, up to some seconds where one does not answer."""
        return self._get("/api/ml", {"project": project}, what=f"project {project}")

    def add_backend(self, project: int, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Connects a backend; Label Studio calls its `/health` and `/setup` at once, and registers a webhook to it.

        A user name without `auth_method` means Basic auth. Raises StudioRefused where the backend is not well, or
        its address is a private one that Label Studio was not told to allow.
        """
        wanted = _with_auth({"title": "", **fields})
        if wanted.get("auth_method") == "BASIC_AUTH" and not wanted.get(PASSWORD):
            raise InputError("Basic auth of a backend needs a password.", mend="Set TIEBREAK_BACKEND_PASSWORD.")

        def same() -> dict[str, Any] | None:
            return next((b for b in self.backends(project) if b["url"] == wanted.get("url")), None)

        made = self._create("/api/ml", {**wanted, "project": project}, same=same, what=f"project {project}")
        self._check_backend(made, wanted)
        return made

    def update_backend(self, id: int, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Changes the fields named and keeps the rest, the password too."""
        stored = self._get(f"/api/ml/{id}", what=f"backend {id}")
        # Label Studio tries the connection with what it is sent alone, so it is sent everything; an empty password
        # keeps the old one.
        whole = {name: stored[name] for name in _EDITABLE if stored.get(name) is not None} | {PASSWORD: ""}
        wanted = _with_auth({**whole, **fields})
        if not wanted[PASSWORD] and not stored.get("basic_auth_pass_is_set"):
            del wanted[PASSWORD]
        body = {**wanted, "project": stored["project"]}
        changed = self._call("PATCH", f"/api/ml/{id}", json=body, known={"before": stored}, what=f"backend {id}")
        self._check_backend(changed, wanted)
        return changed

    def delete_backend(self, id: int) -> None:
        """Label Studio leaves the webhook it registered for it."""
        self._call("DELETE", f"/api/ml/{id}", what=f"backend {id}")

    def _check_backend(self, backend: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        dropped = differing(wanted, backend, secret=(PASSWORD,))
        if wanted.get(PASSWORD) and not backend.get("basic_auth_pass_is_set"):
            dropped.append(PASSWORD)
        if dropped:
            raise StudioRefused(
                f"Label Studio at {self._shown} stored backend {backend['id']}, but these fields are not as they were "
                f"sent: {', '.join(sorted(dropped))}."
            )


def _with_auth(fields: dict[str, Any]) -> dict[str, Any]:
    return {"auth_method": "BASIC_AUTH", **fields} if fields.get("basic_auth_user") else fields
