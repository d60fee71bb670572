"""How each change of Label Studio is taken back: a table of method and address, one row a kind of change.

A row's `plan` looks at the present and says the step. What Tiebreak writes and no row names cannot be undone; a test
has them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ml_backend.studio.kept_values import SECRET
from sdk_scripts.undo.bulk import deleted_tasks, imported_predictions, imported_tasks
from sdk_scripts.undo.projects import labels_lost, made_project
from sdk_scripts.undo.steps import GONE, NOT_KEPT, Entry, Now, Step, moved

if TYPE_CHECKING:
    from ml_backend.studio import Studio

Plan = Callable[[Now, Entry, str], Step]
Write = Callable[["Studio", int, Mapping[str, Any]], object]


@dataclass(frozen=True)
class Changed:
    """Fields are put back to what they were, where they still are what Tiebreak made of them."""

    kind: str
    write: Write
    follow: tuple[str, ...] = ()
    """Fields that Label Studio works out by itself."""
    along: tuple[str, ...] = ()
    """Fields that go with every change, as they are."""
    lost: Callable[[Now, Entry, Mapping[str, Any]], str] = lambda *_: ""
    """Why putting these fields back would lose labels; empty where it would not."""

    def __call__(self, now: Now, entry: Entry, id: str) -> Step:
        what, before = f"{self.kind} {id}", entry.values.get("before")
        if not isinstance(before, Mapping):
            return Step(entry, "cannot", what, NOT_KEPT)
        after = {name: value for name, value in entry.values["after"].items() if name not in self.follow}
        fields = moved(after, before)
        hidden = sorted(set(entry.sent.get("fields", ())) & set(SECRET))
        current = now.at(entry.path)
        if not fields:
            why = f"only its {', '.join(hidden)} changed, and secrets are not kept" if hidden else ""
            return Step(entry, "cannot" if why else "undone", what, why or "it changed nothing")
        what = f"{what}: {', '.join(sorted(fields))}"
        back = {name: before[name] for name in fields}
        if entry.path in now.again:
            now.again[entry.path] |= back
            return Step(entry, "undone", what, "it is made again as it was before")
        if current is None:
            return Step(entry, "cannot", what, GONE)
        if not (still := moved(back, current)):
            return Step(entry, "undone", what, "it is as it was")
        if (theirs := moved({name: after[name] for name in still}, current)) and entry.id in now.redone:
            return Step(entry, "undone", what, "it was put back")
        if theirs:
            return Step(entry, "cannot", what, f"somebody changed {', '.join(sorted(theirs))} since")
        if why := self.lost(now, entry, back):
            return Step(entry, "cannot", what, why)
        now.put(entry.path, back)
        back |= {name: before[name] for name in self.along if name in before}
        return Step(entry, "undo", what, "put back", lambda: self.write(now.studio, int(id), back))


@dataclass(frozen=True)
class Made:
    """It is deleted, where it is as Tiebreak made it."""

    kind: str
    delete: Callable[[Studio, int], object]

    def __call__(self, now: Now, entry: Entry, id: str) -> Step:
        what = f"{self.kind} {entry.made}"
        path, made = entry.made_path, entry.made
        if path is None or made is None:
            return Step(entry, "cannot", self.kind, NOT_KEPT)
        current = now.at(path)
        if current is None:
            return Step(entry, "undone", what, GONE)
        if "after" not in entry.values:
            return Step(entry, "cannot", what, NOT_KEPT)
        if theirs := moved(entry.values["after"], current):
            return Step(entry, "cannot", what, f"somebody changed {', '.join(sorted(theirs))} since")
        now.remove(path)
        return Step(entry, "undo", what, "delete it", lambda: self.delete(now.studio, made))


@dataclass(frozen=True)
class Deleted:
    """It is made again, with another id."""

    kind: str
    make: Callable[[Studio, Mapping[str, Any]], object]
    withheld: str = ""
    """A field that says there was a secret, which is not kept."""

    def __call__(self, now: Now, entry: Entry, id: str) -> Step:
        what, before = f"{self.kind} {id}", entry.values.get("before")
        if not isinstance(before, Mapping):
            return Step(entry, "cannot", what, NOT_KEPT)
        again = now.again[entry.path] = dict(before)
        if entry.id in now.redone:
            return Step(entry, "undone", what, "it was made again")
        if self.withheld and (before.get(self.withheld) or self.withheld not in before):
            why = "it may have had a secret, which is not kept; `tiebreak sync --apply` makes those of a manifest"
            del now.again[entry.path]
            return Step(entry, "cannot", what, why)
        return Step(entry, "undo", what, "make it again, with another id", lambda: self.make(now.studio, again))


def never(why: str) -> Plan:
    return lambda _, entry, id: Step(entry, "cannot", f"{entry.method} {entry.path}", why)


def _task(studio: Studio, id: int, fields: Mapping[str, Any]) -> None:
    if "data" in fields:
        studio.update_task_data(id, fields["data"])
    if "overlap" in fields:
        studio.set_overlap(id, int(fields["overlap"]))


def _annotation_again(studio: Studio, was: Mapping[str, Any]) -> object:
    kept = ("result", "completed_by", "was_cancelled", "ground_truth", "lead_time")
    return studio.create_annotation(int(was["task"]), {name: was[name] for name in kept if was.get(name) is not None})


def _webhook_again(studio: Studio, was: Mapping[str, Any]) -> object:
    kept = ("url", "actions", "send_for_all_actions", "send_payload", "is_active")
    return studio.add_webhook(int(was["project"]), {name: was[name] for name in kept if name in was})


def _backend_again(studio: Studio, was: Mapping[str, Any]) -> object:
    kept = ("url", "title", "description", "is_interactive", "timeout")
    return studio.add_backend(int(was["project"]), {name: was[name] for name in kept if was.get(name) is not None})


_WAYS: tuple[tuple[str, Plan], ...] = (
    (r"POST /api/projects/", made_project),
    (
        r"PATCH /api/projects/(\d+)/",
        Changed("project", lambda studio, id, fields: studio.update_project(id, fields), lost=labels_lost),
    ),
    (r"DELETE /api/projects/(\d+)/", never("a project that is gone comes back from a backup only: `tiebreak restore`")),
    (r"POST /api/projects/(\d+)/import", imported_tasks),
    (r"POST /api/projects/(\d+)/import/predictions", imported_predictions),
    (
        r"DELETE /api/projects/(\d+)/model-versions/",
        never("a version's predictions are not kept; `tiebreak prelabel` makes those of the live one again"),
    ),
    (r"POST /api/dm/actions", deleted_tasks),
    (
        r"PATCH /api/tasks/(\d+)/",
        Changed("task", _task, follow=("is_labeled",)),
    ),
    (
        r"POST /api/tasks/(\d+)/annotations/",
        Made("annotation", lambda studio, id: studio.delete_annotation(id)),
    ),
    (
        r"PATCH /api/annotations/(\d+)/",
        Changed("annotation", lambda studio, id, fields: studio.update_annotation(id, fields)),
    ),
    (r"DELETE /api/annotations/(\d+)/", Deleted("annotation", _annotation_again)),
    (r"POST /api/predictions/", Made("prediction", lambda studio, id: studio.delete_prediction(id))),
    (
        r"PATCH /api/predictions/(\d+)/",
        Changed(
            "prediction",
            lambda studio, id, fields: studio.update_prediction(id, fields),
            along=("task", "model_version"),
        ),
    ),
    (
        r"DELETE /api/predictions/(\d+)/",
        never("predictions are not kept; `tiebreak prelabel` makes those of the live version again"),
    ),
    (r"POST /api/dm/views/", Made("view", lambda studio, id: studio.delete_view(id))),
    (
        r"PATCH /api/dm/views/(\d+)/",
        Changed("view", lambda studio, id, fields: studio.update_view(id, fields["data"])),
    ),
    (
        r"DELETE /api/dm/views/(\d+)/",
        Deleted("view", lambda studio, was: studio.create_view(int(was["project"]), was["data"])),
    ),
    (r"POST /api/webhooks/", Made("webhook", lambda studio, id: studio.delete_webhook(id))),
    (
        r"PATCH /api/webhooks/(\d+)/",
        Changed("webhook", lambda studio, id, fields: studio.update_webhook(id, fields)),
    ),
    (r"DELETE /api/webhooks/(\d+)/", Deleted("webhook", _webhook_again, withheld="headers_set")),
    (r"POST /api/ml", Made("backend", lambda studio, id: studio.delete_backend(id))),
    (r"PATCH /api/ml/(\d+)", Changed("backend", lambda studio, id, fields: studio.update_backend(id, fields))),
    (r"DELETE /api/ml/(\d+)", Deleted("backend", _backend_again, withheld="basic_auth_pass_is_set")),
    (r"POST /api/users/", never("accounts stay: their person may have signed in, and labels bear their name")),
)
WAYS = tuple((re.compile(pattern), plan) for pattern, plan in _WAYS)


def way_back(now: Now, entry: Entry) -> Step:
    """The step of an entry. Raises StudioError where Label Studio cannot be looked at."""
    call = f"{entry.method} {entry.path}"
    for pattern, plan in WAYS:
        if found := pattern.fullmatch(call):
            return plan(now, entry, found[1] if found.groups() else "")
    return Step(entry, "cannot", call, "nothing is known of how to take this back")
