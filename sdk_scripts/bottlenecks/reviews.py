"""The reviews of a live project, read off its review project: when each was asked for, and when it was decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from ml_backend.labeling.kinds import finite
from ml_backend.labeling.results import read_time
from sdk_scripts.bottlenecks.work import REVIEWS

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from sdk_scripts.sources import Dataset


def reviews_of(dataset: Dataset, settings: Settings) -> pl.DataFrame | None:
    """REVIEWS; None for a file, and for a project that has no review project. Raises StudioError, or ConfigError for
    a standard that cannot be read."""
    from sdk_scripts.review_project import ReviewProject
    from sdk_scripts.standards import standard_of

    if dataset.studio is None or dataset.project is None:
        return None
    found = ReviewProject(dataset.studio, dataset.project, standard_of(dataset.project), settings)
    if found.find() is None:
        return None
    return read(found.tasks(), dataset.studio.annotators(), source=dataset.project["id"])


def read(tasks: Iterable[Mapping[str, Any]], annotators: Mapping[int, str], *, source: int) -> pl.DataFrame:
    """REVIEWS of the tasks of a review project, as Label Studio returns them, that are about project `source`.

    What people have made unreadable is left out: it waits for nobody.
    """
    from sdk_scripts.decisions import read_reviews

    by_id = {task["id"]: task for task in tasks}
    rows = []
    for it in read_reviews(by_id.values(), annotators)[0]:
        task, review, decision = by_id[it.review.task], it.review, it.decision
        if review.source != source:
            continue
        given = {one.get("id"): one for one in task["annotations"]} if decision else {}
        time = finite(given[decision.annotation].get("lead_time")) if decision else None
        rows.append(
            (
                review.source_task,
                review.control,
                review.round,
                decision.reviewer if decision else review.assigned,
                read_time(task.get("created_at")),
                decision.at if decision else None,
                float(time) if time is not None and time > 0 else None,
            )
        )
    return pl.DataFrame(rows, schema=REVIEWS, orient="row")
