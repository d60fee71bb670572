"""What the live model's thresholds would accept at each risk, as the registry has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.results import project_key

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from sdk_scripts.sources import Dataset


@dataclass(frozen=True, slots=True)
class AcceptRisk:
    """One control's threshold for one error budget."""

    control: str
    error: float
    """The share of accepted answers that may be wrong."""
    confidence: float | None
    coverage: float
    """Of `labels` labelled tasks."""
    labels: int


@dataclass(frozen=True, slots=True)
class Accepting:
    """The live version's risks, and the policy in force."""

    version: str = ""
    """Empty: none is live."""
    risks: tuple[AcceptRisk, ...] = ()
    in_force: float | None = None
    """The error budget that auto-accept is run at now; None: it is off, or stands still."""
    audit: float = 0.1
    """Share of accepted tasks that people label blind."""


def accepting_of(dataset: Dataset, settings: Settings) -> Accepting:
    """Nothing for a file. Raises TiebreakError where the registry or the policy cannot be read."""
    from ml_backend.model_registry import ModelRegistry
    from ml_backend.policy import policy_of, stop_of

    if dataset.project is None:
        return Accepting()
    versions = ModelRegistry(settings.models).versions(project_key(dataset.project))
    live = next((it for it in versions if it.live), None)
    accept = policy_of(dataset.project).accept
    stands = stop_of(dataset.project) is not None
    return Accepting(
        version=live.version if live else "",
        risks=risks_of(live.metrics) if live else (),
        in_force=accept.tiers[0].error if accept and not stands else None,
        audit=accept.audit if accept else 0.1,
    )


def risks_of(metrics: Mapping[str, Any]) -> tuple[AcceptRisk, ...]:
    """Of a version's metrics (`prelabelers._evaluation.evaluate`, by control)."""
    return tuple(
        AcceptRisk(
            control, float(it["error"]), it["confidence"], float(it["coverage"] or 0.0), int(found["labels"] or 0)
        )
        for control, found in metrics.items()
        if isinstance(found, Mapping) and found.get("labels")
        for it in found.get("thresholds", ())
    )
