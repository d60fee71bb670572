"""Hard-case signals, one file each: reasons not to trust a task's label yet.

A signal looks at the evidence and says how suspicious each task is, in [0, 1], and why, in a sentence a person
understands. Tasks it has nothing to say about are not in its answer. Where its evidence is missing altogether it raises
NotEnoughLabels or ModelUnavailable, and the ranking goes on without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ml_backend.labeling.plugins import Registry
from sdk_scripts.evidence import Evidence

__all__ = ["SIGNALS", "Evidence", "Signal", "Suspicion", "keep_strongest", "register"]


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


def keep_strongest(found: dict[int, Suspicion], task: int, suspicion: Suspicion) -> None:
    """A task with several controls is as suspicious as its most suspicious one; the earlier control wins a tie."""
    if task not in found or suspicion.score > found[task].score:
        found[task] = suspicion
