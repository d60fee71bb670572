"""The columnar table of who answered what, when, how long, and from which prediction: what every statistic reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from ml_backend.labeling.answers import answers, regions_by_control
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.kinds import Answer, Region, kind_of
from ml_backend.labeling.results import Annotation, Prediction, Task, are_told

SCHEMA: dict[str, pl.DataType] = {
    "task": pl.Int64(),  # the source's task id
    "control": pl.String(),
    "annotator": pl.String(),  # e-mail, or the user id as text
    "answer": pl.String(),  # the kind's canonical key
    "annotation": pl.Int64(),
    "created_at": pl.Datetime("ms", "UTC"),
    "updated_at": pl.Datetime("ms", "UTC"),
    "lead_time": pl.Float64(),  # seconds spent on the whole task
    "prediction": pl.Int64(),  # the prediction it was submitted from
    "changed": pl.Boolean(),  # differs from that prediction; null where that answered nothing, or it is not known
    "ground_truth": pl.Boolean(),
    "decided": pl.Boolean(),  # a review's decision, no judgement of an annotator
    "machine": pl.Boolean(),  # written by the machine alone, no judgement either
    "arm": pl.String(),  # plain, blind, seeded, unknown; empty where nothing tells
    "shown": pl.String(),  # the answer that the prediction on the screen gave; null where it gave none
    "score": pl.Float64(),  # of that prediction, whether it gave an answer or was empty
    "seeded": pl.Boolean(),  # the answer shown was wrong on purpose
    "void": pl.Boolean(),  # a wrong answer that was seeded and submitted as it was, or a seal that cannot be opened
}

_OF_ANNOTATION = ["task", "annotation", "created_at", "updated_at", "lead_time"]
_TOLD = {"place": pl.Int64(), **{name: SCHEMA[name] for name in SCHEMA if name not in _OF_ANNOTATION}}
"""`place`: of the annotation among all."""
_CHUNK = 100_000  # rows kept as Python objects at a time
_KEYS_KEPT = 100_000  # keys remembered per control: short answers repeat, texts and shapes hardly do


def judgements(tasks: Collection[Task], config: LabelConfig, done: pl.DataFrame | None = None) -> pl.DataFrame:
    """One row per answer of one annotation to one control; skipped tasks (`was_cancelled`) have none.

    One person may have judged a task twice; `latest` keeps the last of them. `done` is `annotation_table(tasks)`, where
    it is known already.
    """
    kinds = {control.name: kind for control in config.answerable if (kind := kind_of(control))}
    keys: dict[str, dict[Answer, str]] = {name: {} for name in kinds}

    def key_of(name: str, answer: Answer) -> str:
        known = keys[name]
        key = known.get(answer)
        if key is None:
            key = kinds[name].key(answer)
            if len(known) < _KEYS_KEPT:
                known[answer] = key
        return key

    read = AnswerReader(config)
    seen: dict[int, Mapping[str, Answer]] = {}

    def said(prediction: Prediction) -> Mapping[str, Answer]:
        """Several people saw the same."""
        found = seen.get(id(prediction))
        if found is None:
            found = seen[id(prediction)] = read(prediction.regions)
        return found

    frames = [pl.DataFrame(schema=_TOLD)]
    rows: list[tuple[object, ...]] = []
    place = -1
    for task in tasks:
        seen.clear()
        stored = {id(it) for it in task.predictions}
        for annotation in task.annotations:
            place += 1
            if annotation.cancelled:
                continue
            told = annotation.told if annotation.told is not None else are_told(annotation.regions)
            decided, machine = (annotation.decided, annotation.machine) if told else (False, {})
            given = read(annotation.regions, hidden=decided)
            before, parent = annotation.shown, annotation.parent_prediction
            shown: Mapping[str, Answer] = {} if before is None else said(before)
            doubtful = annotation.seeded or annotation.arm in ("", "unknown")
            void = _void(annotation, given, shown, config) if doubtful else ()
            changed: Mapping[str, bool | None] = {}
            if parent is not None:
                if before is not None and before.id == parent and id(before) in stored:
                    changed = {name: shown[name] != answer for name, answer in given.items() if name in shown}
                else:
                    changed = _changed(task, annotation, given, said, config)
            for name, answer in given.items():
                key = key_of(name, answer)
                was = shown.get(name)
                by_machine = name in machine and machine[name] == key
                rows.append(
                    (
                        place,
                        name,
                        (annotation.updated_by if machine and not by_machine else "") or annotation.annotator,
                        key,
                        parent,
                        changed.get(name),
                        annotation.ground_truth,
                        decided,
                        by_machine,
                        annotation.arm,
                        None if was is None else key_of(name, was),
                        None if before is None else before.score,
                        name in annotation.seeded,
                        name in void,
                    )
                )
        if len(rows) >= _CHUNK:
            frames.append(_table(rows, _TOLD))
            rows = []
    frames.append(_table(rows, _TOLD))
    each = pl.concat(frames, rechunk=True)
    of_annotation = (annotation_table(tasks) if done is None else done).select(_OF_ANNOTATION)
    return each.hstack(of_annotation[each["place"]]).select(list(SCHEMA))


def _table(rows: list[tuple[object, ...]], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """By columns, which takes half the time of rows."""
    columns: dict[str, Any] = dict(zip(schema, zip(*rows, strict=True), strict=True)) if rows else {}
    columns |= {name: times(columns[name]) for name in ("created_at", "updated_at") if name in columns}
    return pl.DataFrame(columns or None, schema=schema)


def times(given: Iterable[datetime | None]) -> pl.Series:
    """Times with zone as polars has them, in a tenth of its own time for it."""
    seconds = np.fromiter((np.nan if it is None else it.timestamp() for it in given), np.float64)
    milliseconds = np.floor_divide(np.rint(seconds * 1e6), 1e3)  # a float holds microseconds exactly
    return pl.Series(milliseconds, nan_to_null=True).cast(pl.Int64).cast(SCHEMA["created_at"])


ANNOTATIONS: dict[str, pl.DataType] = {
    "task": pl.Int64(),
    "annotation": pl.Int64(),
    "annotator": pl.String(),
    "person": pl.String(),  # who answers for it (`Annotation.person`); empty for nobody
    "created_at": SCHEMA["created_at"],
    "updated_at": SCHEMA["updated_at"],
    "lead_time": pl.Float64(),  # seconds
    "skipped": pl.Boolean(),
    "decided": pl.Boolean(),  # a review's decision
    "answers": pl.Int64(),  # controls answered
    "shown": pl.Boolean(),  # a prediction that said something was on the screen
}


def annotation_table(tasks: Iterable[Task]) -> pl.DataFrame:
    """A row an annotation (ANNOTATIONS), skipped tasks too, in order of the tasks."""
    frames = [pl.DataFrame(schema=ANNOTATIONS)]
    rows: list[tuple[object, ...]] = []
    for task in tasks:
        for it in task.annotations:
            shown, regions = it.shown, it.regions
            rows.append(
                (
                    task.id,
                    it.id,
                    it.annotator,
                    it.person if it.told is not False else it.annotator,
                    it.created_at,
                    it.updated_at,
                    it.lead_time,
                    it.cancelled,
                    it.told is not False and it.decided,
                    len(regions) if len(regions) < 2 else len({str(item.get("from_name")) for item in regions}),
                    shown is not None and bool(shown.regions),
                )
            )
        if len(rows) >= _CHUNK:
            frames.append(_table(rows, ANNOTATIONS))
            rows = []
    frames.append(_table(rows, ANNOTATIONS))
    return pl.concat(frames, rechunk=True)


class AnswerReader:
    """`answers.answers` of one config, which remembers what it answered to single choices: there are few of those."""

    def __init__(self, config: LabelConfig) -> None:
        self.config = config
        self._known: dict[tuple[object, ...], dict[str, Answer]] = {}

    def __call__(self, regions: Sequence[Region], *, hidden: bool = False) -> Mapping[str, Answer]:
        key: tuple[object, ...] = (hidden,)
        for item in regions:
            value = item["value"]
            picked = value.get("choices") if len(value) == 1 else None
            if type(picked) is not list or len(picked) != 1 or type(picked[0]) is not str:
                return answers(self.config, regions, hidden=hidden)
            key += (item.get("from_name"), picked[0])
        try:
            known = self._known.get(key)
        except TypeError:  # a name that is no text
            return answers(self.config, regions, hidden=hidden)
        if known is None:
            known = answers(self.config, regions, hidden=hidden)
            if len(self._known) < _KEYS_KEPT:
                self._known[key] = known
        return known


def _void(
    annotation: Annotation, given: Mapping[str, Answer], shown: Mapping[str, Answer], config: LabelConfig
) -> set[str]:
    """The controls whose answer was wrong on purpose and is not known to have been changed, and those that were asked
    only because of it; all where a seal cannot be opened."""
    untold = annotation.arm in ("", "unknown")
    if not annotation.seeded and not (untold and annotation.sealed):
        return set()
    if untold:
        return set(given)
    untouched = {str(it.get("from_name")) for it in annotation.regions if it.get("origin") == "prediction"}
    void = {
        name for name in annotation.seeded & given.keys() if name in untouched or shown.get(name) in (None, given[name])
    }
    while void and (
        asked := [
            name for name in given if name not in void and any(it.control in void for it in config[name].visible_when)
        ]
    ):
        void.update(asked)
    return void


def _changed(
    task: Task,
    annotation: Annotation,
    given: Mapping[str, Answer],
    said: Callable[[Prediction], Mapping[str, Answer]],
    config: LabelConfig,
) -> dict[str, bool | None]:
    """By control: whether the person changed what the prediction said.

    A plain export leaves the prediction out; then the `origin` that Label Studio notes on each region tells.
    """
    for prediction in task.predictions:
        if prediction.id == annotation.parent_prediction:
            before = said(prediction)
            return {name: before[name] != answer for name, answer in given.items() if name in before}
    changed: dict[str, bool | None] = {}
    for name, regions in regions_by_control(config, annotation.regions).items():
        origins = {item.get("origin") for item in regions if isinstance(item.get("origin"), str)}
        if origins & {"prediction", "prediction-changed"}:
            changed[name] = origins != {"prediction"}
    return changed


def latest(table: pl.DataFrame) -> pl.DataFrame:
    """Each annotator's last judgement of each control of each task, in order of task and annotation.

    Equally old ones count in the order of the table. Judgements of nobody known (an empty name) all stay: nothing says
    that they are one person's. Who decided a case keeps an earlier judgement of it beside the decision.
    """
    nobody = pl.when(pl.col("annotator") == "").then(pl.int_range(pl.len()))
    return (
        _by_age(table)
        .with_columns(nobody.alias("nobody"), _JUDGED.alias("judged"), _STANDING.alias("standing"))
        .unique(["task", "control", "annotator", "nobody", "judged", "standing"], keep="last", maintain_order=True)
        .drop("nobody", "judged", "standing")
    )


def of_annotators(table: pl.DataFrame) -> pl.DataFrame:
    """The rows that are an annotator's judgement: no review's decision, nothing the machine wrote, nothing void."""
    return table.filter(_JUDGED)


def decisions(table: pl.DataFrame) -> pl.DataFrame:
    """The newest decision of each control of each task: at most a row for each, in order of task and control.

    One that is no ground truth was replaced by a later one, or is somebody's copy of it.
    """
    decided = _by_age(table.filter(_STANDING))
    return decided.unique(["task", "control"], keep="last", maintain_order=True).sort("task", "control")


_DECIDED = pl.col("decided").fill_null(False)
_JUDGED = ~(_DECIDED | pl.col("machine").fill_null(False) | pl.col("void").fill_null(False))
_STANDING = _DECIDED & pl.col("ground_truth").fill_null(False)


def _by_age(table: pl.DataFrame) -> pl.DataFrame:
    return table.sort("task", "updated_at", "annotation", nulls_last=False, maintain_order=True)
