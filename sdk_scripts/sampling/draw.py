"""From labels to a lot: who is a member, what is high-risk, by which plans its sample is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl
from msgspec import structs

from ml_backend.cases import policy_version
from ml_backend.labeling.config import Control
from ml_backend.labeling.errors import InputError, UnknownName
from ml_backend.labeling.results import project_key
from ml_backend.prelabelers import options
from sdk_scripts.evidence import Evidence
from sdk_scripts.quality import Lot as Wanted
from sdk_scripts.sampling.lots import Lot, checked, drawn, now
from sdk_scripts.sampling.plans import iso_plan, zero_acceptance
from sdk_scripts.sampling.strata import high_risk, severe_from
from sdk_scripts.sampling.tables import Inspection

if TYPE_CHECKING:
    from sdk_scripts.sources import Dataset


def apart(dataset: Dataset) -> tuple[Dataset, Dataset]:
    """What people labelled, and what is known to be right: decisions of reviews, and ground truth beside other answers
    to the same task. Where all answers are ground truth, they are labels: Label Studio makes that of what is
    imported."""
    labelled, known = [], []
    for task in dataset.tasks:
        people = [it for it in task.annotations if not it.decided]
        gold = any(not it.ground_truth for it in people if not it.cancelled)
        right = [it for it in task.annotations if it.decided or (gold and it.ground_truth)]
        labelled.append(structs.replace(task, annotations=tuple(it for it in task.annotations if it not in right)))
        known.append(structs.replace(task, annotations=tuple(right)))
    return replace(dataset, tasks=labelled), replace(dataset, tasks=known)


def lot_control(evidence: Evidence, name: str | None) -> Control:
    """The control a lot is about: the one named, else the first with labels. Raises InputError for one whose answers of
    two people are seldom the same, UnknownName for one that there is not."""
    comparable = [it.name for it in evidence.config.answerable if options(it)]
    if name is not None and name not in comparable and name not in evidence.config:
        raise UnknownName("control", name, comparable)
    if not comparable or (name is not None and name not in comparable):
        raise InputError(
            f"A lot is about a control with labels; {name or 'this label config'} has none.",
            mend=f"Name one with --control: {', '.join(comparable)}." if comparable else "Give another project.",
        )
    return evidence.config[name or comparable[0]]


def draw(
    evidence: Evidence,
    wanted: Wanted,
    name: str,
    *,
    control: str | None = None,
    earlier: Sequence[Lot] = (),
    inspection: Inspection = "normal",
    since: datetime | None = None,
    until: datetime | None = None,
    secret: str = "",
) -> Lot:
    """The lot of all labelled tasks that are in no earlier one and that no review has decided, labelled last from
    `since` (included) to `until` (excluded). Raises InputError where there is none."""
    asked = lot_control(evidence, control)
    labels = _labels(evidence, asked.name, since, until)
    for lot in earlier:
        if lot.control == asked.name:
            labels = {task: key for task, key in labels.items() if task not in lot.labels}
    if not labels:
        raise InputError(
            f"No task has a label of {asked.name} that is in no lot yet and that no review has decided"
            + (" in that time." if since or until else "."),
            mend="Label first, or give the name of a lot that there is.",
        )
    project = evidence.dataset.project or {}
    key = project_key(project) if project else evidence.dataset.name
    severe = severe_from(evidence.standard, wanted.zero_from)
    order = drawn(labels, checked(name), key, secret)
    high = high_risk(evidence, asked.name, labels, severe, wanted.seen_from)
    return Lot(
        name=name,
        control=asked.name,
        created_at=now(),
        policy=policy_version(project),
        labels={task: labels[task] for task in order},
        high=high,
        severe=severe,
        plan=iso_plan(len(labels), aql=wanted.aql, level=wanted.level, inspection=inspection),
        zero=zero_acceptance(len(high), tolerated=wanted.tolerated, risk=wanted.risk),
    )


def _labels(evidence: Evidence, control: str, since: datetime | None, until: datetime | None) -> dict[int, str]:
    """Task -> key of its label: the consensus of those who judged it."""
    settled = {task for name, task in evidence.settled if name == control}
    judged = evidence.judgements.filter(pl.col("control") == control)
    last = judged.group_by("task").agg(at=pl.coalesce("updated_at", "created_at").max())
    if since is not None:
        last = last.filter(pl.col("at") >= since)
    if until is not None:
        last = last.filter(pl.col("at") < until)
    items = evidence.consensus.items.filter(pl.col("control") == control).join(last, on="task", how="semi")
    return {task: key for task, key in items.select("task", "answer").iter_rows() if task not in settled}
