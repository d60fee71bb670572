"""Tasks that a machine predicted in an experiment, and what people made of what they were shown, as Label Studio keeps
it: in exports with the prediction beside each annotation, in its API without."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ml_backend.labeling.arms import Arms
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.kinds import Answer
from ml_backend.presented import Given, prediction, shown

SECRET = "a secret of sixteen letters"
OTHER_SECRET = "another secret, as long as it"
HALF = Arms(SECRET, 0.2, 0.5)
Source = Literal["export", "api"]


def predicted(
    config: LabelConfig, given: Mapping[str, Given], task: int, arms: Arms = HALF, version: str = "v1", id: int = 0
) -> dict[str, Any]:
    """The stored prediction; its id is ten times the task's unless given."""
    it = shown(config, given, task, arms)
    assert it is not None
    return {"id": id or 10 * task, **prediction(config, it, version, task, arms)}


def submitted(
    id: int,
    who: object,
    before: Mapping[str, Any],
    *,
    source: Source = "export",
    change: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """An annotation as a person submits it from a prediction; `change` has by control the regions given instead."""
    result = []
    for item in copy.deepcopy(list(before["result"])):
        instead = (change or {}).get(item["from_name"])
        if instead is None:
            result.append({**item, "origin": "prediction"})
        else:  # the region stays, with its meta, and gets another value
            result += [{**item, "value": it["value"], "origin": "prediction-changed"} for it in instead[:1]]
    known = {item["from_name"] for item in before["result"]}
    result += [{**it, "origin": "manual"} for name, all_ in (change or {}).items() if name not in known for it in all_]
    made = {"id": id, "completed_by": who, "result": result, "parent_prediction": before["id"], "lead_time": 5.0}
    return {**made, **({"prediction": dict(before)} if source == "export" else {}), **more}


def given(answer: Answer, second: str, confidence: float = 0.9) -> Given:
    return Given(answer, confidence, second)


def seeded_tasks(arms: Arms, most: int = 10_000) -> list[int]:
    return [task for task in range(1, most) if arms.of(task) == "seeded"]
