"""The local model first, the large model where it pays; what both say becomes one calibrated opinion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ml_backend.large_model import Cost
from ml_backend.outcomes import Outcomes
from ml_backend.prelabelers import Opinion


@dataclass(frozen=True)
class View:
    """What is thought of one task."""

    task: int
    opinions: Mapping[str, Opinion]
    """By control: final and calibrated."""
    by: Literal["local", "joint"] = "local"
    """Whether the large model was heard."""
    note: str = ""
    """Why it was not heard, wholly or in part, although that would have paid."""
    local: Mapping[str, Opinion] = field(default_factory=dict)
    """What the local model thinks alone."""
    large: Mapping[str, Opinion] = field(default_factory=dict)
    """What the large model said, recalibrated by itself."""
    cost: Cost | None = None
    """None where it was not asked."""


class Views(Protocol):
    """What `Cascade` offers to whoever routes tasks."""

    @property
    def version(self) -> str:
        """The local model's, as predictions bear it."""

    def views(self, tasks: Sequence[Mapping[str, Any]]) -> list[View]:
        """One a task, in order; `tasks` are Label Studio's JSON. Raises as `Predictor.views`."""

    def outcomes(self) -> Mapping[str, Outcomes]:
        """Control -> what became of joint opinions on labelled tasks where the large model is worth asking, each by a
        combination that had not seen the task's label: what a promise on opinions `by` "joint" may rest on. Empty
        where the large model has not answered any."""
