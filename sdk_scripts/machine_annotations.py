"""What the machine decided alone, as an annotation of the task, and what became of it.

Each region bears, under `meta.tiebreak`:

    machine      the model version
    answer       the kind's key, by which a later edit is noticed
    confidence   of the whole answer, 0-1
    policy       the policy's fingerprint
    by           local or joint
    audit        whether people label the task blind all the same
    overlap      what the task's overlap was before

A task whose answer has a control without regions (no span, say) has no place for that record, and is never accepted.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.answers import answers, write_answers
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import InputError, StudioRefused
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.labeling.results import Annotation, Task, read_task

if TYPE_CHECKING:
    from ml_backend.studio import Studio

_NAMES = uuid.UUID("5e6f0a3e-4c1f-4b58-9a55-0d7f6c1b2a11")
_EPOCH = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is to be written."""

    task: int
    answers: Mapping[str, Answer]
    scores: Mapping[str, float]
    version: str
    policy: str
    by: str
    confidence: float
    audit: bool
    overlap: int
    """Of the task, before."""

    @property
    def overlap_after(self) -> int:
        return overlap_of(audit=self.audit, before=self.overlap)

    def result(self, config: LabelConfig) -> list[dict[str, Any]] | None:
        """None where a control's answer leaves no region, or cannot be written."""
        record = {
            "machine": self.version,
            "confidence": round(self.confidence, 6),
            "policy": self.policy,
            "by": self.by,
            "audit": self.audit,
            "overlap": self.overlap,
        }
        found: list[dict[str, Any]] = []
        for name, answer in self.answers.items():
            kind = kind_of(config[name])
            try:
                regions = write_answers(config, {name: answer}, self.scores)
            except InputError:
                return None
            if kind is None or not regions:
                return None
            meta = {"tiebreak": {**record, "answer": kind.key(answer)}}
            found += [{**it, "id": f"{name}-{place}", "meta": meta} for place, it in enumerate(regions)]
        return found or None


@dataclass(frozen=True)
class Written:
    """A machine annotation as it stands."""

    task: Task
    annotation: Annotation
    answers: Mapping[str, str]
    """Control -> key, as it was written."""
    version: str
    policy: str
    by: str
    audit: bool
    overlap: int
    """Of the task, before."""
    overlap_now: int
    labelled: bool
    """Whether Label Studio counts the task as labelled."""

    @property
    def people(self) -> list[Annotation]:
        """Each person's last annotation of the task."""
        own = [it for it in self.task.annotations if not (it.machine or it.decided or it.cancelled)]
        found: dict[str, Annotation] = {}
        for it in sorted(own, key=lambda it: (it.updated_at or _EPOCH, it.id)):
            found[it.annotator or f"?{it.id}"] = it
        return list(found.values())

    @property
    def overlap_after(self) -> int:
        return overlap_of(audit=self.audit, before=self.overlap)

    def edited(self, config: LabelConfig) -> str:
        """What people did to it since, in words; empty where nothing."""
        if self.annotation.cancelled:
            return "it was skipped"
        if self.annotation.ground_truth:
            return "it was made ground truth"
        if _keys(config, self.annotation) != dict(self.answers):
            return "its answer was changed"
        return ""

    def error(self, config: LabelConfig) -> float | None:
        """How wrong the machine was by what people say: 0 right, 1 wrong, between where people are split evenly and the
        machine is with some of them. None while people have not labelled it as often as tasks of the project are: the
        promise is about the consensus that the model learns, so an audit asks as many people as made that.

        A review's decision outweighs them. A control that nobody answered says nothing.
        """
        decided: dict[str, str] = {}
        for it in sorted(self.task.annotations, key=lambda it: (it.updated_at or _EPOCH, it.id)):
            if it.decided and it.ground_truth and not it.cancelled:
                decided |= _keys(config, it)
        people = self.people
        if len(people) < self.overlap and not self.answers.keys() <= decided.keys():
            return None
        found: list[float] = []
        given = [_keys(config, it) for it in people]
        for name, key in self.answers.items():
            votes = Counter(one[name] for one in given if name in one)
            if name in decided:
                found.append(float(decided[name] != key))
            elif votes:
                most = max(votes.values())
                first = [it for it, times in votes.items() if times == most]
                found.append(1 - (key in first) / len(first))
        return max(found, default=None)

    def done_at(self) -> datetime:
        """When people, or a review, last said something about it."""
        said = [it.updated_at or _EPOCH for it in self.task.annotations if it.id != self.annotation.id]
        return max(said, default=_EPOCH)


def overlap_of(*, audit: bool, before: int) -> int:
    """So that Label Studio counts an accepted task as labelled, and one that is audited not until people have labelled
    it as often as they would have."""
    return 1 + before if audit else 1


def written(config: LabelConfig, json: Mapping[str, Any], annotators: Mapping[int, str] | None = None) -> list[Written]:
    """The machine annotations of a task of Label Studio's API."""
    task = read_task(json, annotators)
    found = []
    for annotation in task.annotations:
        marks = {name: mark for region in annotation.regions if (mark := _record(region)) and (name := _name(region))}
        if marks:
            first = next(iter(marks.values()))
            found.append(
                Written(
                    task,
                    annotation,
                    {name: str(mark.get("answer")) for name, mark in marks.items() if name in config},
                    str(first["machine"]),
                    str(first.get("policy")),
                    str(first.get("by")),
                    first.get("audit") is True,
                    _count(first.get("overlap")),
                    _count(json.get("overlap")),
                    bool(json.get("is_labeled")),
                )
            )
    return found


def write(studio: Studio, config: LabelConfig, it: Accepted, account: int) -> bool:
    """Post the annotation; False where the task has one of the machine's already.

    The unique id follows from task and version: Label Studio refuses a second one, whoever posts it. Raises
    StudioError.
    """
    fields = {
        "unique_id": str(uuid.uuid5(_NAMES, f"{it.task} {it.version}")),
        "result": it.result(config),
        "completed_by": account,
        "ground_truth": False,
    }
    try:
        studio.create_annotation(it.task, fields)
    except StudioRefused:
        if not written(config, studio.task(it.task)):
            raise
        return False
    return True


def _record(region: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = region.get("meta")
    about = meta.get("tiebreak") if isinstance(meta, Mapping) else None
    return about if isinstance(about, Mapping) and about.get("machine") else {}


def _name(region: Mapping[str, Any]) -> str:
    return str(region.get("from_name") or "")


def _keys(config: LabelConfig, annotation: Annotation) -> dict[str, str]:
    found = {}
    for name, answer in answers(config, annotation.regions, hidden=annotation.decided).items():
        if (kind := kind_of(config[name])) is not None:
            found[name] = kind.key(answer)
    return found


def _count(value: object) -> int:
    return max(value, 1) if isinstance(value, int) else 1
