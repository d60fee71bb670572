"""What the people of a round answered, each in the project that is theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.judgements import judgements, latest, of_annotators
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import Annotation, Task
from sdk_scripts import wording
from sdk_scripts.calibration.rounds import Round, item_key
from sdk_scripts.evidence import Evidence
from sdk_scripts.satellites import items_of
from sdk_scripts.sources import Dataset

if TYPE_CHECKING:
    from ml_backend.studio import Studio

_SAVING = timedelta(seconds=5)
"""Between the two times of an annotation that nobody has changed since."""
MOST_SAID = 300
"""Characters of a comment."""


@dataclass(frozen=True)
class Answers:
    round: Round
    tasks: Mapping[int, Task]
    """Item -> its data, with the annotations that count: each person's own, skipped ones too."""
    missing: Mapping[str, int]
    """Person -> tasks of the plan that are not in the project yet, or not any more."""
    strangers: tuple[Mapping[str, Any], ...]
    """Answers in a person's project that do not count: {project_of, annotator, answers}."""
    predicted: Mapping[str, int] = field(default_factory=dict)
    """Person -> tasks of theirs that have a prediction: somebody has connected a model, and the round is not blind."""

    @cached_property
    def config(self) -> LabelConfig:
        return parse(self.round.plan.label_config)

    @cached_property
    def table(self) -> pl.DataFrame:
        """`labeling.judgements.SCHEMA`, each person's last judgement of each item; `annotator` in lower case."""
        return latest(of_annotators(judgements(self.tasks.values(), self.config)))

    @cached_property
    def texts(self) -> dict[int, str]:
        return Evidence(Dataset(self.round.plan.name, self.config, list(self.tasks.values()))).texts

    @cached_property
    def skipped(self) -> dict[str, int]:
        done = {(it.annotator, task.id) for task in self.tasks.values() for it in task.annotations if not it.cancelled}
        given_up = {(it.annotator, task.id) for task in self.tasks.values() for it in task.annotations if it.cancelled}
        return dict(Counter(who for who, _ in given_up - done))

    @cached_property
    def waiting(self) -> dict[str, int]:
        """Person -> tasks neither answered nor skipped; those who have none left are not there."""
        done = Counter(who for who, _ in {(it.annotator, t.id) for t in self.tasks.values() for it in t.annotations})
        plan = self.round.plan
        return {who: left for who in plan.people if (left := len(plan.items) - done[who]) > 0}

    @property
    def complete(self) -> bool:
        return not self.waiting

    @cached_property
    def comments(self) -> list[dict[str, Any]]:
        """What people wrote into controls marked `tiebreak="feedback"`: {item, annotator, said}."""
        return [
            {"item": task.id, "annotator": it.annotator, "said": said}
            for task in self.tasks.values()
            for it in task.annotations
            if (said := "; ".join(_said(self.config, it)))
        ]


def read_answers(studio: Studio, source_key: str, round: Round) -> Answers:
    """Raises StudioError."""
    keys = {item_key(source_key, round.plan.name, item): item for item in round.plan.items}
    found: dict[int, Task] = {}
    strangers: Counter[tuple[str, str]] = Counter()
    missing: dict[str, int] = {}
    predicted: Counter[str] = Counter()
    for who in round.plan.people:
        satellite = round.satellites.get(who)
        ours = items_of(studio.tasks(satellite.id)) if satellite else {}
        known = [key for key in keys if key in ours]
        if len(known) < len(keys):
            missing[who] = len(keys) - len(known)
        for key, task in zip(known, studio.read([ours[key] for key in known]), strict=True):
            item, mine = keys[key], []
            predicted[who] += bool(task.predictions)
            for it in task.annotations:
                by = _by(it)
                if by == who:
                    mine.append(_as(it, who))
                else:
                    strangers[who, by] += 1
            before = found[item].annotations if item in found else ()
            found[item] = Task(item, task.data, (*before, *mine))
    rows = [{"project_of": who, "annotator": by, "answers": n} for (who, by), n in sorted(strangers.items())]
    return Answers(round, {item: found[item] for item in sorted(found)}, missing, tuple(rows), +predicted)


def _by(annotation: Annotation) -> str:
    """Who answers for it, in lower case: who changed it since, else who made it."""
    times = annotation.created_at, annotation.updated_at
    changed = times[0] and times[1] and times[1] - times[0] > _SAVING
    return ((changed and annotation.updated_by) or annotation.annotator).lower()


def _as(annotation: Annotation, who: str) -> Annotation:
    from msgspec.structs import replace

    return replace(annotation, annotator=who)


def _said(config: LabelConfig, annotation: Annotation) -> Iterator[str]:
    for control in config.controls:
        regions = [it for it in annotation.regions if it.get("from_name") == control.name] if control.feedback else []
        kind = kind_of(control)
        answer = kind.read(control, regions) if regions and kind else None
        if kind is not None and answer is not None and (words := kind.show(answer)):
            yield wording.short(words, MOST_SAID)
