"""What is known of a hard case besides its reasons: what distribution asks, and what the model thinks of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ml_backend.labeling.answers import regions_by_control
from ml_backend.labeling.errors import ModelUnavailable, NotEnoughLabels
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import Task
from sdk_scripts.evidence import Evidence
from sdk_scripts.reviewers import Case
from sdk_scripts.standards import Standard, names_of

if TYPE_CHECKING:
    from ml_backend.prelabelers import Opinion
    from sdk_scripts.hard_cases import HardCase


@dataclass(frozen=True)
class CaseFacts:
    """Facts of one dataset's cases, the dear ones worked out only for those that are asked for."""

    evidence: Evidence
    weights: Mapping[str, float] = field(default_factory=dict)
    """Of the signals that ranked the cases."""

    @property
    def standard(self) -> Standard:
        return self.evidence.standard

    def case(self, found: HardCase) -> Case:
        task = self.evidence.tasks[found.task]
        labels = self.labels(task)
        severity = self.evidence.severity_of(task.id)
        disturbing = self.standard.disturbing
        return Case(
            task=task.id,
            control=found.control,
            labels=labels,
            language=self.language(task),
            severity=severity,
            disturbing=bool(disturbing and labels.intersection(disturbing.labels)),
            judged_by=judged_by(task),
            seats=self.standard.seats(severity),
        )

    def labels(self, task: Task) -> frozenset[str]:
        """What people or the model answered, to any control, by every name a standard may use; and what people told in
        the feedback panel ("the content is disturbing")."""
        found = {*self._said.get(task.id, ()), *self._told(task)}
        for control in self.evidence.config.answerable:
            opinion, _ = self.opinion(control.name, task.id)
            kind = kind_of(control)
            if opinion is not None and kind is not None:
                found.update(kind.labels(opinion.answer))
        return names_of(found)

    def language(self, task: Task) -> str:
        """Asked only where somebody's languages depend on it."""
        if not any(reviewer.languages for reviewer in self.standard.reviewers):
            return ""
        from ml_backend.languages import language_of

        return language_of(self.evidence.texts.get(task.id, ""))

    def judgements(self, found: HardCase) -> int:
        """How many people answered the control in doubt."""
        return self.evidence.annotators_of.get((found.control, found.task), 0)

    def opinion(self, control: str, task: int) -> tuple[Opinion | None, str]:
        """What the model thinks, preferably one that was not trained on the task; and which model that is."""
        if opinion := self._held_out.get(control, {}).get(task):
            return opinion, "A model that was not trained on this task."
        if opinion := self._stored.get(control, {}).get(task):
            return opinion, f"Model version {self.evidence.live_version}."
        return None, ""

    def _told(self, task: Task) -> Iterator[str]:
        panels = [control for control in self.evidence.config.controls if control.feedback]
        for annotation in task.annotations if panels else ():
            regions = regions_by_control(self.evidence.config, annotation.regions)
            for control in panels:
                kind = kind_of(control)
                answer = (
                    kind.read(control, regions.get(control.name, ())) if kind and not annotation.cancelled else None
                )
                if kind and answer is not None:
                    yield from kind.labels(answer)

    @cached_property
    def _said(self) -> dict[int, set[str]]:
        """Labels that people gave, by task."""
        kinds = {control.name: kind_of(control) for control in self.evidence.config.answerable}
        found: dict[int, set[str]] = {}
        answers = self.evidence.judgements.select("task", "control", "answer").unique()
        for task, control, key in answers.iter_rows():
            if kind := kinds.get(control):
                found.setdefault(task, set()).update(kind.labels(kind.from_key(key)))
        return found

    @cached_property
    def _held_out(self) -> Mapping[str, Mapping[int, Opinion]]:
        try:
            return self.evidence.opinions
        except (NotEnoughLabels, ModelUnavailable):
            return {}

    @cached_property
    def _stored(self) -> Mapping[str, Mapping[int, Opinion]]:
        try:
            return self.evidence.stored
        except ModelUnavailable:
            return {}


def judged_by(task: Task) -> frozenset[str]:
    """Lower-cased e-mails of those who answered a task, decisions of earlier reviews included."""
    return frozenset(one.person.lower() for one in task.annotations if one.person and not one.cancelled)
