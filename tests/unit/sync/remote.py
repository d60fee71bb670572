"""A Label Studio of JSON that plans are made against and applied to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml_backend.settings import Settings
from sdk_scripts.manifest import Manifest
from sdk_scripts.manifest_schema import Project
from sdk_scripts.plan import Draft
from sdk_scripts.resources.backend import plan_backend, plan_webhook
from sdk_scripts.resources.project import plan_project
from sdk_scripts.resources.views import plan_views

URL = "http://backend:9090"
KEY = "1.1795381865"
CONFIG = """<View><Text name="t" value="$text"/>
<Choices name="verdict" toName="t"><Choice value="ham"/><Choice value="spam"/></Choices></View>"""


def manifest_of(label_config: str = CONFIG, instructions: str | None = None, **fields: Any) -> Manifest:
    project = Project.model_validate({"name": "reviews", "title": "Reviews", **fields})
    return Manifest(Path("project.yaml"), project, label_config, instructions)


@dataclass
class Remote:
    """A project as Label Studio's JSON, and what a change makes of it."""

    project: dict[str, Any] | None = None
    views: list[dict[str, Any]] = field(default_factory=list)
    webhooks: list[dict[str, Any]] = field(default_factory=list)
    backends: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    key: str = KEY

    def plan(self, manifest: Manifest, given: Settings, *, prune: bool = False) -> Draft:
        def secret(name: str) -> str:
            return f"value of {name}"

        draft = Draft(manifest, given, secret, prune, self.key)
        plan_project(draft, self.project, [], lambda: self.tasks)
        plan_views(draft, self.views)
        plan_webhook(draft, self.webhooks)
        plan_backend(draft, self.backends)
        return draft

    def apply(self, draft: Draft) -> None:
        for change in draft.changes:
            if change.kind == "project":
                self.project = {"id": 1, **(self.project or {}), **change.payload}
                continue
            things = {"view": self.views, "webhook": self.webhooks, "backend": self.backends}[change.kind]
            made = {"data": change.payload} if change.kind == "view" else dict(change.payload or {})
            if change.kind == "backend" and change.payload:
                made["basic_auth_pass_is_set"] = bool(made.pop("basic_auth_pass", ""))
            if change.action == "create":
                things.append({"id": 1 + max((thing["id"] for thing in things), default=0), **made})
                continue
            at = next(place for place, thing in enumerate(things) if thing["id"] == change.target)
            if change.action == "delete":
                del things[at]
            else:
                things[at] = {**things[at], **made}
