"""A project's settled answers as cases: what a review decided, else ground truth that nothing contradicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from ml_backend.cases import policy_version
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.judgements import decisions, judgements, of_annotators
from ml_backend.labeling.results import Task, string
from sdk_scripts.case_library import NewCase

if TYPE_CHECKING:
    from ml_backend.studio import Studio


def settled_cases(
    studio: Studio, source: Mapping[str, Any], tasks: Sequence[int], control: str | None = None
) -> list[NewCase]:
    """A case for every settled control of these tasks, or for one control; by task, then in the config's order.

    A decision comes with its cause, clause, rationale and policy version, ground truth with the policy version of
    today. Raises InputError for tasks that are not there or of which nothing is settled, UnknownName for no control.
    """
    config = parse(str(source["label_config"]))
    names = [it.name for it in config.answerable] if control is None else [config[control].name]
    found = {it.id: it for it in studio.read(studio.tasks(source["id"], ids=tasks))}
    if gone := sorted(set(tasks) - found.keys()):
        raise InputError(f"Project {source['id']} has no task {', '.join(map(str, gone))}.", mend="Check the ids.")
    cases = {(it.task, it.control): it for it in settled_in(found, config, policy_version(source), names)}
    settled = {task for task, _ in cases}
    if unsettled := sorted(found.keys() - settled):
        raise InputError(
            f"Nothing is settled in task {', '.join(map(str, unsettled))}.",
            mend="Have it decided (`tiebreak hard-cases`, then `tiebreak resolve`), or mark one annotation as ground "
            "truth.",
        )
    return [cases[task, name] for task in sorted(settled) for name in names if (task, name) in cases]


def settled_in(
    tasks: Mapping[int, Task], config: LabelConfig, policy: str, controls: Sequence[str]
) -> Iterator[NewCase]:
    """What is settled in tasks that were read already; of one control of a task the last counts. `policy` is the policy
    version of today."""
    table = judgements(tasks.values(), config).filter(pl.col("control").is_in(controls))
    yield from _truths(table, policy)
    yield from decided_cases(table, tasks)


def _truths(table: pl.DataFrame, policy: str) -> Iterator[NewCase]:
    """Where all ground truth of a control says the same: Label Studio makes ground truth of what is imported."""
    known = (
        of_annotators(table)
        .filter(pl.col("ground_truth"))
        .group_by("task", "control")
        .agg(pl.col("answer").first(), pl.col("answer").n_unique().alias("different"))
        .filter(pl.col("different") == 1)
    )
    for task, control, answer in known.select("task", "control", "answer").iter_rows():
        yield NewCase(task, control, answer, policy=policy)


def decided_cases(table: pl.DataFrame, tasks: Mapping[int, Task]) -> Iterator[NewCase]:
    """What reviews decided, of judgements (`labeling.judgements.SCHEMA`) and the tasks they are of."""
    for task, control, answer, annotation in (
        decisions(table).select("task", "control", "answer", "annotation").iter_rows()
    ):
        yield NewCase(task, control, answer, **_record(tasks[task], annotation, control))


def _record(task: Task, annotation: int, control: str) -> dict[str, Any]:
    """What the decision says of itself, see `labeling.results.Annotation.decided`."""
    for region in next(it.regions for it in task.annotations if it.id == annotation):
        meta = region.get("meta")
        about = meta.get("tiebreak") if isinstance(meta, Mapping) else None
        if region.get("from_name") == control and isinstance(about, Mapping):
            said = {name: string(about.get(name)) for name in ("review", "cause", "clause", "policy", "rationale")}
            return {name: words for name, words in said.items() if words}
    return {}
