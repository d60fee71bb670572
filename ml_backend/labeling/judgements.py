"""The columnar table of who answered what, when, how long, and from which prediction: what every statistic reads."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.labeling.results import Task, answers

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
    "changed": pl.Boolean(),  # differs from that prediction; null where there was none, or it is not known
    "ground_truth": pl.Boolean(),
}


def judgements(tasks: Iterable[Task], config: LabelConfig) -> pl.DataFrame:
    """One row per answer of one annotation to one control; skipped tasks (`was_cancelled`) have none.

    One person may have judged a task twice; `latest` keeps the last of them.
    """
    kinds = {control.name: kind for control in config.answerable if (kind := kind_of(control))}
    columns: dict[str, list] = {name: [] for name in SCHEMA}
    for task in tasks:
        predicted: dict[int, dict[str, Answer] | None] = {}
        for annotation in task.annotations:
            if annotation.cancelled:
                continue
            parent = annotation.parent_prediction
            if parent is not None and parent not in predicted:
                regions = next((p.regions for p in task.predictions if p.id == parent), None)
                predicted[parent] = None if regions is None else answers(config, regions)
            for name, answer in answers(config, annotation.regions).items():
                before = predicted.get(parent) if parent is not None else None
                columns["task"].append(task.id)
                columns["control"].append(name)
                columns["annotator"].append(annotation.annotator)
                columns["answer"].append(kinds[name].key(answer))
                columns["annotation"].append(annotation.id)
                columns["created_at"].append(annotation.created_at)
                columns["updated_at"].append(annotation.updated_at)
                columns["lead_time"].append(annotation.lead_time)
                columns["prediction"].append(parent)
                columns["changed"].append(None if before is None else before.get(name) != answer)
                columns["ground_truth"].append(annotation.ground_truth)
    return pl.DataFrame(columns, schema=SCHEMA)


def latest(table: pl.DataFrame) -> pl.DataFrame:
    """Each annotator's last judgement of each control of each task, in order of task and annotation."""
    return table.sort("task", "updated_at", "annotation", nulls_last=False).unique(
        ["task", "control", "annotator"], keep="last", maintain_order=True
    )
