"""What somebody answered who was asked the same again: the same task, or one of the same or nearly the same text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ml_backend.labeling.judgements import of_annotators

if TYPE_CHECKING:
    from sdk_scripts.inspected import Inspected

_BY = ["annotator", "control", "item"]


def asked_again(inspected: Inspected) -> pl.DataFrame:
    """[annotator, control, earlier, task, same, differs, justified]: a row for each answer of somebody who had answered
    the item before, with the task before (`earlier`).

    same       it was the same task, or one whose text is the very same (but for case and blanks)
    differs    the two answers do
    justified  so do the right ones of the two tasks: the known ones, else what most of the others say

    Who corrects an annotation is not asked again, and one that was imported twice (the same person's same answer, with
    the same lead time to a fraction of a second) is not counted twice.
    """
    rows = of_annotators(inspected.all_judgements).filter(
        (pl.col("annotator") != "") & pl.col("control").is_in(list(inspected.controls))
    )
    rows = rows.select("annotator", "control", "task", "answer", "annotation", "lead_time").join(
        inspected.evidence.same_items, on="task", how="left"
    )
    rows = rows.with_columns(pl.col("item").fill_null(-1 - pl.col("task")), pl.col("likeness").fill_null(1.0))
    fraction = (pl.col("lead_time") % 1 > 0).fill_null(False)
    copy = pl.when(fraction).then(0).otherwise(pl.col("annotation"))
    rows = (
        rows.filter(pl.len().over(_BY) > 1)
        .with_columns(copy=copy)
        .unique([*_BY, "answer", "lead_time", "copy"], keep="first")
        .unique([*_BY, "annotation"], keep="first")
        .sort(*_BY, "annotation")
        .join(_right(inspected), on=["annotator", "control", "task"], how="left", maintain_order="left")
    )
    before = pl.all().shift().over(_BY)
    rows = rows.with_columns(before.name.prefix("before_")).filter(pl.col("before_task").is_not_null())
    return rows.select(
        "annotator",
        "control",
        "task",
        earlier="before_task",
        same=(pl.col("task") == pl.col("before_task")) | (pl.col("likeness") == 1),
        differs=pl.col("answer") != pl.col("before_answer"),
        justified=(pl.col("right") != pl.col("before_right")).fill_null(False),
    )


def _right(inspected: Inspected) -> pl.DataFrame:
    table = inspected.judgements.select(
        "annotator", "control", "task", right=pl.coalesce("truth", "others"), nobody=pl.col("annotator") == ""
    )
    return table.filter(~pl.col("nobody")).drop("nobody").unique(["annotator", "control", "task"], keep="last")
