"""Labelled tasks -> what there is to learn from: for each control the answer people agree on, and how surely."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from ml_backend.encoder import Encoder, look_of
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.consensus import consensus
from ml_backend.labeling.judgements import decisions, judgements, latest, of_annotators
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import Task
from ml_backend.prelabelers import Examples, Inputs, group_key, learners, readings_of

LEAST_WEIGHT = 0.05


def examples_of(
    config: LabelConfig, tasks: Iterable[Task], encoder: Encoder, agreed: pl.DataFrame | None = None
) -> dict[str, Examples]:
    """Control -> examples, for every control that a pre-labeler can learn; in order of task id.

    An answer is the annotators' consensus, weighted by its confidence, or what is `agreed` (task, control, answer and
    confidence, as `labeling.consensus.ITEMS`). What a review decided is certain; else ground truth is where all of a
    task's ground-truth annotations say the same: Label Studio marks imported annotations as ground truth unless told
    not to, so several that differ are judgements like others. Tasks with nothing to read are left out.
    """
    learnable = {control.name: control for control in config.answerable if learners(config, control)}
    answered = {task.id: task for task in tasks if task.annotations}
    table = latest(judgements(answered.values(), config)).filter(pl.col("control").is_in(list(learnable)))
    settled = settled_answers(table, config, agreed)
    made = {}
    for name, control in learnable.items():
        kind = kind_of(control)
        rows = settled.filter(pl.col("control") == name).sort("task")
        readings = readings_of(config, control, [answered[task].data for task in rows["task"]], look_of(encoder))
        kept = [i for i, reading in enumerate(readings) if reading]
        rows = rows[kept]
        made[name] = Examples(
            tuple(rows["task"].to_list()),
            Inputs([readings[i] for i in kept], encoder),
            tuple(kind.from_key(key) for key in rows["answer"]) if kind else (),
            rows["confidence"].clip(LEAST_WEIGHT, 1.0).to_numpy().astype(np.float64),
        )
    return made


def fingerprint(examples: Mapping[str, Examples], config: LabelConfig) -> str:
    """16 hex digits of texts, answers and weights; task ids do not matter, so an export has the project's own."""
    lines = []
    for name, known in examples.items():
        kind = kind_of(config[name])
        for reading, answer, weight in zip(known.inputs.readings, known.answers, known.weights.tolist(), strict=True):
            lines.append(f"{name}\0{reading!r}\0{kind.key(answer) if kind else ''}\0{weight:.4f}")
    return hashlib.sha256("\1".join(sorted(lines)).encode(errors="replace")).hexdigest()[:16]


def text_hashes(examples: Examples) -> np.ndarray:
    """(n,) uint64, one a task, equal for texts that differ only in case and white space. Of tasks with images they are
    the hashes of those, too."""
    return np.array([int.from_bytes(group_key(key)[:8]) for key in examples.inputs.keys], dtype=np.uint64)


def settled_answers(table: pl.DataFrame, config: LabelConfig, agreed: pl.DataFrame | None = None) -> pl.DataFrame:
    """[task, control, answer, confidence], one row a judged (task, control) that has an answer; `table` are the latest
    judgements."""
    columns = ["task", "control", "answer", "confidence"]
    if table.is_empty():
        return pl.DataFrame(
            schema={"task": pl.Int64, "control": pl.String, "answer": pl.String, "confidence": pl.Float64}
        )
    certain = (
        of_annotators(table)
        .filter(pl.col("ground_truth"))
        .join(decisions(table), on=["task", "control"], how="anti")
        .group_by("task", "control")
        .agg(pl.col("answer").first(), pl.col("answer").n_unique().alias("different"))
        .filter(pl.col("different") == 1)
        .with_columns(pl.lit(1.0).alias("confidence"))
        .select(columns)
    )
    agreed = (consensus(table, config).items if agreed is None else agreed).select(columns).drop_nulls("answer")
    return pl.concat([certain, agreed.join(certain, on=["task", "control"], how="anti")])
