"""The stored prediction of a task, brought in line with what is thought of it now, with its arm and its route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml_backend.cascade import View
from ml_backend.labeling.arms import Arms
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.results import SEAL
from ml_backend.presented import Given, prediction, shown
from sdk_scripts import wording
from sdk_scripts.route_decisions import Route

NEAR = 0.01
"""Scores that differ by no more are the same: an encoder does not read to the last digit alike on every machine."""
EXPERT = "expert"
"""Key in a region's `meta.tiebreak`: why an expert is asked."""
BY, NOTE = "by", "note"
MAX_WHY = 300
"""Characters."""


@dataclass(frozen=True, slots=True)
class Update:
    """A stored prediction to change."""

    id: int
    fields: Mapping[str, Any]
    """task, result, score, model_version."""


def stale(
    config: LabelConfig, task: Mapping[str, Any], view: View, version: str, arms: Arms, route: Route
) -> int | None:
    """The id of the task's prediction of this version, where it is not as it should be; None where it is, or there is
    none. A change of confidence by less than NEAR is none, and explanations are not compared."""
    own = [it for it in task["predictions"] if it["model_version"] == version]
    before = min(own, key=lambda it: it["id"], default=None)  # of several, the one that Label Studio shows
    it = shown(config, {name: Given.of(it) for name, it in view.opinions.items()}, view.task, arms)
    if before is None or it is None:
        return None
    after = marked(config, prediction(config, it, version, view.task, arms), view, route)
    return None if _same(config, before, after) else int(before["id"])


def marked(config: LabelConfig, prediction: Mapping[str, Any], view: View, route: Route) -> dict[str, Any]:
    """The prediction with marks of who answered, and why an expert is asked, on the regions that it is about."""
    result = [dict(region) for region in prediction["result"]]
    _mark([it for it in result if not _explains(config, it)], view, route)
    return {**prediction, "result": result}


def _explains(config: LabelConfig, region: Mapping[str, Any]) -> bool:
    name = region.get("from_name")
    return name in config and config[str(name)].explanation


def _mark(result: list[dict[str, Any]], view: View, route: Route) -> None:
    about = [region["from_name"] for region in result]
    asked = route.control if route.control in about else next(iter(about), "")
    for region in result:
        marks: dict[str, str] = {BY: view.by} if view.by != "local" else {}
        if view.note and view.by != "local":
            marks[NOTE] = wording.short(view.note, MAX_WHY)
        if route.destination == "expert" and region["from_name"] == asked:
            marks[EXPERT] = wording.short(route.why, MAX_WHY)
        if marks:
            meta = region.get("meta") or {}
            region["meta"] = {**meta, "tiebreak": {**meta.get("tiebreak", {}), **marks}}


def _same(config: LabelConfig, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    stored = [it for it in before["result"] or () if not (isinstance(it, Mapping) and _explains(config, it))]
    return (
        _near(before["score"], after["score"])
        and len(stored) == len(after["result"])
        and all(map(_alike, stored, after["result"]))
    )


def _alike(before: Any, after: Mapping[str, Any]) -> bool:
    if not isinstance(before, Mapping):
        return False
    same = all(before.get(key) == after.get(key) for key in ("from_name", "to_name", "type", "value"))
    marks = [_marks(it) for it in (before, after)]
    return same and _near(before.get("score"), after.get("score")) and marks[0] == marks[1]


def _marks(region: Mapping[str, Any]) -> dict[str, Any]:
    meta = region.get("meta")
    about = meta.get("tiebreak") if isinstance(meta, Mapping) else None
    return {key: about.get(key) for key in (SEAL, BY, EXPERT)} if isinstance(about, Mapping) else {}


def _near(before: Any, after: Any) -> bool:
    if not isinstance(before, int | float) or not isinstance(after, int | float):
        return bool(before == after)
    return abs(before - after) <= NEAR
