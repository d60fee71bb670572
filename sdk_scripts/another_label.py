"""The cheaper first step: one more annotator instead of a review.

A review settles a case; one more label, right with the annotators' measured reliability, settles part of it
(`labeling.second_labels`). It is asked for instead where it is expected to take away half of the doubt that a certain
answer would, or where the standard wants more judgements first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ml_backend.labeling.second_labels import worth_of_label
from sdk_scripts.evidence import Evidence

HALF = 0.5
"""Share of a review's worth from which another label is worth more than the review: it costs less than half of it,
because a review asks for cause, rationale and clause besides."""


@dataclass(frozen=True, slots=True)
class OneMore:
    """A task that waits for another annotator instead of a review."""

    task: int
    overlap: int
    """Annotations the task gets in all."""
    raised: bool
    """Whether that is one more than it was to get so far."""

    def to_json(self) -> dict[str, Any]:
        return {"task": self.task, "overlap": self.overlap, "raised": self.raised}


@dataclass(frozen=True)
class AnotherLabel:
    evidence: Evidence

    def share(self, control: str, task: int) -> float:
        """How much of the doubt that a certain answer would end one more label is expected to take away, 0–1; 0 where
        nobody has answered."""
        confidence = self._confidence.get((control, task))
        if confidence is None:
            return 0.0
        certain = float(worth_of_label(confidence, 1.0, self._answers[control])[0])
        label = float(worth_of_label(confidence, self._reliability, self._answers[control])[0])
        return label / certain if certain > 0 else 0.0

    @cached_property
    def _confidence(self) -> dict[tuple[str, int], float]:
        rows = self.evidence.consensus.items.drop_nulls("confidence").drop_nans("confidence")
        return {(row["control"], row["task"]): row["confidence"] for row in rows.iter_rows(named=True)}

    @cached_property
    def _reliability(self) -> float:
        from sdk_scripts.second_labels import reliability

        return reliability(self.evidence.consensus)

    @cached_property
    def _answers(self) -> dict[str, int]:
        from ml_backend.prelabelers import options

        controls = self.evidence.config.answerable
        return {control.name: max(2, sum(option.leaf for option in options(control))) for control in controls}
