"""Hard-case signals, one file each: reasons not to trust a task's label yet.

A signal looks at the evidence and says how suspicious each task is, in [0, 1], and why, in a sentence a person
understands. Tasks it has nothing to say about are not in its answer. Where its evidence is missing altogether it raises
NotEnoughLabels or ModelUnavailable, and the ranking goes on without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ml_backend.labeling.plugins import Registry
from sdk_scripts.evidence import Evidence

__all__ = ["SIGNALS", "Evidence", "Findings", "Signal", "Suspicion", "register"]


@dataclass(frozen=True, slots=True)
class Suspicion:
    score: float
    """0 (nothing) to 1 (certainly not to be trusted)."""
    detail: str
    """One sentence for people."""
    control: str
    """The control whose answer is in doubt."""


class Signal(Protocol):
    """What a file in this folder registers an instance of. Its docstring is its documentation."""

    name: str
    weight: float
    """How far this signal alone convinces, in (0, 1]: with the score at 1, the probability it gives a task of being
    hard."""

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        """Task id -> suspicion. Raises NotEnoughLabels or ModelUnavailable where the evidence is missing."""


SIGNALS: Registry[Signal] = Registry("hard-case signal", __name__)
register = SIGNALS.register_class


@dataclass(frozen=True)
class Findings:
    """A signal's suspicions as they are found. What a review has settled is out of suspicion."""

    evidence: Evidence
    strongest: dict[int, Suspicion] = field(default_factory=dict)
    """A task with several controls is as suspicious as its most suspicious one; the earlier control wins a tie."""

    def add(self, task: int, score: float, detail: str, control: str) -> None:
        known = self.strongest.get(task)
        if score <= (known.score if known else 0.0) or task not in self.evidence.tasks:
            return
        if (control, task) not in self.evidence.settled:
            self.strongest[task] = Suspicion(min(1.0, score), detail, control)

    def add_item(self, task: int, score: float, detail: str) -> None:
        """Where the item itself is suspicious, whatever is asked about it: its first control is in doubt that is not
        settled."""
        settled = self.evidence.settled
        control = next((it.name for it in self.evidence.config.answerable if (it.name, task) not in settled), None)
        if control is not None:
            self.add(task, score, detail, control)
