"""The tasks of a live project, of which only those that changed are pulled; the rest comes from a snapshot.

    kept.py    the snapshot: Parquet files of raw task JSON, and an index that is written last
    pull.py    what has changed since, and whether the result can be what Label Studio has

    TIEBREAK_HOME/snapshots/<project key>/index.json, <name>.parquet

The JSON is kept as Label Studio gave it: who an id is, what a seal says and what the label config makes of a region is
worked out at every read. A snapshot may be removed at any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio

log = structlog.stdlib.get_logger()

WAIT_SECONDS = 600.0
"""For another command that reads the same project: what it leaves is read faster than everything anew."""


def current_tasks(studio: Studio, project: Mapping[str, Any], settings: Settings) -> Iterator[dict[str, Any]]:
    """Every task of the project as `Studio.tasks` gives them, in order of id. Raises StudioError.

    What is doubtful is pulled anew, and so is everything with `settings.fresh`; the log says why. Where the snapshot
    cannot be written (a full disk), or somebody else holds it for long, the tasks are read without.
    """
    from filelock import FileLock, Timeout

    from ml_backend.labeling.results import project_key
    from ml_backend.settings import private_folder
    from sdk_scripts.snapshots.kept import Snapshot
    from sdk_scripts.snapshots.pull import pulled

    folder = settings.home.absolute() / "snapshots" / project_key(project)
    try:
        private_folder(folder)
        lock = FileLock(folder / "lock", timeout=WAIT_SECONDS)
        lock.acquire()
    except (OSError, Timeout) as error:
        log.warning("reading without a snapshot", project=project["id"], why=str(error))
        yield from studio.tasks(project["id"])
        return
    try:
        yield from pulled(studio, project["id"], Snapshot(folder, studio.url), fresh=settings.fresh)
    finally:
        lock.release()
    _drop_former(folder, project["id"], studio.url)


def _drop_former(folder: Path, project: int, url: str) -> None:
    """The snapshots of projects that had this id before."""
    import shutil

    from sdk_scripts.snapshots.kept import url_of

    for other in folder.parent.glob(f"{project}.*"):
        if other != folder and url_of(other) == url:
            shutil.rmtree(other, ignore_errors=True)
