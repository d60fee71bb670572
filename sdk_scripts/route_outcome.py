"""What a pass of `tiebreak route` found and did, for people and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ml_backend.labeling.audits import Watched
from ml_backend.policy import Accept, Stop, Tier
from sdk_scripts.route_decisions import Group
from sdk_scripts.route_promises import Promise

REASONS = 20


@dataclass
class Routing:
    """What a pass found, and did."""

    version: str
    applied: bool
    machine: int = 0
    """Tasks that have the machine's annotation or are to get it; the others are those nobody has touched."""
    human: int = 0
    expert: int = 0
    blind: int = 0
    seeded: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    """What differs from what there should be: annotations, predictions, overlaps, stop."""
    written: int = 0
    """Of those, what was written."""
    meanwhile: int = 0
    """Tasks that somebody touched before they were written."""
    promises: Mapping[Group, Promise] = field(default_factory=dict)
    watched: Watched = field(default_factory=Watched)
    pending: set[int] = field(default_factory=set)
    """Tasks whose audit waits for people."""
    accept: Accept | None = None
    stop: Stop | None = None
    notes: Counter[str] = field(default_factory=Counter)
    cost: dict[str, float] = field(default_factory=dict)
    """Of the large model, in this pass."""
    today: dict[str, float] = field(default_factory=dict)
    """And on this day (UTC), by whoever asked it for the project."""

    @property
    def open(self) -> bool:
        """Whether there is something to apply, or auto-accept stands still."""
        return self.stop is not None or (not self.applied and self.changes.total() > 0)

    def to_json(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "applied": self.applied,
            "tasks": self.machine + self.human + self.expert,
            "machine": self.machine,
            "human": self.human,
            "expert": self.expert,
            "blind": self.blind,
            "seeded": self.seeded,
            "audits": {
                "done": self.watched.audits,
                "errors": round(self.watched.errors, 3),
                "pending": len(self.pending),
                "evidence": round(self.watched.evidence, 3),
                "stops_at": round(1 / (1 - self.accept.certainty), 3) if self.accept else None,
                "tiers": [self._audited(tier) for tier in self.accept.tiers] if self.accept else [],
            },
            "stopped": self.stop.model_dump(mode="json") if self.stop else None,
            "thresholds": [promise.to_json(group) for group, promise in self.promises.items()],
            "notes": [{"reason": reason, "tasks": n} for reason, n in self.notes.most_common(REASONS)],
            "changes": {name: self.changes[name] for name in ("annotations", "predictions", "overlaps", "stop")},
            "written": self.written,
            "meanwhile": self.meanwhile,
            "cost": self.cost,
            "today": self.today,
        }

    def _audited(self, tier: Tier) -> dict[str, float]:
        done, errors = self.watched.tiers.get(tier.severity, (0, 0.0))
        return {"tier": tier.severity, "budget": tier.error, "done": done, "errors": round(errors, 3)}
