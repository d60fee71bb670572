"""The case library of a source project: a project of Label Studio, made as code when it is first needed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_backend.cases import libraries_of, library_of, source_name
from ml_backend.labeling.errors import InputError
from sdk_scripts import wording
from sdk_scripts.alone import alone
from sdk_scripts.case_panel import library_config
from sdk_scripts.manifest import Manifest
from sdk_scripts.manifest_schema import Project
from sdk_scripts.resources.project import find_project, same_config
from sdk_scripts.review_project import MAX_TITLE
from sdk_scripts.sync import sync_manifests

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio

_NAME = "cases-of-"
_SUFFIX = " – cases"
_ABOUT = (
    "Settled hard cases of project {}. Edit an annotation to change what its case is for, and why it is settled so."
)


def library_project(studio: Studio, source: Mapping[str, Any], settings: Settings) -> tuple[int, str]:
    """The id of the source's library, made or brought up to date, and its label config.

    Title and description stay as people changed them. So does the label config where the source's has dropped what
    cases are settled with: it is brought up to date when they are not any more. Raises InputError for a source that is
    a library itself, ConfigError for a label config that has no room for the panel, StudioError.
    """
    if (of := library_of(source)) is not None:
        raise InputError(f"Project {source['id']} is the case library of {of}.", mend="Give that project instead.")
    manifest = _manifest(source)
    current = find_project(studio.projects(), manifest.name)
    if current is not None:
        ours = bool(libraries_of([current], source))
        kept = {"title": str(current["title"])} | ({"description": None} if ours else {})
        manifest = replace(manifest, project=manifest.project.model_copy(update=kept))
        stored = str(current["label_config"])
        changed = not same_config(stored, manifest.label_config)
        if changed and sync_manifests([manifest], settings, studio=studio).refusals:
            manifest = replace(manifest, label_config=stored)
    id = sync_manifests([manifest], settings, studio=studio, apply=True).projects[manifest.name]
    return id, manifest.label_config


def library_alone(settings: Settings, source: Mapping[str, Any]) -> AbstractContextManager[None]:
    """While nobody else on this machine changes the source's library. Raises InputError where that takes too long."""
    return alone(settings, f"{_NAME}{source['id']}")


def _manifest(source: Mapping[str, Any]) -> Manifest:
    name = f"{_NAME}{source['id']}"
    title = wording.short(str(source.get("title") or f"Project {source['id']}"), MAX_TITLE - len(_SUFFIX)) + _SUFFIX
    fields = {
        "name": name,
        "title": title,
        "description": f"{_ABOUT.format(source['id'])}\n\ntiebreak cases: {source_name(source)}",
        "overlap": {"maximum_annotations": 1},
    }
    return Manifest(Path(name), Project.model_validate(fields), library_config(str(source["label_config"])), None)
