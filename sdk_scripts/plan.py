"""What sync would do: changes with their field diffs, notes, and what it refuses to do. Printing is `plan_output`'s."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ml_backend.settings import Settings
from sdk_scripts.manifest import Manifest
from sdk_scripts.task_sources import Rejects

Action = Literal["create", "update", "delete"]
Kind = Literal["project", "tasks", "view", "webhook", "backend"]

ORDER: tuple[Kind, ...] = ("project", "tasks", "view", "webhook", "backend")
"""In which changes are made. The webhook comes before the backend: Label Studio adds one of its own to a backend that
has none. The backend comes last, because a backend that does not answer is the likeliest thing to fail."""

HIDDEN = "**********"


@dataclass(frozen=True, slots=True)
class Diff:
    """A field's value before and after; None where there is none. Secrets are words about them, never the values."""

    before: Any
    after: Any

    def to_json(self) -> dict[str, Any]:
        return {"before": self.before, "after": self.after}


@dataclass(frozen=True)
class Change:
    action: Action
    kind: Kind
    name: str
    project: str
    """The manifest's name."""
    fields: Mapping[str, Diff] = field(default_factory=dict)
    target: int | None = None
    """Label Studio's id of what is changed or deleted."""
    payload: Any = field(default=None, repr=False)
    """What is sent to Label Studio; it may hold secrets."""

    def to_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "kind": self.kind,
            "name": self.name,
            "project": self.project,
            "fields": {name: diff.to_json() for name, diff in self.fields.items()},
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a plan will not be carried out; `forcible` where --force overrides it."""

    reason: str
    forcible: bool = True


@dataclass(frozen=True)
class Plan:
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    rejects: tuple[Rejects, ...] = ()


@dataclass
class Draft:
    """A plan in the making, for one manifest and the project as it stands in Label Studio."""

    manifest: Manifest
    settings: Settings
    secret: Callable[[str], str]
    """Value of an environment variable that the manifest names. Raises ConfigError where it is not set."""
    prune: bool = False
    key: str = ""
    """`project_key` of the project; "" where it is yet to be made."""
    changes: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    rejects: list[Rejects] = field(default_factory=list)

    def change(
        self,
        action: Action,
        kind: Kind,
        name: str,
        fields: Mapping[str, Diff],
        *,
        target: int | None = None,
        payload: Any = None,
    ) -> None:
        self.changes.append(Change(action, kind, name, self.manifest.name, fields, target, payload))

    def note(self, text: str) -> None:
        self.notes.append(f"{self.manifest.name}: {text}")

    def no_longer_named(self, kind: Kind, name: str, target: int) -> None:
        """Something of ours that the manifest does not name: deleted with --prune, else told."""
        if self.prune:
            self.change("delete", kind, name, {}, target=target)
        else:
            self.note(f"{kind} {name!r} is no longer in the manifest; --prune deletes it")


def diffs(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Diff]:
    """The fields of `after` that `before` has otherwise."""
    return {
        name: Diff(before.get(name), value)
        for name, value in after.items()
        if name not in before or before[name] != value
    }


def created(after: Mapping[str, Any]) -> dict[str, Diff]:
    """All fields of something new that have a value."""
    return {name: Diff(None, value) for name, value in after.items() if value not in (None, "", [], ())}
