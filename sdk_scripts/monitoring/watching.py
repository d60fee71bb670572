"""A project is watched: inspected, compared with the last inspection, its findings kept, told of and reviewed.

`look` writes nothing. `follow_up` opens review tasks, then keeps what is known now, then tells people: killed in
between, the same is done again and nothing is doubled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.results import project_key
from sdk_scripts.evidence import Evidence
from sdk_scripts.inspection import Finding, Inspection, inspect
from sdk_scripts.mining import review_tasks_for
from sdk_scripts.monitoring.alert_delivery import Delivery, deliver_if_possible, summary
from sdk_scripts.monitoring.alerts import RANKS
from sdk_scripts.monitoring.findings_state import Acknowledgement, Compared, Standing, Standings, acknowledged, compare
from sdk_scripts.monitoring.findings_store import FindingsStore
from sdk_scripts.quality import Quality, quality_of
from sdk_scripts.signals import Suspicion

if TYPE_CHECKING:
    from ml_backend.queues import Jobs
    from ml_backend.settings import Settings
    from sdk_scripts.review_project import Pushed
    from sdk_scripts.sources import Dataset

Report = Callable[[str], object]

REVIEWED = frozenset({"annotator", "guideline"})
"""Causes whose evidence is worth another look: an item's own trouble is a hard case already."""
SCORES = {"low": 0.5, "medium": 0.7, "high": 0.9}
"""How far a finding's most telling task is to be doubted; the others down to half of it."""
ONLY_A_FILE = "A file has no last inspection: every finding counts as new, and nothing is kept."


@dataclass(frozen=True)
class Shown:
    """Which findings are meant; empty: all."""

    rules: Collection[str] = ()
    annotators: Collection[str] = ()
    least: str = "low"

    def __call__(self, finding: Finding | Standing) -> bool:
        subject = finding.observation.subject if isinstance(finding, Finding) else finding.subject
        return (
            (not self.rules or finding.rule in self.rules)
            and (not self.annotators or subject in self.annotators)
            and RANKS[finding.severity] >= RANKS[self.least]
        )


EVERYTHING = Shown()


@dataclass(frozen=True)
class Watched:
    """An inspection and what became of it."""

    dataset: Dataset
    inspection: Inspection
    compared: Compared
    before: Standings
    known: Mapping[str, Acknowledgement]
    evidence: Evidence
    stored: bool
    """Whether there is a place for what is known: a project of Label Studio, not a file."""
    reviews: Mapping[str, Pushed] = field(default_factory=dict)
    """Rule -> the review tasks for its findings."""
    alert: Delivery | None = None
    applied: bool = False

    @property
    def aware(self) -> frozenset[str]:
        """Keys of findings that somebody has acknowledged."""
        return acknowledged(self.compared.standings.open.values(), self.known)

    def pending(self, shown: Shown = EVERYTHING) -> list[Finding]:
        """Findings that nobody has acknowledged, the weightiest first."""
        aware = self.aware
        return [it for it in self.inspection.findings if shown(it) and it.key not in aware]

    def to_json(self, shown: Shown = EVERYTHING) -> dict[str, Any]:
        aware = self.aware
        found = [self._finding(it) for it in self.inspection.findings if shown(it)]
        found_json = self.inspection.to_json()
        document = {
            "findings": [it for it in found if it["key"] not in aware],
            "acknowledged": [
                {**it, "acknowledged_at": self.known[it["key"]].at, "acknowledged_why": self.known[it["key"]].why}
                for it in found
                if it["key"] in aware
            ],
            "cleared": _listed(self.compared.standings.cleared.values(), shown),
            "away": _listed(self.compared.away, shown),
            "unseen": _listed(self.compared.unseen, shown),
            "tests": found_json["tests"],
            "measured": found_json["measured"],
            "dropped": found_json["dropped"],
            "compared_with": self.before.at or None,
            "stored": self.stored,
            "applied": self.applied,
        }
        if self.applied:
            document["reviews"] = {rule: it.to_json() for rule, it in self.reviews.items()}
            document["alert"] = summary(self.alert) if self.alert else None
        return document

    def _finding(self, it: Finding) -> dict[str, Any]:
        standing = self.compared.standings.open[it.key]
        state = self.compared.states[it.key]
        return {**it.to_json(), "state": state, "since": standing.since, "times": standing.times}


