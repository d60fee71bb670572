"""The tasks that gold questions are asked with: each has the case's decision, as an annotation that is ground truth."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ml_backend.cases import DATA_KEY, Case, case_data
from ml_backend.labeling.answers import write_answers
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.results import Task, read_annotation, string
from ml_backend.studio.tasks import condition
from sdk_scripts.gold.questions import GOLD, Question
from sdk_scripts.manifest_schema import TASK_KEY

if TYPE_CHECKING:
    from ml_backend.studio import Studio

SIBLINGS = 100
"""Tasks that a made one is to look like."""


def place(
    studio: Studio, source: Mapping[str, Any], config: LabelConfig, question: Question, tasks: Sequence[Task]
) -> int:
    """The task of a case that came from elsewhere, made if it is not there; the case then has it as its source task.
    Raises InputError where the control cannot hold the answer, StudioError."""
    case = question.case
    found = next((task.id for task in tasks if _name(case) in _reviews(task)), None)
    if found is None:
        newest = max((task.id for task in tasks), default=0)
        annotation = {"result": decision_regions(config, question), "ground_truth": True}
        studio.import_tasks(source["id"], [{"data": _data(case, tasks), "annotations": [annotation]}])
        since = studio.tasks(source["id"], where=[condition("id", "greater", newest, "Number")])
        found = next(task.id for task in studio.read(since) if _name(case) in _reviews(task))
    stored = studio.task(case.task)["data"]
    about = {**case_data(stored), "source_task": found}
    studio.update_task_data(case.task, {**stored, DATA_KEY: about})
    return found


def decide(studio: Studio, config: LabelConfig, question: Question, task: int) -> None:
    """The case's answer is written into its task, where it was ground truth and no decision: what annotators answer
    would count against it. Raises InputError where the control cannot hold the answer.

    Label Studio leaves a task one ground truth, so a decision about another control is completed, and ground truth that
    was there lives on in the new one.
    """
    regions = decision_regions(config, question)
    truths = [it for it in studio.task(task)["annotations"] if it["ground_truth"] and not it["was_cancelled"]]
    truth: dict[str, Any] = max(truths, key=lambda it: int(it["id"]), default={"result": []})
    others = [it for it in truth["result"] if it.get("from_name") != question.case.control]
    if truths and read_annotation(truth).decided:
        studio.update_annotation(truth["id"], {"result": [*others, *regions]})
    else:
        studio.create_annotation(task, {"result": [*others, *regions], "ground_truth": True})


def keep(studio: Studio, case: Case, kept: Mapping[str, Any]) -> None:
    """Write down, with the case, what is kept about it as a question (`questions`)."""
    stored = studio.task(case.task)["data"]
    about = case_data(stored)
    before = about.get(GOLD)
    questions = {**(before if isinstance(before, Mapping) else {}), case.control: dict(kept)}
    studio.update_task_data(case.task, {**stored, DATA_KEY: {**about, GOLD: questions}})


def decision_regions(config: LabelConfig, question: Question) -> list[dict[str, Any]]:
    case = question.case
    record = {
        "review": _name(case),
        "round": 1,
        "answer": question.key,
        "reviewer": "",
        "cause": case.cause,
        "clause": case.clause,
        "policy": case.policy,
        "rationale": case.rationale,
    }
    meta = {"tiebreak": record, "text": [f"Case {case.task} of the library."]}
    regions = [{**region, "meta": meta} for region in write_answers(config, {case.control: case.answer})]
    if not regions:
        raise InputError(
            f"Case {case.task} says that there is nothing to mark for {case.control!r}, which no annotation can hold.",
            mend=f"Take it off: `tiebreak cases promote {case.task} --to gold --remove`.",
        )
    return regions


def _name(case: Case) -> str:
    """Of the decision, as reviews have it (`ground_truth`)."""
    return f"{case.project}/{case.task}/{case.annotation}"


def _reviews(task: Task) -> set[str]:
    metas = (region.get("meta") for annotation in task.annotations for region in annotation.regions)
    marks = (meta.get("tiebreak") for meta in metas if isinstance(meta, Mapping))
    return {name for mark in marks if isinstance(mark, Mapping) and (name := string(mark.get("review")))}


def _data(case: Case, tasks: Sequence[Task]) -> dict[str, Any]:
    """The case's, with the fields that other tasks have and none that would mark it."""
    siblings = tasks[-SIBLINGS:]
    known = {name for task in siblings for name in task.data}
    data = {name: value for name, value in case.data.items() if name in known or not siblings}
    data.pop(DATA_KEY, None)
    if TASK_KEY in known:
        data[TASK_KEY] = _unused([str(task.data[TASK_KEY]) for task in siblings if TASK_KEY in task.data], case)
    return data


def _unused(keys: Iterable[str], case: Case) -> str:
    """A key as the others are, with more digits: no row of a source will ever have it."""
    like = min(keys)
    return like + str(int(hashlib.sha256(repr((like, case.project, case.task)).encode()).hexdigest()[:12], 16))
