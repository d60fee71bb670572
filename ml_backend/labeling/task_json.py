"""The bytes of Label Studio's JSON -> Task, in a third of the time that a parser of JSON and `read_task` take.

What is as Label Studio writes it is decoded by schema: only what a Task has is ever made. Anything else is left to
`read_task`, so both come to the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Raw, Struct, ValidationError
from msgspec.json import Decoder

from ml_backend.labeling.arms import Arms
from ml_backend.labeling.kinds import Region, string
from ml_backend.labeling.results import (
    Annotation,
    Prediction,
    Task,
    annotator_of,
    are_told,
    is_copy,
    lean,
    number,
    on_screen,
    read_task,
    read_time,
    seconds,
    whole,
)

_NOTHING = Raw(b"null")
_PEOPLE_KEPT = 100_000


class _Prediction(Struct, gc=False):
    id: Any = None
    result: list[dict[str, Any]] | None = None
    score: Any = None
    model_version: Any = None


class _Annotation(Struct, gc=False):
    id: Any = None
    completed_by: Raw = _NOTHING
    result: list[dict[str, Any]] | None = None
    was_cancelled: Any = None
    ground_truth: Any = None
    created_at: Any = None
    updated_at: Any = None
    lead_time: Any = None
    parent_prediction: Any = None
    prediction: Raw = _NOTHING
    updated_by: Raw = _NOTHING


class _Task(Struct, gc=False):
    data: dict[str, Any]
    id: Any = None
    annotations: list[_Annotation] | None = None
    predictions: list[_Prediction | int] | None = None
    meta: Any = None
    created_at: Any = None
    overlap: Any = None


class TaskReader:
    """Tasks, one after another, as analyses and training read them: annotators by e-mail, seals opened."""

    def __init__(self, arms: Arms, annotators: Mapping[int, str] | None = None) -> None:
        self.ids_only = 0
        """Tasks with predictions of which only the ids are said, so far."""
        self._arms, self._annotators = arms, annotators or {}
        self._task, self._prediction = Decoder(_Task).decode, Decoder(_Prediction).decode
        self._people: dict[bytes, str] = {b"null": ""}

    def __call__(self, text: bytes | Raw) -> Task:
        """Raises InputError where it is JSON and no task, ValueError where it is not JSON."""
        try:
            return self._read(self._task(text))
        except ValidationError:
            return self.of(json.loads(bytes(text)))

    def of(self, json: Mapping[str, Any]) -> Task:
        """Of what was parsed elsewhere. Raises InputError where it is no task."""
        task = self._arms.opened(read_task(json, self._annotators))
        self.ids_only += bool(json.get("predictions")) and not task.predictions
        return task

    def _read(self, found: _Task) -> Task:
        predictions = tuple([_predicted(it) for it in found.predictions or () if type(it) is _Prediction])
        self.ids_only += bool(found.predictions) and not predictions
        told = any(are_told(it.regions) for it in predictions)
        known = {(it.id, it.model_version): it for it in predictions}
        seen: dict[bytes, Prediction | None] = {b"null": None}
        annotations = []
        for it in found.annotations or ():
            if it.result is None:
                continue
            regions = _regions(it.result)
            shown, parent = self._shown(bytes(it.prediction), seen), whole(it.parent_prediction)
            if shown is not None or parent is not None:
                shown = on_screen(shown, parent, predictions, known)
            marked = are_told(regions)
            created = read_time(it.created_at)
            told = told or marked or (shown is not None and are_told(shown.regions))
            annotations.append(
                Annotation(
                    whole(it.id) or 0,
                    self._person(bytes(it.completed_by)),
                    regions,
                    bool(it.was_cancelled),
                    bool(it.ground_truth),
                    created,
                    created if it.updated_at == it.created_at else read_time(it.updated_at),
                    seconds(it.lead_time),
                    parent,
                    shown,
                    _arm(regions, shown),
                    updated_by=self._person(bytes(it.updated_by)),
                    told=marked,
                )
            )
        task = Task(
            whole(found.id) or 0,
            found.data,
            tuple(annotations),
            predictions,
            found.meta if isinstance(found.meta, dict) else {},
            read_time(found.created_at),
            whole(found.overlap),
        )
        return self._arms.opened(task) if told else task

    def _person(self, text: bytes) -> str:
        """There are few of them."""
        if (known := self._people.get(text)) is None:
            known = annotator_of(json.loads(text), self._annotators)
            if len(self._people) < _PEOPLE_KEPT:
                self._people[text] = known
        return known

    def _shown(self, text: bytes, seen: dict[bytes, Prediction | None]) -> Prediction | None:
        """Most of a task's annotations name the same."""
        if text in seen:
            return seen[text]
        found = self._prediction(text) if text.startswith(b"{") else None
        seen[text] = _predicted(found) if found is not None and found.model_version else None
        return seen[text]


def _predicted(found: _Prediction) -> Prediction:
    version = string(found.model_version) or ""
    return Prediction(whole(found.id) or 0, _regions(found.result or []), number(found.score), version)


def _regions(result: list[dict[str, Any]]) -> tuple[Region, ...]:
    return tuple([lean(item) for item in result if isinstance(item.get("value"), dict)])


def _arm(regions: tuple[Region, ...], shown: Prediction | None) -> str:
    """What `Arms.opened` says where nothing is under a seal."""
    if shown is None:
        return ""
    if shown.regions:
        return "plain"
    return "" if any(map(is_copy, regions)) else "blind"
