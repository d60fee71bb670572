"""A project of Label Studio, kept whole in a folder before anything is lost."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ml_backend.labeling.errors import ConfigError, StudioError

if TYPE_CHECKING:
    from ml_backend.studio import Studio


def back_up(studio: Studio, project: int, folder: Path) -> Path:
    """Write `tasks.json.gz` (an export: Label Studio imports it, commands take it for a SOURCE), `config.xml` and
    `project.json` into a new folder, which is returned.

    It has its name once it is whole. Raises StudioError where tasks are missing, ConfigError where the disk is full.
    """
    fields = studio.project(project)
    now = datetime.now(UTC)
    whole = folder / f"project-{project}-{now:%Y%m%dT%H%M%S%fZ}"
    draft = whole.with_name(f".{whole.name}")
    try:
        draft.mkdir(parents=True)
        (draft / "project.json").write_text(json.dumps(fields, indent=2), encoding="utf-8")
        (draft / "config.xml").write_text(str(fields["label_config"]), encoding="utf-8")
        written = 0
        with gzip.open(draft / "tasks.json.gz", "wt", encoding="utf-8") as file:
            for task in studio.tasks(project):
                file.write("[\n" if not written else ",\n")
                file.write(json.dumps(task))
                written += 1
            file.write("\n]" if written else "[]")
        if written < (expected := studio.task_count(project)):
            raise StudioError(
                f"A backup of project {project} has {written} of {expected} tasks; nothing was changed.",
                mend="Run it again.",
            )
        return draft.rename(whole)
    except OSError as error:
        raise ConfigError(
            f"Project {project} cannot be backed up to {folder}: {error.strerror}.", mend="Make room there."
        ) from None
