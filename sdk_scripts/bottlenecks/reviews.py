"""The reviews of a live project, read off its review project: when each was asked for, and when it was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    from sdk_scripts.decisions import read_reviews
    from sdk_scripts.review_project import ReviewProject
    from sdk_scripts.standards import standard_of

    if dataset.studio is None or dataset.project is None:
        return None
    found = ReviewProject(dataset.studio, dataset.project, standard_of(dataset.project), settings)
    if found.find() is None:
        return None
    tasks = {task["id"]: task for task in found.tasks()}
    seated, _ = read_reviews(tasks.values(), dataset.studio.annotators())
    rows = []
    for it in seated:
        task, review, decision = tasks[it.review.task], it.review, it.decision
        given = {one.get("id"): one for one in task.get("annotations") or ()} if decision else {}
        time = finite(given.get(decision.annotation, {}).get("lead_time")) if decision else None
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
