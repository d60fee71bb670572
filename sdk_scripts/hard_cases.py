"""Hard cases: the tasks whose label cannot be trusted yet, hardest first, with the reasons.

A task's score joins its signals by a noisy-or (Pearl, Probabilistic Reasoning in Intelligent Systems, 1988, 4.3.2):

    score = 1 − Π (1 − weight · suspicion)

that is, the probability that at least one signal is right, were they independent: it stays in [0, 1], grows with every
further signal, and one strong reason is enough. The weight of a signal is the standard's where that has one, else what
reviews have taught (`signal_weights`), else its own (`signals/`): a belief to start from.

Hardest is what does most harm if nobody looks: the score times the task's severity (`severity`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from ml_backend.labeling.errors import InputError, ModelUnavailable, NotEnoughLabels
from sdk_scripts.signals import SIGNALS, Evidence, Suspicion

if TYPE_CHECKING:
    from sdk_scripts.review_project import Pushed
    from sdk_scripts.sources import Dataset


LEAST = 1e-6
"""A doubt no larger is none: it would be shown as 0."""


@dataclass(frozen=True, slots=True)
class Reason:
    signal: str
    score: float
    """The signal's suspicion, 0–1, before weighting."""
    detail: str
    control: str


@dataclass(frozen=True, slots=True)
class HardCase:
    task: int
    score: float
    """0–1; see the module."""
    reasons: tuple[Reason, ...]
    """The one that counts most first."""
    severity: float = 1.0
    """> 0; 1 is usual."""

    @property
    def harm(self) -> float:
        """Expected, of leaving the case alone: by which cases are ranked."""
        return self.score * self.severity

    @property
    def control(self) -> str:
        """The control most in doubt: the one a reviewer decides."""
        return self.reasons[0].control


@dataclass(frozen=True)
class HardCases(Sequence[HardCase]):
    """The cases, hardest first; equally hard ones by task id."""

    items: list[HardCase]
    total: int
    """How many there were before the budget."""
    dropped: dict[str, str]
    """Signals that had no evidence to look at -> why."""
    weights: dict[str, float] = field(default_factory=dict)
    """Of every signal that was asked, as it counted."""
    review: Pushed | None = None
    """What was done about them, where review tasks were asked for."""

    @overload
    def __getitem__(self, index: int) -> HardCase: ...
    @overload
    def __getitem__(self, index: slice) -> list[HardCase]: ...
    def __getitem__(self, index: int | slice) -> HardCase | list[HardCase]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[HardCase]:
        return iter(self.items)

    def to_json(self) -> dict[str, Any]:
        items = [
            {
                "task": case.task,
                "score": round(case.score, 6),
                "severity": round(case.severity, 6),
                "harm": round(case.harm, 6),
                "reasons": [
                    {
                        "signal": reason.signal,
                        "score": round(reason.score, 6),
                        "detail": reason.detail,
                        "control": reason.control,
                    }
                    for reason in case.reasons
                ],
            }
            for case in self.items
        ]
        weights = {name: round(weight, 6) for name, weight in self.weights.items()}
        found = {"items": items, "total": self.total, "dropped": self.dropped, "weights": weights}
        return found | ({"review": self.review.to_json()} if self.review else {})


def find_hard_cases(
    dataset: Dataset, evidence: Evidence, budget: int | None = None, learned: Mapping[str, float] | None = None
) -> HardCases:
    """Rank the dataset's tasks; with a budget, only that many of the hardest. Not listed is a task that no signal
    suspects, or whose score is below the standard's `least_score`.

    `learned` are weights by signal. A signal whose evidence is missing (no overlap, too few labels, no model) is
    dropped and named. Raises InputError for a budget below 1, UnknownName for a signal of the standard that there is
    not, ConfigError for a standard that cannot be read.
    """
    if budget is not None and budget < 1:
        raise InputError(f"A budget of {budget} hard cases is no budget.", mend="Give --budget a number from 1 up.")
    weights = signal_weights(evidence, learned or {})
    found: dict[int, list[tuple[float, Reason]]] = {}
    dropped: dict[str, str] = {}
    for name, weight in weights.items():
        try:
            suspicions = SIGNALS[name](evidence)
        except (NotEnoughLabels, ModelUnavailable) as missing:
            dropped[name] = str(missing)
            continue
        for task, suspicion in suspicions.items():
            if weight * suspicion.score > LEAST:
                found.setdefault(task, []).append((weight * suspicion.score, _reason(name, suspicion)))
    cases = [_case(task, weighted, evidence.severity_of(task)) for task, weighted in found.items()]
    cases = [case for case in cases if case.score >= evidence.standard.least_score]
    cases.sort(key=lambda case: (-case.harm, case.task))
    return HardCases(cases[:budget], len(cases), dropped, weights)


def signal_weights(evidence: Evidence, learned: Mapping[str, float]) -> dict[str, float]:
    """Signal -> weight, those without left out. Raises UnknownName for a signal of the standard that there is not."""
    wanted = evidence.standard.signals
    for name in wanted:
        SIGNALS[name]
    weights = {name: wanted.get(name, learned.get(name, signal.weight)) for name, signal in SIGNALS.items()}
    return {name: weight for name, weight in weights.items() if weight > 0}


def _reason(signal: str, suspicion: Suspicion) -> Reason:
    return Reason(signal, suspicion.score, suspicion.detail, suspicion.control)


def _case(task: int, weighted: list[tuple[float, Reason]], severity: float) -> HardCase:
    weighted.sort(key=lambda item: (-item[0], item[1].signal))
    clear = 1.0
    for doubt, _ in weighted:
        clear *= 1 - doubt
    return HardCase(task, 1 - clear, tuple(reason for _, reason in weighted), severity)
