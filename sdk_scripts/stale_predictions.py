"""Predictions of older versions, deleted where that harms nobody.

Deleted are predictions of Tiebreak's own earlier versions (`zero-shot-…`, `few-shot-…`), on tasks that have one of the
live version and neither an annotation, nor a skipped one, nor a draft, once another version has been the project's for
an hour. Never deleted are: predictions that Tiebreak did not make; those of the live version; those of tasks that
anybody worked on, because Label Studio would forget from which prediction an annotation was made; and those that may
still be on somebody's screen, because Label Studio refuses (400) an annotation made from a prediction that is gone, and
that person's work with it.

One by one by their ids, at 85 ms each (measured). The action that deletes all predictions of chosen tasks takes 8 ms
each, but takes those on the screens too, locks a SQLite database meanwhile, and leaves wrong counts of predictions;
deleting a version takes 11 ms each, and takes those that annotations were made from.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ml_backend.prelabel_state import PrelabelState
    from sdk_scripts.prelabel import Run

ON_SCREEN_SECONDS = 3600.0
"""How long a task may stay open; Label Studio gives up a task's lock after an hour, too."""
CHECK_EVERY = 20
"""Predictions deleted before it is asked again whether the version is live."""
_OURS = re.compile(r"(zero|few)-shot-[0-9a-f-]{8,}")


def out_of_date(versions: Collection[str], live: str, state: PrelabelState) -> set[str]:
    """Those of a project's model versions whose predictions may be deleted now."""
    latest = state.now() - ON_SCREEN_SECONDS
    found = set()
    for version in versions:
        until = state.shown_until(version)
        if version != live and _OURS.fullmatch(version) and until is not None and until <= latest:
            found.add(version)
    return found


def tidy(run: Run, *, seconds: float) -> tuple[int, bool]:
    """Delete what is out of date, for so many seconds; returns how many, and whether that was all. Raises Superseded
    where the run's version is not live any more."""
    versions = out_of_date(run.studio.model_versions(run.id), run.version, run.state)
    if not versions:
        return 0, True
    deadline, deleted = time.monotonic() + seconds, 0
    for prediction in run.studio.out_of_date(run.id, run.version, versions):
        if deleted % CHECK_EVERY == 0:
            run.check_live()
        if time.monotonic() > deadline:
            return deleted, False
        run.studio.delete_prediction(prediction)
        deleted += 1
    return deleted, True
