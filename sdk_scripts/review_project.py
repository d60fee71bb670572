"""The review project of a source project: made as code, filled without ever doubling a case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.errors import InputError
from sdk_scripts import wording
from sdk_scripts.manifest import Manifest, load_manifest
from sdk_scripts.marks import read_mark
from sdk_scripts.resources.project import find_project
from sdk_scripts.sync import sync_manifests

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio
    from sdk_scripts.sources import Dataset

MANIFEST = Path(__file__).parents[1] / "label_configs" / "hard_case_review" / "project.yaml"
MAX_TITLE = 50
"""Label Studio's limit."""
WAIT_SECONDS = 600.0
"""For another push to the same project to finish."""

_NAME = "hard-cases-of-"
_SUFFIX = " – hard cases"


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of review tasks."""

    created: int
    existing: int
    """Cases that had a review task already, reviewed or not."""
    project: int | None
    """The review project; None where there was nothing to put into one."""
    url: str

    def to_json(self) -> dict[str, Any]:
        return {"created": self.created, "existing": self.existing, "project": self.project, "url": self.url}


def push_reviews(dataset: Dataset, tasks: Sequence[Mapping[str, Any]], settings: Settings) -> Pushed:
    """Put review tasks (of `build_review_tasks`) into the source project's review project, made if it is not there.

    A case is known by `source_project` and `source_task`: one that has a review task is left as it is, so pushing again
    adds only what is new and reopens nothing. Raises InputError for a file source or one that is a review project,
    StudioError where Label Studio does not take the tasks.
    """
    studio, source = review_source(dataset)
    manifest = _manifest(source)
    current = find_project(studio.projects(), manifest.name)
    if current is None and not tasks:
        return Pushed(0, 0, None, "")
    if current is not None:  # people may have renamed it
        manifest = _retitled(manifest, str(current["title"]))
    with _alone(settings, manifest.name):
        project = sync_manifests([manifest], settings, studio=studio, apply=True).projects[manifest.name]
        there = {_case(task["data"]) for task in studio.tasks(project, data_only=True)}
        new = {_case(task["data"]): task for task in tasks if _case(task["data"]) not in there}
        if new:
            studio.import_tasks(project, list(new.values()))
    return Pushed(len(new), len(tasks) - len(new), project, studio.data_manager(project))


def review_source(dataset: Dataset) -> tuple[Studio, dict[str, Any]]:
    """The project that review tasks of a dataset refer to. Raises InputError where there can be none."""
    if dataset.studio is None or dataset.project is None:
        raise InputError(
            f"{dataset.name} is a file; review tasks need a project of Label Studio to refer to.",
            mend="Give the project's id or its project.yaml instead, or leave --apply out.",
        )
    mark = read_mark(dataset.project.get("description"))
    if mark is not None and mark.name.startswith(_NAME):
        raise InputError(
            f"Project {dataset.project['id']} holds the hard cases of another project.",
            mend=f"Give that project instead: {mark.name.removeprefix(_NAME)}.",
        )
    return dataset.studio, dataset.project


def _manifest(source: Mapping[str, Any]) -> Manifest:
    """The review project's manifest with this source's name and title."""
    manifest = load_manifest(MANIFEST)
    title = wording.short(str(source.get("title") or f"Project {source['id']}"), MAX_TITLE - len(_SUFFIX)) + _SUFFIX
    about = f"{manifest.project.description or ''}\nThe source is project {source['id']}.".strip()
    fields = {"name": f"{_NAME}{source['id']}", "description": about}
    return _retitled(replace(manifest, project=manifest.project.model_copy(update=fields)), title)


def _retitled(manifest: Manifest, title: str) -> Manifest:
    return replace(manifest, project=manifest.project.model_copy(update={"title": title}))


def _case(data: Mapping[str, Any]) -> tuple[Any, Any]:
    return data.get("source_project"), data.get("source_task")


@contextmanager
def _alone(settings: Settings, name: str) -> Iterator[None]:
    """Two pushes at once would both add what neither has found yet."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(settings.folder("locks") / f"reviews-{name}.lock", timeout=WAIT_SECONDS):
            yield
    except Timeout:
        raise InputError(
            f"Another push to {name} has been running for {WAIT_SECONDS:.0f} seconds.", mend="Wait until it has ended."
        ) from None
