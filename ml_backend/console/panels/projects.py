"""The projects, as the reconciler last saw them in Label Studio, with their review queues; labels not yet learned."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from ml_backend.console.panels import MOST_PROJECTS, FromRedis, Panel, data_manager, register, text, when
from ml_backend.project_list import Listed, ProjectList

MOST_REVIEWS = 10
"""Review projects of one project."""


@register("projects")
class Projects(Panel):
    where = "redis"

    def collect(self, given: FromRedis) -> dict[str, Any]:
        """rows (the newest first), more (not shown), listed_at, and `studio`: what keeps the list from being new."""
        listed, sources = given.listed, [it for it in given.listed.projects if it.reviews_of is None]
        shown = sources[:MOST_PROJECTS]
        with given.jobs.redis.pipeline(transaction=False) as pipe:
            for it in shown:
                pipe.hget(given.jobs.state(it.key).key, "pending")
                pipe.exists(f"tiebreak:training:{it.key}")
            said = pipe.execute()
        rows = []
        for it, waiting, training in zip(shown, said[::2], said[1::2], strict=True):
            reviews = [other for other in listed.projects if other.reviews_of == it.id][:MOST_REVIEWS]
            rows.append(
                {
                    **_shown(given, it),
                    "new_labels": int(cast("bytes | None", waiting) or 0),
                    "training": bool(training),
                    "reviews": [_shown(given, other) for other in reviews],
                }
            )
        return {
            "rows": rows,
            "more": len(sources) - len(shown),
            "listed_at": when(listed.at) if listed.at else None,
            "studio": _problem(listed, given.settings.reconcile_seconds),
        }


def _shown(given: FromRedis, it: Listed) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(it).items() if name != "reviews_of"}
    return {**fields, "title": text(it.title, 120), "url": data_manager(given.settings, it.id)}


def _problem(listed: ProjectList, every: float) -> Mapping[str, str] | None:
    if listed.problem is not None:
        return {"what": text(listed.problem["what"]), "mend": text(listed.problem["mend"])}
    if listed.at and time.time() - listed.at <= max(300.0, 5 * every):
        return None
    what = "Label Studio's projects were not read lately." if listed.at else "Label Studio's projects are not read yet."
    return {
        "what": what,
        "mend": "A worker (`tiebreak worker`) reads them every minute, once a project is connected to this backend.",
    }
