"""A backup -> a new project: settings, label config, views, and every task with what people and machines answered.

What Label Studio gives anew: ids, times, and from which prediction an annotation was made. Drafts and comments are in
no export. A webhook and the ML backend come back by `tiebreak sync --apply`, or by hand; the model is trained anew.

The new project says in its description of which backup it is, so that a restore that broke off goes on, and one that is
complete is not made twice.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.errors import ConfigError, InputError
from sdk_scripts.backup import FORMAT
from sdk_scripts.json_items import json_items
from sdk_scripts.marks import read_mark
from sdk_scripts.resources.project import AS_IT_IS
from sdk_scripts.undo.bulk import importable

if TYPE_CHECKING:
    from ml_backend.studio import Studio

SETTINGS = (
    *AS_IT_IS,
    "description",
    "label_config",
    "expert_instruction",
    "sampling",
    "maximum_annotations",
    "overlap_cohort_percentage",
    "show_overlap_first",
)
"""A project's fields that are put back; its `model_version` is, once its predictions are there."""
BATCH = 1_000


@dataclass(frozen=True)
class Restored:
    applied: bool
    backup: str
    title: str
    tasks: int
    annotations: int
    predictions: int
    views: int
    project: int | None
    """The new project; None where it is not made yet."""
    missing: int
    """Tasks that are not in it yet, or were not before this run."""

    @property
    def open(self) -> bool:
        return not self.applied and (self.project is None or self.missing > 0)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class _Backup:
    folder: Path
    fields: dict[str, Any]
    people: Mapping[int, str]
    views: list[dict[str, Any]]

    @property
    def line(self) -> str:
        return f"Restored from {self.folder.name}."

    def tasks(self) -> Iterator[dict[str, Any]]:
        """In order of id."""
        file = self.folder / "tasks.json.gz"
        try:
            with gzip.open(file, "rb") as stream:
                yield from json_items(stream)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise InputError(f"{file} cannot be read: {error}.", mend="Is the backup whole?") from None


def restore(studio: Studio, path: Path, *, apply: bool = False) -> Restored:
    """What a restore of a backup's folder (or of its `tasks.json.gz`) would make, and with `apply` the making.

    Raises InputError where it cannot be read or is of a newer Tiebreak, ConfigError where people of it have no account,
    StudioError where Label Studio does not take it. What came in until then stays; another run goes on.
    """
    backup = _read(path)
    counts = {"tasks": 0, "annotations": 0, "predictions": 0}
    people: set[int] = set()
    for task in backup.tasks():
        given = importable(task)
        counts["tasks"] += 1
        counts["annotations"] += len(given["annotations"])
        counts["predictions"] += len(given["predictions"])
        people |= {one["completed_by"] for one in given["annotations"] if "completed_by" in one}
    accounts = _accounts(studio, backup, people)
    project = _made(studio, backup)
    there = studio.task_count(project) if project is not None else 0
    if apply:
        project = project if project is not None else _create(studio, backup)
        for batch in _batches(islice(backup.tasks(), there, None)):
            studio.import_tasks(project, [_with_accounts(importable(task), accounts) for task in batch])
        _finish(studio, backup, project)
    return Restored(
        applied=apply,
        backup=str(backup.folder),
        title=str(backup.fields.get("title")),
        views=len(backup.views),
        project=project,
        missing=counts["tasks"] - there,
        **counts,
    )


def _read(path: Path) -> _Backup:
    folder = path if path.is_dir() else path.parent
    try:
        fields = json.loads((folder / "project.json").read_text("utf-8"))
        file = folder / "about.json"
        about: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {"format": 1}
        if about["format"] > FORMAT:
            raise InputError(
                f"{folder} has format {about['format']} (Tiebreak {about.get('tiebreak', '')}); this Tiebreak reads up "
                f"to {FORMAT}.",
                mend="Update Tiebreak.",
            )
        people = {int(id): str(email) for id, email in about.get("people", {}).items()}
        return _Backup(folder, dict(fields), people, list(about.get("views", [])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is no backup of a project: {error}.", mend="Name a folder in `backups` of Tiebreak's home."
        ) from None


def _accounts(studio: Studio, backup: _Backup, people: set[int]) -> dict[int, int]:
    """Who answered -> their account here."""
    here = studio.annotators()
    by_email = {email.lower(): id for id, email in here.items()}
    accounts: dict[int, int] = {}
    unknown = []
    for id in sorted(people):
        email = backup.people.get(id, "")
        found = by_email.get(email.lower()) if email else (id if not backup.people and id in here else None)
        if found is None:
            unknown.append(f"user {id}{f', {email}' if email else ''}")
        else:
            accounts[id] = found
    if unknown:
        raise ConfigError(
            "People of the backup have no account in this Label Studio:",
            unknown,
            mend="Invite them, then run it again.",
        )
    return accounts


def _made(studio: Studio, backup: _Backup) -> int | None:
    for project in studio.projects():
        if backup.line in str(project.get("description") or "").splitlines():
            return int(project["id"])
    return None


def _create(studio: Studio, backup: _Backup) -> int:
    fields = {name: backup.fields[name] for name in SETTINGS if backup.fields.get(name) is not None}
    description = str(fields.get("description") or "")
    if mark := read_mark(description):
        others = (read_mark(project.get("description")) for project in studio.projects())
        if mark.name in {other.name for other in others if other}:  # the manifest governs that one
            description = "\n".join(line for line in description.splitlines() if line.strip() != str(mark))
    fields["description"] = f"{backup.line}\n{description}".strip()
    return int(studio.create_project(fields)["id"])


def _finish(studio: Studio, backup: _Backup, project: int) -> None:
    """Views, how many each task is for, and which version is shown."""
    for view in backup.views:
        if not any(there["data"] == view for there in studio.views(project)):
            studio.create_view(project, view)
    tasks = zip(studio.tasks(project), backup.tasks(), strict=True)
    for id, overlap in [(new["id"], old["overlap"]) for new, old in tasks if new["overlap"] != old.get("overlap")]:
        studio.set_overlap(id, overlap)
    version = backup.fields.get("model_version")
    if version and version in studio.model_versions(project):
        studio.update_project(project, {"model_version": version})


def _with_accounts(task: dict[str, Any], accounts: Mapping[int, int]) -> dict[str, Any]:
    for annotation in task["annotations"]:
        if "completed_by" in annotation:
            annotation["completed_by"] = accounts[annotation["completed_by"]]
    return task


def _batches(tasks: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(tasks, BATCH)):
        yield batch
