"""One person's course, read back from its project in Label Studio: which sets there were, what was answered first, and
what was marked. Nothing of it is kept anywhere else.

Each task of a course has, beside what the source's annotators see, `data.tiebreak_panel`, which stands above the
controls, and

    data.tiebreak_course   {"stage": "exam", "attempt": 1, "set": 1, "policy": <of the guidelines>,
                            "first": {"answers": {control: key}, "at": …},   written when it was seen first
                            "marked": {"answers": {control: key}, "severity": 3.0, "void": ""}}   written at the end

so that nothing in the data of an unfinished task tells the answer. Label Studio Community keeps no history of an
annotation: an answer that was changed before anybody had seen it is not known any more, and does not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal

from ml_backend.labeling.answers import answers
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.kinds import finite, kind_of
from ml_backend.labeling.results import Annotation, Task
from sdk_scripts.satellites import ITEM, Satellite

Stage = Literal["practice", "exam"]

COURSE = "tiebreak_course"
PANEL = "tiebreak_panel"
_SAVING = timedelta(seconds=1)
"""Between the two times of an annotation that nobody changed since."""


@dataclass(frozen=True, slots=True)
class First:
    """The answer that counts."""

    answers: Mapping[str, str]
    """Control -> key; none for a task that was skipped."""
    at: str
    """ISO 8601."""

    def to_json(self) -> dict[str, Any]:
        return {"answers": dict(self.answers), "at": self.at}


@dataclass(frozen=True, slots=True)
class Marked:
    answers: Mapping[str, str]
    """Control -> key of the right answer."""
    severity: float = 1.0
    void: str = ""
    """Why the question does not count; empty where it does."""

    def to_json(self) -> dict[str, Any]:
        return {"answers": dict(self.answers), "severity": self.severity, "void": self.void}


@dataclass(frozen=True, slots=True)
class Asked:
    """A task of the course."""

    id: int
    data: Mapping[str, Any]
    item: str
    stage: Stage
    attempt: int
    set: int
    policy: str
    first: First | None = None
    """None: not answered yet, or the first answer is not known."""
    recorded: bool = False
    """Whether `first` stands in the data already."""
    edited: bool = False
    """The answer was changed or taken back after it was submitted."""
    marked: Marked | None = None
    now: Mapping[str, str] = field(default_factory=dict)
    """Control -> key of what the annotation says today."""
    others: tuple[str, ...] = ()
    """Who else answered it: that does not count."""

    @property
    def done(self) -> bool:
        return self.first is not None or self.edited

    @property
    def about(self) -> Mapping[str, Any]:
        return _mapping(self.data.get(COURSE))


@dataclass(frozen=True)
class Course:
    satellite: Satellite
    tasks: tuple[Asked, ...] = field(default=())
    """In order of id, which is that of asking."""

    @property
    def who(self) -> str:
        return self.satellite.about.who.lower()

    @cached_property
    def attempt(self) -> int:
        """Its number from 1; 0 before the first."""
        return max((it.attempt for it in self.tasks), default=0)

    def of(self, stage: Stage, attempt: int | None = None) -> list[Asked]:
        number = self.attempt if attempt is None else attempt
        return [it for it in self.tasks if it.stage == stage and it.attempt == number]

    @cached_property
    def current(self) -> list[Asked]:
        """The newest set of the newest attempt."""
        newest = self.of("exam") or self.of("practice")
        last = max((it.set for it in newest), default=0)
        return [it for it in newest if it.set == last]

    @property
    def waits(self) -> bool:
        """Whether a set is done and nothing has come of it yet."""
        return bool(self.tasks) and not self.over and all(it.done for it in self.current)

    @property
    def over(self) -> bool:
        """Whether the newest attempt has been marked to its end."""
        exam = self.of("exam")
        return bool(exam) and all(it.marked for it in exam)


def item_of(source_key: str, who: str, question: str) -> str:
    """What a course calls a question: it does not tell which task of the source it is."""
    return hashlib.sha256(f"{source_key}|{who.lower()}|{question}".encode()).hexdigest()[:16]


def read_course(satellite: Satellite, tasks: Iterable[Task], config: LabelConfig) -> Course:
    """`tasks` with the annotators' e-mails (`Studio.read`). What people made unreadable, or added, is passed over."""
    who = satellite.about.who.lower()
    asked = [it for task in tasks if (it := _asked(task, who, config)) is not None]
    return Course(satellite, tuple(sorted(asked, key=lambda it: it.id)))


def _asked(task: Task, who: str, config: LabelConfig) -> Asked | None:
    about = _mapping(task.data.get(COURSE))
    stage, attempt, number = about.get("stage"), about.get("attempt"), about.get("set")
    if stage not in ("practice", "exam") or not isinstance(attempt, int) or not isinstance(number, int):
        return None
    own = sorted((it for it in task.annotations if it.annotator.lower() == who), key=lambda it: it.id)
    first = _first(about)
    recorded = first is not None
    if first is not None:
        edited = not own or _keys(config, own[0]) != dict(first.answers)
    else:
        edited = bool(own) and _changed(own[0])
        if own and not edited:
            at = own[0].created_at
            first = First(_keys(config, own[0]), at.isoformat() if at else "")
    return Asked(
        id=task.id,
        data=task.data,
        item=str(task.data.get(ITEM) or ""),
        stage=stage,
        attempt=attempt,
        set=number,
        policy=str(about.get("policy") or ""),
        first=first,
        recorded=recorded,
        edited=edited,
        marked=_marked(about),
        now=_keys(config, own[0]) if own else {},
        others=tuple(sorted({it.annotator for it in task.annotations if it.annotator.lower() != who})),
    )


def _keys(config: LabelConfig, annotation: Annotation) -> dict[str, str]:
    if annotation.cancelled:
        return {}
    given = answers(config, annotation.regions)
    return {name: kind.key(answer) for name, answer in given.items() if (kind := kind_of(config[name]))}


def _changed(annotation: Annotation) -> bool:
    made, changed = annotation.created_at, annotation.updated_at
    if annotation.updated_by and annotation.updated_by.lower() != annotation.annotator.lower():
        return True
    return bool(made and changed and changed - made > _SAVING)


def _first(about: Mapping[str, Any]) -> First | None:
    said = about.get("first")
    if not isinstance(said, Mapping):
        return None
    return First(_texts(said.get("answers")), str(said.get("at") or ""))


def _marked(about: Mapping[str, Any]) -> Marked | None:
    said = about.get("marked")
    if not isinstance(said, Mapping):
        return None
    severity = finite(said.get("severity"))
    weight = float(severity) if severity is not None and severity > 0 else 1.0
    return Marked(_texts(said.get("answers")), weight, str(said.get("void") or ""))


def _texts(value: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in _mapping(value).items()}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
