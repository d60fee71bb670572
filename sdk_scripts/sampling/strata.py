"""Which tasks of a lot are high-risk: where a severe violation may be, whoever sees it.

Rare violations are hardly ever in a sample of all tasks. So those where somebody or something sees one are a stratum of
their own, inspected by a zero-acceptance plan: a severe label by any annotator or by the model (which may be the one
that is right), a severe label that the model gives some probability, a risk word in the text.
"""

from __future__ import annotations

from collections.abc import Mapping

from ml_backend.labeling.errors import ModelUnavailable, NotEnoughLabels
from ml_backend.labeling.kinds import Kind, kind_of
from sdk_scripts.evidence import Evidence
from sdk_scripts.severity import most_severe
from sdk_scripts.standards import Standard

USUAL = 1.0
"""The severity of what the standard does not name."""


def severe_from(standard: Standard, zero_from: float | None) -> float | None:
    """The severity from which no wrong label is accepted; None where the standard names none above the usual."""
    named = [*standard.severity.values(), *standard.risk_words.values()]
    if not any(severity > USUAL for severity in named):
        return None
    return max(named) if zero_from is None else zero_from


def severity_of(kind: Kind, key: str, standard: Standard) -> float:
    """Of an answer, by its key."""
    return most_severe(kind.labels(kind.from_key(key)), standard.severity)


def severity_class(severity: float, severe: float | None) -> str:
    """critical, major or minor."""
    if severe is not None and severity >= severe:
        return "critical"
    return "major" if severity > USUAL else "minor"


def high_risk(
    evidence: Evidence, control: str, labels: Mapping[int, str], severe: float | None, seen_from: float
) -> frozenset[int]:
    """Of the tasks (id -> key of the label), those that are high-risk; none where nothing is severe."""
    kind = kind_of(evidence.config[control])
    if severe is None or kind is None:
        return frozenset()
    found = {task for task in labels if evidence.severity_of(task) >= severe}
    try:
        opinions = evidence.opinions.get(control, {})
    except (NotEnoughLabels, ModelUnavailable):
        return frozenset(found)
    for task, opinion in opinions.items():
        if task in labels and task not in found:
            chances = opinion.probabilities.items()
            seen = sum(p for label, p in chances if most_severe((label,), evidence.standard.severity) >= severe)
            if seen >= seen_from:
                found.add(task)
    return frozenset(found)
