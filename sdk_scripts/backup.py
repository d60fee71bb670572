"""A project of Label Studio, kept whole in a folder before anything is lost.

    HOME/backups/project-7-20261126T204500123456Z/
        tasks.json.gz    an export: Label Studio imports it, commands take it for a SOURCE
        config.xml       its label config
        project.json     the project as the API gives it
        about.json       the format, versions, people and views

`restore` makes a project of it again. The newest KEPT of each project stay.
"""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ml_backend.labeling.errors import ConfigError, StudioError

if TYPE_CHECKING:
    from ml_backend.studio import Studio

FORMAT = 2
"""1 had no about.json."""
KEPT = 10


def back_up(studio: Studio, project: int, folder: Path) -> Path:
    """Write it into a new folder, which is returned.

    It has its name once it is whole. Raises StudioError where tasks are missing, ConfigError where the disk is full.
    """
    fields = studio.project(project)
    now = datetime.now(UTC)
    whole = folder / f"project-{project}-{now:%Y%m%dT%H%M%S%fZ}"
    draft = whole.with_name(f".{whole.name}")
    about = {
        "format": FORMAT,
        "tiebreak": version("tiebreak"),
        "label_studio": studio.version(),
        "at": now.isoformat(timespec="seconds"),
        "people": studio.annotators(),
        "views": [view["data"] for view in studio.views(project)],
    }
    try:
        draft.mkdir(parents=True, mode=0o700)
        (draft / "project.json").write_text(json.dumps(fields, indent=2), encoding="utf-8")
        (draft / "config.xml").write_text(str(fields["label_config"]), encoding="utf-8")
        written = annotations = 0
        with gzip.open(draft / "tasks.json.gz", "wt", encoding="utf-8") as file:
            for task in studio.tasks(project):
                file.write("[\n" if not written else ",\n")
                file.write(json.dumps(task))
                written += 1
                annotations += len(task["annotations"])
            file.write("\n]" if written else "[]")
        if written < (expected := studio.task_count(project)):
            raise StudioError(
                f"A backup of project {project} has {written} of {expected} tasks; nothing was changed.",
                mend="Run it again.",
            )
        counts = {"tasks": written, "annotations": annotations}
        (draft / "about.json").write_text(json.dumps(about | counts, indent=2), encoding="utf-8")
        draft.rename(whole)
        _clear(folder, project)
        return whole
    except OSError as error:
        raise ConfigError(
            f"Project {project} cannot be backed up to {folder}: {error.strerror}.", mend="Make room there."
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _clear(folder: Path, project: int) -> None:
    for old in sorted(folder.glob(f"project-{project}-*"))[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
