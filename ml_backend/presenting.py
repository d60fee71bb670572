"""Opinions -> predictions with the reasons for them, as annotators see them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from ml_backend.briefs import Brief
from ml_backend.encoder import Encoder, look_of
from ml_backend.explanations import Precedents, explained
from ml_backend.images import Look
from ml_backend.labeling.arms import Arms
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.plans import Plan
from ml_backend.prelabelers import Doubt, Opinion, Reading, readings_of
from ml_backend.presented import Given, Shown, prediction, shown

FEW = 10
"""Tasks at once whose explanation is looked for closely, at some 30 ms each."""
CITED = 64
"""Projects whose precedents are kept, at 1 MB each at most."""


class Presenter:
    """Thread-safe, shared by all projects."""

    def __init__(self, encoder: Encoder, image_seconds: float) -> None:
        self._encoder = encoder
        self._image_seconds = image_seconds
        self._lock = threading.Lock()
        self._cited: OrderedDict[int, Precedents] = OrderedDict()

    def predictions(
        self,
        plan: Plan,
        config: LabelConfig,
        tasks: Sequence[Mapping[str, Any]],
        given: Sequence[Mapping[str, Given]],
        brief: Brief,
        arms: Arms,
    ) -> list[dict[str, Any]]:
        """One a task, in order; `{}` where there is nothing to say. Raises ModelUnavailable."""
        results: list[dict[str, Any]] = [{} for _ in tasks]
        told: dict[int, Shown] = {}
        for i, (json_task, some) in enumerate(zip(tasks, given, strict=True)):
            task = task_id(json_task)
            if it := shown(config, some, task, arms):
                results[i] = prediction(config, it, plan.version, task, arms)
                if not it.blind:
                    told[i] = it
        if told and any(control.explanation for control in config.controls):
            look = look_of(self._encoder, self._image_seconds)
            data = [tasks[i]["data"] for i in told]
            thought = [{name: _thought(it, name, given[i][name]) for name in it.answers} for i, it in told.items()]
            why = explained(
                config,
                data,
                {name: head for name, (_, head) in plan.heads.items()},
                {name: read_each(config, config[name], data, look) for name in plan.heads},
                [it.answers for it in told.values()],
                thought,
                self._encoder,
                self._precedents(brief),
                closely=len(told) <= FEW,
                one_sided=arms.seals,
            )
            for i, regions in zip(told, why, strict=True):
                results[i]["result"] += regions
        return results

    def _precedents(self, brief: Brief) -> Precedents:
        with self._lock:
            known = self._cited.get(brief.number) or Precedents(brief.precedents, self._encoder)
            self._cited[brief.number] = known
            self._cited.move_to_end(brief.number)
            if len(self._cited) > CITED:
                self._cited.popitem(last=False)
        return known


def task_id(task: Mapping[str, Any]) -> int | None:
    """Label Studio's; None where the task has none, or is none."""
    id = task.get("id") if isinstance(task, Mapping) else None
    return id if isinstance(id, int) and not isinstance(id, bool) else None


def read_each(
    config: LabelConfig, control: Control, data: Sequence[Mapping[str, Any]], look: Look | None
) -> list[Reading]:
    """A task whose data cannot be read, nested thousands deep say, has nothing to read; the others keep theirs."""
    try:
        return readings_of(config, control, data, look)
    except (RecursionError, ValueError, TypeError):
        if len(data) == 1:
            return [Reading()]
        return [reading for item in data for reading in read_each(config, control, [item], look)]


def _thought(it: Shown, name: str, given: Given) -> Opinion:
    doubt = 1 - it.scores[name]
    return Opinion(it.answers[name], it.scores[name], doubt=Doubt(doubt, doubt, distance=given.distance))
