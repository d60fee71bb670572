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
from ml_backend.studio.checks import prediction_problems
from sdk_scripts import wording
from sdk_scripts.route_decisions import Route

NEAR = 0.01
"""Scores that differ by no more are the same: an encoder does not read to the last digit alike on every machine."""
EXPERT = "expert"
"""Key in a region's `meta.tiebreak`: why an expert is asked."""
BY, NOTE = "by", "note"
"""Whether both models were heard, and why the large one was not although that would have paid."""
MAX_WHY = 300
"""Characters."""


@dataclass(frozen=True, slots=True)
class Update:
    """A stored prediction to change."""

    id: int
    fields: Mapping[str, Any]
    """task, result, score, model_version."""


def differs(config: LabelConfig, task: Mapping[str, Any], view: View, version: str, arms: Arms, route: Route) -> bool:
    """Whether the task's stored prediction of the version is another than it should be, its reasons aside; a change of
    confidence by less than NEAR is none. False where there is nothing to change."""
    before = _stored(task, version)
    it = shown(config, {name: Given.of(opinion) for name, opinion in view.opinions.items()}, view.task, arms)
    if before is None or it is None:
        return False
    after = prediction(config, it, version, view.task, arms)
    _mark(after["result"], view, route)
    return not _same(config, before, after)


def update(
    config: LabelConfig, task: Mapping[str, Any], view: View, presented: Mapping[str, Any], route: Route
) -> Update | None:
    """The change that makes the stored prediction what is `presented`; None where it would not fit the config."""
    before = _stored(task, str(presented.get("model_version")))
    if before is None:
        return None
    after = {"task": view.task, **presented, "result": [dict(region) for region in presented["result"]]}
    _mark([it for it in after["result"] if not _explains(config, it)], view, route)
    return None if prediction_problems(after, config) else Update(int(before["id"]), after)


def _stored(task: Mapping[str, Any], version: str) -> Mapping[str, Any] | None:
    """Of several of the version, the one that Label Studio shows."""
    own = [it for it in task["predictions"] if it["model_version"] == version]
    return min(own, key=lambda it: it["id"], default=None)


def _explains(config: LabelConfig, region: object) -> bool:
    name = region.get("from_name") if isinstance(region, Mapping) else None
    return name in config and config[str(name)].explanation


def _mark(result: list[dict[str, Any]], view: View, route: Route) -> None:
    """Who answered, and why an expert is asked, on the regions it is about."""
    about = [region["from_name"] for region in result]
    asked = route.control if route.control in about else next(iter(about), "")
    for region in result:
        marks: dict[str, str] = {BY: view.by} if view.by != "local" else {}
        if view.note:
            marks[NOTE] = wording.short(view.note, MAX_WHY)
        if route.destination == "expert" and region["from_name"] == asked:
            marks[EXPERT] = wording.short(route.why, MAX_WHY)
        if marks:
            meta = region.get("meta") or {}
            region["meta"] = {**meta, "tiebreak": {**meta.get("tiebreak", {}), **marks}}


def _same(config: LabelConfig, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    regions = [it for it in before["result"] or () if not _explains(config, it)], list(after["result"])
    return _near(before["score"], after["score"]) and len(regions[0]) == len(regions[1]) and all(map(_alike, *regions))


def _alike(before: Any, after: Mapping[str, Any]) -> bool:
    if not isinstance(before, Mapping):
        return False
    same = all(before.get(key) == after.get(key) for key in ("from_name", "to_name", "type", "value"))
    marks = [_marks(it) for it in (before, after)]
    return same and _near(before.get("score"), after.get("score")) and marks[0] == marks[1]


def _marks(region: Mapping[str, Any]) -> dict[str, Any]:
    meta = region.get("meta")
    about = meta.get("tiebreak") if isinstance(meta, Mapping) else None
    if not isinstance(about, Mapping):
        return {}
    return {**{key: about.get(key) for key in (SEAL, BY, EXPERT)}, NOTE: bool(about.get(NOTE))}  # in whatever words


def _near(before: Any, after: Any) -> bool:
    if not isinstance(before, int | float) or not isinstance(after, int | float):
        return bool(before == after)
    return abs(before - after) <= NEAR
