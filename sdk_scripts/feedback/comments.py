"""What annotators said in the feedback panel: the controls marked `tiebreak="feedback"`.

All of it is untrusted text. A comment is one annotation: what was chosen, what was written, and the pair of answers it
is about, where the commenter answered otherwise than the others, or than the model where nobody else answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from ml_backend.labeling.answers import regions_by_control
from ml_backend.labeling.errors import ModelUnavailable
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import Annotation
from sdk_scripts import wording
from sdk_scripts.evidence import Evidence
from sdk_scripts.inspected import Inspected

NOTE = "note"
"""The kind of feedback that only wrote something."""
MAX_TEXT = 2_000
"""Characters that are kept."""

Pair = tuple[str, str, str]
"""Control, the commenter's answer, the answer of the others or the model; both as people read them."""


@dataclass(frozen=True, slots=True)
class Comment:
    id: int
    """The annotation's."""
    task: int
    annotator: str
    at: datetime | None
    kinds: tuple[str, ...]
    """Labels chosen in the panel, in the config's order; NOTE where none was."""
    text: str
    """On one line; "" where nothing was written."""
    pair: Pair | None
    answers: tuple[tuple[str, str], ...]
    """(control, the commenter's answer in words)."""

    @property
    def kind(self) -> str:
        return self.kinds[0]


@dataclass(frozen=True)
class Comments:
    evidence: Evidence

    @cached_property
    def all(self) -> tuple[Comment, ...]:
        """In order of time; comments of unknown time first."""
        panel = [control for control in self.evidence.config.controls if control.feedback]
        found = [
            comment
            for task in (self.evidence.tasks.values() if panel else ())
            for annotation in task.annotations
            if not annotation.decided and not annotation.automatic and (comment := self._said(task.id, annotation))
        ]
        return tuple(sorted(found, key=lambda it: (it.at.timestamp() if it.at else 0.0, it.id)))

    def _said(self, task: int, annotation: Annotation) -> Comment | None:
        kinds, texts = [], []
        given = regions_by_control(self.evidence.config, annotation.regions)
        for control in self.evidence.config.controls:
            kind = kind_of(control) if control.feedback else None
            answer = kind.read(control, given.get(control.name, [])) if kind else None
            if kind is None or answer is None:
                continue
            if control.tag.lower() == "textarea":
                texts.append(kind.show(answer))
            else:
                kinds += [wording.short(label) for label in kind.labels(answer)]
        text = wording.short(" ".join(texts), MAX_TEXT)
        if not kinds and not text:
            return None
        answers = self._answers.get(annotation.id, {})
        words = tuple((name, wording.show_key(self.evidence.config[name], key)) for name, key in answers.items())
        at = annotation.updated_at or annotation.created_at
        pair = self._pair(task, annotation, answers)
        who = annotation.annotator or f"annotation {annotation.id}"
        return Comment(annotation.id, task, who, at, tuple(kinds) or (NOTE,), text, pair, words)

    def _pair(self, task: int, annotation: Annotation, answers: Mapping[str, str]) -> Pair | None:
        for control in self.evidence.config.answerable:
            mine = answers.get(control.name)
            if mine is None:
                continue
            against = self._others.get((annotation.id, control.name)) or self._model(control.name, task)
            if against is not None and against != mine:
                return control.name, wording.show_key(control, mine), wording.show_key(control, against)
        return None

    def _model(self, control: str, task: int) -> str | None:
        try:
            opinion = self.evidence.stored.get(control, {}).get(task)
        except ModelUnavailable:
            return None
        kind = kind_of(self.evidence.config[control])
        return kind.key(opinion.answer) if opinion and kind else None

    @cached_property
    def _answers(self) -> dict[int, dict[str, str]]:
        """Annotation -> control -> key."""
        found: dict[int, dict[str, str]] = {}
        for row in self.evidence.all_judgements.select("annotation", "control", "answer").iter_rows():
            found.setdefault(row[0], {})[row[1]] = row[2]
        return found

    @cached_property
    def _others(self) -> dict[tuple[int, str], str]:
        """(annotation, control) -> what most of the others say."""
        table = Inspected(self.evidence).judgements.select("annotation", "control", "others").drop_nulls()
        return {(annotation, control): key for annotation, control, key in table.iter_rows()}

    def frequency(self) -> dict[str, Any]:
        """How often there is feedback: by annotator, with the annotations they gave; by the label the commenter gave,
        with the judgements that gave it; by kind."""
        annotations = Counter(
            it.annotator or f"annotation {it.id}"
            for task in self.evidence.tasks.values()
            for it in task.annotations
            if not it.decided and not it.automatic
        )
        labels: Counter[tuple[str, str]] = Counter()
        config = self.evidence.config
        for control, key, n in self.evidence.judgements.group_by("control", "answer").len().iter_rows():
            labels[control, wording.show_key(config[control], key)] += n
        people = Counter(it.annotator for it in self.all)
        given = Counter(answer for it in self.all for answer in it.answers)
        return {
            "by_annotator": [
                {"annotator": who, "comments": n, "annotations": annotations[who], "share": n / annotations[who]}
                for who, n in people.most_common()
            ],
            "by_label": [
                {"control": control, "label": label, "comments": n, "judgements": labels[control, label]}
                for (control, label), n in given.most_common()
            ],
            "by_kind": dict(Counter(kind for it in self.all for kind in it.kinds).most_common()),
        }
