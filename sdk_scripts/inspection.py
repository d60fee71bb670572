"""`tiebreak inspect`: every inspection rule on one dataset, and which of what they measured are findings.

A finding is beyond its rule's threshold and, where chance could have brought it there, stays so when all that was
tested in the run is taken together: the Benjamini-Hochberg procedure (Benjamini & Hochberg, JRSS B 57, 1995) holds the
expected share of findings that are mere chance at `false_discovery`. Findings are ranked by the severity of the rule
and of the tasks they are about, and each says whom to look at: the annotator, the item, or the guideline (`blame`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_backend.labeling.errors import ModelUnavailable, NotEnoughLabels
from sdk_scripts.blame import Blame, blame
from sdk_scripts.evidence import Evidence
from sdk_scripts.inspected import Inspected
from sdk_scripts.quality import Quality, quality_of
from sdk_scripts.rules import RULES, Observation, Rule

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from sdk_scripts.sources import Dataset

WEIGHTS = {"low": 1.0, "medium": 2.0, "high": 4.0}
LOOKED_AT = 50
"""Evidence tasks whose severity counts."""


@dataclass(frozen=True, slots=True)
class Finding:
    rule: str
    dimension: str
    severity: str
    observation: Observation
    adjusted: float | None
    """The p-value among all tests of the run; None: a fact."""
    weight: float
    """By which findings are ranked: of the rule, times the greatest severity among the evidence."""
    blame: Blame
    links: tuple[str, ...] = ()
    """Addresses of the evidence tasks; none for a file."""

    @property
    def key(self) -> str:
        """The same as long as it is about the same: what tells new findings from continuing ones."""
        return "|".join((self.rule, self.observation.subject, self.observation.control))

    def to_json(self) -> dict[str, Any]:
        it, rule = self.observation, RULES[self.rule]
        return {
            "key": self.key,
            "rule": self.rule,
            "dimension": self.dimension,
            "severity": self.severity,
            "subject": it.subject,
            "control": it.control,
            "value": round(float(it.value), 6),
            "threshold": round(float(it.threshold), 6),
            "n": it.n,
            "p": _rounded(it.p),
            "adjusted_p": _rounded(self.adjusted),
            "weight": round(self.weight, 4),
            "cause": self.blame.cause,
            "cause_why": self.blame.why,
            "evidence": list(it.evidence),
            "links": list(self.links),
            "message": it.message,
            "why": rule.why,
            "do": rule.do,
        }


@dataclass(frozen=True)
class Inspection:
    findings: tuple[Finding, ...]
    """The weightiest first."""
    tests: int
    """How many p-values there were."""
    measured: Mapping[str, int]
    """Rule -> how many subjects it could measure."""
    dropped: Mapping[str, str]
    """Rules that had no evidence to look at -> why."""

    def to_json(self) -> dict[str, Any]:
        return {
            "findings": [finding.to_json() for finding in self.findings],
            "tests": self.tests,
            "measured": dict(self.measured),
            "dropped": dict(self.dropped),
        }


def inspect(
    dataset: Dataset,
    settings: Settings,
    *,
    quality: Quality | None = None,
    evidence: Evidence | None = None,
    now: datetime | None = None,
) -> Inspection:
    """With the project's own rules where `quality` does not give others. Raises ConfigError for rules that cannot be
    read, UnknownName for one that there is not."""
    quality = quality or quality_of(dataset.project or {})
    evidence = evidence or Evidence.collect(dataset, settings)
    from sdk_scripts.blind_answers import blind_answers

    return inspect_with(
        Inspected(evidence, quality, now or datetime.now(UTC), lambda: blind_answers(dataset, settings))
    )


def inspect_with(inspected: Inspected) -> Inspection:
    quality, evidence = inspected.quality, inspected.evidence
    found: list[tuple[str, Rule, Observation]] = []
    measured: dict[str, int] = {}
    dropped: dict[str, str] = {}
    for name, rule in rules_of(quality):
        said = quality.rules.get(name)
        parameters = rule.parameters.model_validate(said if isinstance(said, dict) else {})
        try:
            observations = list(rule(inspected, parameters))
        except (NotEnoughLabels, ModelUnavailable) as missing:
            dropped[name] = str(missing)
            continue
        measured[name] = len(observations)
        found += ((name, rule, it) for it in observations)
    adjusted = benjamini_hochberg([it.p for _, _, it in found])
    findings = [
        _finding(name, rule, it, p, inspected)
        for (name, rule, it), p in zip(found, adjusted, strict=True)
        if it.off and (p is None or p <= quality.false_discovery)
    ]
    findings = [
        replace(finding, links=_links(evidence.dataset.link, finding.observation.evidence)) for finding in findings
    ]
    findings.sort(key=lambda it: (-it.weight, it.rule, it.observation.subject, it.observation.control))
    return Inspection(tuple(findings), sum(p is not None for p in adjusted), measured, dropped)


def rules_of(quality: Quality) -> Iterator[tuple[str, Rule]]:
    """Those that the project has not left out. Raises UnknownName for one that it names and there is not."""
    for name in quality.rules:
        RULES[name]
    return ((name, rule) for name, rule in RULES.items() if quality.rules.get(name) is not False)


def benjamini_hochberg(tested: Sequence[float | None]) -> list[float | None]:
    """Adjusted p-values, in order; None stays None."""
    places = [place for place, p in enumerate(tested) if p is not None]
    p = np.array([tested[place] for place in places], dtype=float)
    order = np.argsort(-p)
    least = np.minimum.accumulate(p[order] * len(p) / np.arange(len(p), 0, -1)) if len(p) else p
    found: list[float | None] = list(tested)
    for place, value in zip(order, least, strict=True):
        found[places[int(place)]] = min(1.0, float(value))
    return found


def _finding(name: str, rule: Rule, it: Observation, adjusted: float | None, inspected: Inspected) -> Finding:
    worst = max((inspected.evidence.severity_of(task) for task in it.evidence[:LOOKED_AT]), default=1.0)
    weight = WEIGHTS[rule.severity] * worst
    return Finding(name, rule.dimension, rule.severity, it, adjusted, weight, blame(inspected, it))


def _links(link: Callable[[int], str | None], tasks: Iterable[int]) -> tuple[str, ...]:
    return tuple(address for task in tasks if (address := link(task)))


def _rounded(p: float | None) -> float | None:
    return None if p is None else float(f"{p:.4g}")
