"""Which findings are new, which continue, which are cleared: one inspection of a project against the last one.

A finding that is found no more is cleared, unless nobody looked: a rule that was dropped for lack of evidence, or left
out, clears nothing. One that comes back within FLAPPING is no new one; and each time it has come back it has to stay
away for one more inspection in a row before it is cleared again, so that what is at the edge of a threshold is not told
of over and over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter

from ml_backend.labeling.results import read_time

if TYPE_CHECKING:
    from sdk_scripts.inspection import Finding, Inspection

State = Literal["new", "continuing"]

FLAPPING = timedelta(days=7)
KEPT = timedelta(days=30)
"""How long cleared findings are remembered."""
MOST_RETURNS = 4
"""Comings back that count."""
MOST_EVIDENCE = 10
WORSE = 1.5
"""Times as far beyond its threshold as when it was acknowledged: it is told of again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one finding over all inspections. Times are ISO 8601."""

    key: str
    rule: str
    subject: str
    control: str
    severity: str
    message: str
    cause: str
    value: float
    threshold: float
    n: int
    weight: float
    evidence: tuple[int, ...]
    since: str
    """When it was first found."""
    seen: str
    """When it was last found."""
    times: int = 1
    """Inspections that found it."""
    returns: int = 0
    """How often it came back."""
    away: int = 0
    """Inspections in a row that looked for it and did not find it."""
    cleared_at: str = ""

    @property
    def excess(self) -> float:
        """How far beyond the threshold."""
        return abs(self.value - self.threshold)

    @property
    def patience(self) -> int:
        """Inspections in a row without it after which it is cleared."""
        return 1 + min(self.returns, MOST_RETURNS)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "evidence": list(self.evidence)}

    @classmethod
    def from_json(cls, read: Mapping[str, Any]) -> Standing:
        """Raises ValueError for what is none."""
        return _STANDING.validate_python(read)


@dataclass(frozen=True)
class Standings:
    """Of a project, as the last inspection left them; by key."""

    at: str = ""
    """When that was; empty: there was none."""
    open: Mapping[str, Standing] = field(default_factory=dict)
    cleared: Mapping[str, Standing] = field(default_factory=dict)
    title: str = ""
    url: str = ""
    alert_from: str = "medium"

    def to_json(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in ("at", "title", "url", "alert_from")},
            "open": [it.to_json() for it in self.open.values()],
            "cleared": [it.to_json() for it in self.cleared.values()],
        }

    @classmethod
    def from_json(cls, read: Mapping[str, Any]) -> Standings:
        """Raises ValueError, KeyError or TypeError for what is none."""
        opened, cleared = (map(Standing.from_json, read[name]) for name in ("open", "cleared"))
        return cls(
            str(read["at"]),
            {it.key: it for it in opened},
            {it.key: it for it in cleared},
            str(read["title"]),
            str(read["url"]),
            str(read["alert_from"]),
        )


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody knows of a finding, and why it stays."""

    key: str
    why: str
    at: str
    since: str
    """Of the finding then: one that is found anew later is another one."""
    excess: float

    @classmethod
    def from_json(cls, read: Mapping[str, Any]) -> Acknowledgement:
        """Raises ValueError for what is none."""
        return _ACKNOWLEDGEMENT.validate_python(read)

    def holds(self, it: Standing) -> bool:
        """Whether the finding is the same, and not markedly worse."""
        return it.since == self.since and it.excess <= WORSE * self.excess + 1e-9


@dataclass(frozen=True)
class Compared:
    """One inspection against the last."""

    standings: Standings
    """As they are now."""
    states: Mapping[str, State]
    """Of what was found, by key."""
    cleared: tuple[Standing, ...]
    """By this inspection."""
    away: tuple[Standing, ...]
    """Not found, but not away for long enough to be cleared."""
    unseen: tuple[Standing, ...]
    """Their rule was dropped or left out: nobody looked."""


def compare(before: Standings, found: Inspection, now: datetime) -> Compared:
    stamp = now.isoformat(timespec="seconds")
    states: dict[str, State] = {}
    opened: dict[str, Standing] = {}
    for finding in found.findings:
        known = before.open.get(finding.key)
        if known is None and (gone := before.cleared.get(finding.key)) and _within(gone.cleared_at, now, FLAPPING):
            known = replace(gone, returns=gone.returns + 1)
        elif known is not None and known.away:
            known = replace(known, returns=known.returns + 1)
        states[finding.key] = "continuing" if known else "new"
        opened[finding.key] = _standing(finding, known, stamp)
    cleared, away, unseen = [], [], []
    for it in before.open.values():
        if it.key in opened:
            continue
        if it.rule not in found.measured:
            unseen.append(it)
        elif it.away + 1 < it.patience:
            away.append(replace(it, away=it.away + 1))
        else:
            cleared.append(replace(it, away=it.away + 1, cleared_at=stamp))
    opened |= {it.key: it for it in (*away, *unseen)}
    gone_before = {
        it.key: it for it in before.cleared.values() if it.key not in opened and _within(it.cleared_at, now, KEPT)
    }
    after = replace(before, at=stamp, open=opened, cleared=gone_before | {it.key: it for it in cleared})
    return Compared(after, states, tuple(cleared), tuple(away), tuple(unseen))


def acknowledged(standings: Iterable[Standing], known: Mapping[str, Acknowledgement]) -> frozenset[str]:
    """Keys of those that somebody knows of."""
    return frozenset(it.key for it in standings if it.key in known and known[it.key].holds(it))


def _standing(finding: Finding, known: Standing | None, stamp: str) -> Standing:
    it = finding.observation
    return Standing(
        finding.key,
        finding.rule,
        it.subject,
        it.control,
        finding.severity,
        it.message,
        finding.blame.cause,
        float(it.value),
        float(it.threshold),
        it.n,
        finding.weight,
        tuple(map(int, it.evidence[:MOST_EVIDENCE])),
        since=known.since if known else stamp,
        seen=stamp,
        times=known.times + 1 if known else 1,
        returns=known.returns if known else 0,
    )


def _within(stamp: str, now: datetime, time: timedelta) -> bool:
    at = read_time(stamp)
    return at is not None and now - at <= time


_STANDING, _ACKNOWLEDGEMENT = TypeAdapter(Standing), TypeAdapter(Acknowledgement)
