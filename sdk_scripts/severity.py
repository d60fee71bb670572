"""How bad it would be to have a task wrong: by the labels it was given, and the risk words in it.

The standard gives labels and words a severity; a label it does not name has 1. A label of a taxonomy has the severity
of those above it, where that is greater, by any of its names (`standards.names_of`). A task has the greatest severity
of the labels that people or the model gave it, and of its risk words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ml_backend.labeling.errors import ModelUnavailable, NotEnoughLabels
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.risk_words import risk_words
from sdk_scripts.standards import names_of

if TYPE_CHECKING:
    from sdk_scripts.evidence import Evidence


def severities(evidence: Evidence) -> dict[int, float]:
    """Task id -> severity, > 0; tasks without have 1."""
    standard = evidence.standard
    found: dict[int, float] = {}
    if standard.severity:
        for task, severity in _of_labels(evidence, standard.severity):
            found[task] = max(severity, found.get(task, 0.0))
    for task, risk in risk_words(evidence.texts, standard.risk_words).items():
        found[task] = max(risk.severity, found.get(task, 1.0))
    return found


def _of_labels(evidence: Evidence, severity: Mapping[str, float]) -> Iterator[tuple[int, float]]:
    kinds = {control.name: kind for control in evidence.config.answerable if (kind := kind_of(control))}
    known: dict[tuple[str, str], float] = {}
    for name, task, key in evidence.judgements.select("control", "task", "answer").iter_rows():
        if (name, key) not in known:
            known[name, key] = most_severe(kinds[name].labels(kinds[name].from_key(key)), severity)
        yield task, known[name, key]
    for view in ("stored", "opinions"):
        try:
            by_control = getattr(evidence, view)
        except (NotEnoughLabels, ModelUnavailable):
            continue
        for name, opinions in by_control.items():
            for task, opinion in opinions.items():
                yield task, most_severe(kinds[name].labels(opinion.answer), severity)


def most_severe(labels: tuple[str, ...], severity: Mapping[str, float]) -> float:
    """Of the labels of an answer (`Kind.labels`), by the standard's severity of each; 1 where there are none."""
    return max((_of_label(label, severity) for label in labels), default=1.0)


def _of_label(label: str, severity: Mapping[str, float]) -> float:
    return max((severity[name] for name in names_of([label]) if name in severity), default=1.0)
