"""What Label Studio does not check: whether a prediction fits the label config it is for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import kind_of, label_of, picked
from ml_backend.studio.refusals import plain


def prediction_problems(prediction: Mapping[str, Any], config: LabelConfig) -> list[str]:
    """What is wrong with `{task, result, score, model_version}` for this label config; empty where nothing is."""
    problems: list[str] = []
    if not isinstance(prediction.get("task"), int) or isinstance(prediction.get("task"), bool):
        problems.append("`task` is no task id")
    version = prediction.get("model_version")
    if not isinstance(version, str) or not version.strip():
        problems.append("`model_version` is empty")
    score = prediction.get("score")
    if isinstance(score, bool) or not isinstance(score, int | float | None):
        problems.append("`score` is not a number")
    elif score is not None and not (math.isfinite(score) and 0 <= score <= 1):
        problems.append(f"`score` {score} is not in [0, 1]")
    result = prediction.get("result")
    if not isinstance(result, list) or not all(isinstance(region, Mapping) for region in result):
        return [*problems, "`result` is no list of regions"]
    for region in result:
        problems.extend(_region_problems(region, config))
    return problems


def _region_problems(region: Mapping[str, Any], config: LabelConfig) -> Iterator[str]:
    name = region.get("from_name")
    if name not in config:
        known = ", ".join(control.name for control in config.controls) or "none"
        yield f"there is no control named {plain(name)!r}; known: {known}"
        return
    control = config[str(name)]
    if region.get("to_name") not in control.to_names:
        yield f"{control.name!r} is not about {plain(region.get('to_name'))!r}"
    if not isinstance(region.get("value"), Mapping):
        yield f"a region of {control.name!r} has no value"
        return
    kind = kind_of(control)
    if kind is None:
        return
    if str(region.get("type")).lower() != control.tag.lower():
        yield f"a region of {control.name!r} has type {plain(region.get('type'))!r}, not {control.tag.lower()!r}"
    try:
        if control.tag.lower() == "labels" and "start" not in region["value"]:  # labels a <Rectangle> beside it
            for label in picked(control, region["value"].get("labels")):
                label_of(control, label)
            return
        answer = kind.read(control, [region])
        if answer is None:
            yield f"the value for {control.name!r} is no answer to it"
        else:
            kind.write(control, answer)  # refuses labels it does not know
    except InputError as error:
        yield error.what
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):
        yield f"the value for {control.name!r} cannot be read"