def look(
    dataset: Dataset,
    settings: Settings,
    *,
    quality: Quality | None = None,
    evidence: Evidence | None = None,
    now: datetime | None = None,
) -> Watched:
    """Inspect, and compare with what is kept. Raises ConfigError for rules that cannot be read, ModelUnavailable where
    what is kept cannot be reached."""
    now = now or datetime.now(UTC)
    evidence = evidence or Evidence.collect(dataset, settings)
    quality = quality or quality_of(dataset.project or {})
    found = inspect(dataset, settings, quality=quality, evidence=evidence, now=now)
    before, known = Standings(), {}
    if dataset.project is not None:
        store = FindingsStore(settings, project_key(dataset.project))
        before, known = store.standings(), store.acknowledgements()
    compared = compare(before, found, now)
    standings = replace(compared.standings, title=dataset.name, url=dataset.url or "", alert_from=quality.alert_from)
    compared = replace(compared, standings=standings)
    return Watched(dataset, found, compared, before, known, evidence, dataset.project is not None)


def follow_up(
    watched: Watched,
    settings: Settings,
    jobs: Jobs,
    *,
    reviewed: Iterable[Finding],
    report: Report = lambda message: None,
) -> Watched:
    """Review tasks for these findings, what is known is kept, alerts are sent. For one caller at a time (the lease of
    `queues.INSPECTING`). Raises InputError for a file, StudioError, ModelUnavailable; alerts raise nothing."""
    if watched.dataset.project is None:
        raise InputError("A file has no findings to keep.", mend="Name a project of Label Studio.")
    store = FindingsStore(settings, project_key(watched.dataset.project))
    reviews = open_reviews(watched, settings, reviewed, report)
    store.keep(watched.compared.standings)
    alert = deliver_if_possible(settings, jobs, store)
    return replace(watched, reviews=reviews, alert=alert, applied=True)


def open_reviews(
    watched: Watched, settings: Settings, findings: Iterable[Finding], report: Report = lambda message: None
) -> dict[str, Pushed]:
    """Review tasks for the evidence of findings that are an annotator's or the guideline's doing, the weightiest
    finding and its most telling task first, as many as the standard's budget of a run allows."""
    left = watched.evidence.standard.budget.a_run
    made: dict[str, Pushed] = {}
    for rule, doubts in suspicions(watched.evidence, findings).items():
        if left <= 0:
            report(f"The budget of a run is spent: the tasks of {rule} wait.")
            break
        pushed = review_tasks_for(
            watched.dataset,
            settings,
            doubts,
            signal=f"inspection:{rule}",
            budget=left,
            apply=True,
            evidence=watched.evidence,
            report=report,
        )
        made[rule] = pushed
        left -= pushed.created
    return made


def acknowledge(settings: Settings, project: Mapping[str, Any], key: str, why: str) -> Acknowledgement:
    """Somebody knows of an open finding, and why it stays. Raises InputError where there is none of that key, or no
    reason."""
    store = FindingsStore(settings, project_key(project))
    standings = store.standings()
    if (it := standings.open.get(key)) is None:
        listed = ", ".join(sorted(standings.open)[:20]) or "none (run `tiebreak inspect … --apply` first)"
        raise InputError(f"There is no open finding {key!r}; known: {listed}.", mend="Give a finding's `key`.")
    if not why.strip():
        raise InputError("An acknowledgement needs a reason.", mend="Add --why TEXT.")
    at = datetime.now(UTC).isoformat(timespec="seconds")
    it_is = Acknowledgement(key, why.strip()[:1_000], at, it.since, it.excess)
    store.acknowledge(it_is)
    return it_is


def suspicions(evidence: Evidence, findings: Iterable[Finding]) -> dict[str, dict[int, Suspicion]]:
    """Rule -> task -> why, each task with the weightiest finding that has it."""
    first = next((it.name for it in evidence.config.answerable), "")
    found: dict[str, dict[int, Suspicion]] = {}
    seen: set[int] = set()
    for finding in findings:
        if finding.blame.cause not in REVIEWED:
            continue
        it = finding.observation
        control = it.control or first
        tasks: Sequence[int] = [task for task in it.evidence if (control, task) not in evidence.settled]
        for place, task in enumerate(tasks):
            if task in seen or not control:
                continue
            seen.add(task)
            score = SCORES[finding.severity] * (1 - place / (2 * len(tasks)))
            found.setdefault(finding.rule, {})[task] = Suspicion(score, _detail(evidence, finding), control)
    return found


def _detail(evidence: Evidence, finding: Finding) -> str:
    """What a reviewer is told, who may not know whose labels these are."""
    it = finding.observation
    if not it.subject:
        return it.message
    if evidence.standard.blind:
        return f"Of one who labelled it: {it.message.replace(it.subject, 'this person')}"
    return f"Of {it.subject}, who labelled it: {it.message}"


def _listed(standings: Iterable[Standing], shown: Shown) -> list[dict[str, Any]]:
    return [it.to_json() for it in sorted(standings, key=lambda it: (-it.weight, it.key)) if shown(it)]
