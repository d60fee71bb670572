"""The tables that the analysis reads: tasks, what people did with them, and reviews."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.judgements import annotation_table, times

if TYPE_CHECKING:
    from sdk_scripts.sources import Dataset

_TIME = pl.Datetime("ms", "UTC")
TASKS: dict[str, pl.DataType] = {
    "task": pl.Int64(),
    "created_at": _TIME,
    "needed": pl.Int64(),  # people that are to judge it; null where nothing tells
}
ANNOTATIONS: dict[str, pl.DataType] = {
    "task": pl.Int64(),
    "annotation": pl.Int64(),
    "annotator": pl.String(),
    "created_at": _TIME,
    "updated_at": _TIME,
    "lead_time": pl.Float64(),  # seconds; null where there is none or it is 0
    "cancelled": pl.Boolean(),
    "decided": pl.Boolean(),
    "machine": pl.Boolean(),
    "prelabeled": pl.Boolean(),  # a prediction with an answer was on the screen
    "score": pl.Float64(),  # of that prediction
}
REVIEWS: dict[str, pl.DataType] = {
    "task": pl.Int64(),  # the source's
    "control": pl.String(),
    "round": pl.Int64(),
    "reviewer": pl.String(),
    "created_at": _TIME,
    "decided_at": _TIME,  # null while it waits
    "lead_time": pl.Float64(),
}
NO_REVIEWS = pl.DataFrame(schema=REVIEWS)
_SHOWN = pl.col("prediction").is_not_null() | pl.col("shown").is_not_null()
_CLOCKS_DIFFER = timedelta(minutes=5)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_OWN = list(ANNOTATIONS)[:6]
_READ = {name: ANNOTATIONS[name] for name in [*_OWN, "cancelled"]}


@dataclass(frozen=True)
class Work:
    """A project's tasks and what was done with them, up to `at`."""

    tasks: pl.DataFrame
    """TASKS"""
    annotations: pl.DataFrame
    """ANNOTATIONS: one row each, skips and reviews' decisions among them."""
    answers: pl.DataFrame
    """`labeling.judgements.SCHEMA`, every row."""
    config: LabelConfig
    at: datetime
    reviews: pl.DataFrame | None = None
    """REVIEWS; None where the source has no review project."""
    notes: tuple[str, ...] = field(default=())


def work_of(
    dataset: Dataset,
    answers: pl.DataFrame,
    *,
    done: pl.DataFrame | None = None,
    reviews: pl.DataFrame | None = None,
    labels_per_task: int | None = None,
    at: datetime | None = None,
) -> Work:
    """`answers` is all of `judgements(dataset.tasks, dataset.config)`, and `done` is `annotation_table(dataset.tasks)`,
    where they are known already.

    A project's ages count up to now, a file's up to the last thing that happened in it. Times in the future or before
    2000, which a clock that is wrong writes, are no times.
    """
    now = at or datetime.now(UTC)
    tasks = _tasks(dataset, labels_per_task)
    done = _annotations(annotation_table(dataset.tasks) if done is None else done, answers)
    latest = now + _CLOCKS_DIFFER
    dated = [frame[name] for frame, name in ((tasks, "created_at"), (done, "created_at"), (done, "updated_at"))]
    wrong = sum(int(((it > latest) | (it < _EARLIEST)).sum()) for it in dated)
    past = {
        name: pl.when(pl.col(name).is_between(_EARLIEST, latest)).then(name) for name in ("created_at", "updated_at")
    }
    tasks = tasks.with_columns(created_at=past["created_at"])
    done = done.with_columns(**past)
    if dataset.project is None and at is None:
        ends = [frame[name].max() for frame, name in ((tasks, "created_at"), (done, "created_at"))]
        now = max((it for it in ends if isinstance(it, datetime)), default=now)
    notes = (
        [f"{wrong:,} times lie in the future or before 2000 and were left out: some clock is wrong."] if wrong else []
    )
    if dataset.project is None:
        notes.append(f"A file's waiting times count up to the last thing in it, {now:%Y-%m-%d %H:%M} UTC.")
    if tasks["created_at"].null_count() == tasks.height:
        notes.append("Nothing says when tasks came: no arrivals, and no waiting for the first label.")
    if tasks["needed"].null_count() == tasks.height:
        notes.append(
            "The source does not say how many people judge a task, so one is taken to be enough: give "
            "--labels-per-task, or the project itself."
        )
    return Work(tasks, _with_answers(done, answers), answers, dataset.config, now, reviews, tuple(notes))


def _tasks(dataset: Dataset, labels_per_task: int | None) -> pl.DataFrame:
    project: Mapping[str, object] = dataset.project or {}
    usual = project.get("maximum_annotations")
    usual = usual if isinstance(usual, int) and not isinstance(usual, bool) and usual > 0 else None
    needed = [
        labels_per_task or (task.overlap if task.overlap and task.overlap > 0 else usual) for task in dataset.tasks
    ]
    return pl.DataFrame([[it.id for it in dataset.tasks], times(it.created_at for it in dataset.tasks), needed], TASKS)


def _annotations(done: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """Those that answer something as the answers have them, the others as the tasks do."""
    others = done.filter(pl.col("skipped") | ~pl.col("annotation").is_in(answers["annotation"].unique().implode()))
    unnumbered = pl.when(pl.col("annotation") == 0).then("annotator").alias("who")
    answered = (
        answers.select(*_OWN, unnumbered, cancelled=pl.lit(False))
        .unique(["task", "annotation", "who"], keep="first", maintain_order=True)
        .select(list(_READ))
    )
    return pl.concat([answered, others.rename({"skipped": "cancelled"}).select(list(_READ))])


def _with_answers(done: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """What only answers tell. Who changed what the machine wrote is its annotator."""
    told = answers.group_by("task", "annotation").agg(
        pl.col("decided").any(),
        pl.col("machine").all(),
        (_SHOWN & (pl.col("arm") != "blind")).any().alias("prelabeled"),
        pl.col("score").first(),
        pl.col("annotator").filter(~pl.col("machine")).first().alias("person"),
    )
    return (
        done.join(told, on=["task", "annotation"], how="left")
        .with_columns(
            annotator=pl.coalesce("person", "annotator"),
            lead_time=pl.when(pl.col("lead_time") > 0).then("lead_time"),
            prelabeled=pl.col("prelabeled").fill_null(False),
            decided=pl.col("decided").fill_null(False),
            machine=pl.col("machine").fill_null(False) & ~pl.col("cancelled"),
        )
        .select(list(ANNOTATIONS))
        .sort("task", "created_at", "annotation", nulls_last=False, maintain_order=True)
    )
