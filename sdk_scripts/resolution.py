"""What became of the cases that `tiebreak resolve` looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Resolved:
    """A decision that was written, or would be."""

    task: int
    control: str
    answer: str
    """The kind's key, like `was`."""
    was: str | None
    """The consensus that the reviewers were shown; None where it was a tie or nobody had answered."""
    reviewer: str
    cause: str
    clause: str
    policy: str
    review: str
    annotation: int | None
    """In the source task; None before it is written."""

    @property
    def overturned(self) -> bool:
        return self.was is not None and self.was != self.answer

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "control": self.control,
            "answer": self.answer,
            "was": self.was,
            "overturned": self.overturned,
            "reviewer": self.reviewer,
            "cause": self.cause,
            "clause": self.clause,
            "policy": self.policy,
            "review": self.review,
            "annotation": self.annotation,
        }


@dataclass(frozen=True, slots=True)
class Left:
    """A case nothing was written for."""

    task: int | None
    control: str
    why: str

    def to_json(self) -> dict[str, Any]:
        return {"task": self.task, "control": self.control, "why": self.why}


@dataclass
class Resolution:
    """What became of the cases looked at, in order of task and control."""

    applied: bool
    resolved: list[Resolved] = field(default_factory=list)
    standing: int = 0
    """Decisions that were there already."""
    asked: list[Left] = field(default_factory=list)
    """Cases that get a third reviewer."""
    waiting: list[Left] = field(default_factory=list)
    conflicts: list[Left] = field(default_factory=list)
    """What only people can settle."""
    outdated: list[Left] = field(default_factory=list)
    """Decisions made under older guidelines than today's."""
    kept: int = 0
    """Decisions that became cases of the library."""

    @property
    def pending(self) -> bool:
        return bool(self.conflicts or (not self.applied and (self.resolved or self.asked)))

    def to_json(self) -> dict[str, Any]:
        return {
            "resolved": [one.to_json() for one in self.resolved],
            "overturned": sum(one.overturned for one in self.resolved),
            "conflicts": [one.to_json() for one in self.conflicts],
            "waiting": [one.to_json() for one in self.waiting],
            "asked": [one.to_json() for one in self.asked],
            "outdated": [one.to_json() for one in self.outdated],
            "standing": self.standing,
            "kept": self.kept,
            "applied": self.applied,
        }
