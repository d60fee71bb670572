"""Is the lot accepted? What reviewers decided of its sample, against its labels and its plans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.sampling.estimate import Counted, Estimate, recall, share
from sdk_scripts.sampling.lots import Lot
from sdk_scripts.sampling.plans import Plan
from sdk_scripts.sampling.strata import severity_class, severity_of
from sdk_scripts.standards import Standard

Verdict = Literal["accepted", "rejected", "waiting"]
CLASSES = ("critical", "major", "minor")

ALL, HIGH = "all", "high risk"


@dataclass(frozen=True, slots=True)
class Unit:
    """An inspected task."""

    task: int
    label: str
    decided: str
    """Key of the reviewer's answer; "" where the task was deleted before anybody decided it: nobody can say any more
    that its label was right."""
    severity: str
    """Class of what is at stake: of the more severe of the two answers."""

    @property
    def nonconforming(self) -> bool:
        return self.label != self.decided


@dataclass(frozen=True)
class Part:
    """What one plan says."""

    name: str
    units: int
    plan: Plan
    counts: str
    """Which nonconforming units count: any, or critical ones."""
    inspected: int
    nonconforming: int
    """Of those that count."""

    @property
    def verdict(self) -> Verdict:
        if self.nonconforming > self.plan.accept:
            return "rejected"
        return "accepted" if self.inspected >= self.plan.n else "waiting"


@dataclass(frozen=True)
class Judged:
    """A lot with what is decided of it."""

    lot: Lot
    config: LabelConfig
    standard: Standard
    decided: Mapping[int, str]
    """Task -> key of what reviewers decided, of whatever tasks."""
    there: Collection[int]
    """The tasks that still exist."""

    @cached_property
    def units(self) -> dict[int, Unit]:
        """The inspected tasks, in the order of the draw: of the sample, and of the rest where people went on."""
        sample = frozenset(self.lot.sample)
        found = {}
        for task, label in self.lot.labels.items():
            if task in self.decided:
                found[task] = self._unit(task, label, self.decided[task])
            elif task in sample and task not in self.there:
                found[task] = self._unit(task, label, "")
        return found

    def _unit(self, task: int, label: str, decided: str) -> Unit:
        kind = kind_of(self.config[self.lot.control])
        severity = max(severity_of(kind, key, self.standard) for key in (label, decided) if key) if kind else 1.0
        return Unit(task, label, decided, severity_class(severity, self.lot.severe))

    @property
    def waiting(self) -> tuple[int, ...]:
        """Tasks of the sample that nobody has decided yet."""
        return tuple(task for task in self.lot.sample if task not in self.units)

    @property
    def rest(self) -> tuple[int, ...]:
        """Tasks beyond the sample that nobody has decided yet."""
        sample = frozenset(self.lot.sample)
        return tuple(
            task for task in self.lot.labels if task not in sample and task not in self.units and task in self.there
        )

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        found = [self._part(ALL, len(self.lot.labels), self.lot.plan, self.lot.sample_of_all, "any")]
        if self.lot.high:
            found.append(self._part(HIGH, len(self.lot.high), self.lot.zero, self.lot.sample_of_high, "critical"))
        return tuple(found)

    def _part(self, name: str, size: int, plan: Plan, sample: frozenset[int], counts: str) -> Part:
        inspected = [unit for task, unit in self.units.items() if task in sample]
        bad = [unit for unit in inspected if unit.nonconforming and counts in ("any", unit.severity)]
        return Part(name, size, plan, counts, len(inspected), len(bad))

    @property
    def found(self) -> dict[str, int]:
        """Nonconforming units of the sample by class."""
        sample = frozenset(self.lot.sample)
        counted = Counter(it.severity for it in self.units.values() if it.nonconforming and it.task in sample)
        return {name: counted[name] for name in CLASSES}

    @property
    def verdict(self) -> Verdict:
        """A critical nonconforming unit rejects the lot, in whatever stratum it was drawn; else all plans have to
        accept it. One that rejects needs no further inspection."""
        said = {part.verdict for part in self.parts}
        if self.found["critical"] or "rejected" in said:
            return "rejected"
        return "waiting" if "waiting" in said else "accepted"

    @property
    def nonconforming(self) -> int:
        """In the sample by ISO 2859-1, for switching."""
        return self.parts[0].nonconforming

    @property
    def error_rate(self) -> Estimate | None:
        """Share of wrong labels in the lot as it was labelled; None until its sample is decided: what reviewers
        happened to decide first is no random sample."""
        if self.waiting:
            return None
        return share([self._counted(stratum, lambda it: it.nonconforming) for stratum in self._strata])

    @property
    def violations_found(self) -> Estimate | None:
        """Recall: of the tasks that are critical violations, the share that were labelled so. None until the sample is
        decided, and where nothing is critical."""
        if self.waiting or self.lot.severe is None:
            return None
        domains = [
            frozenset(task for task in stratum if self._critical(self.lot.labels[task]) is labelled)
            for stratum in self._strata
            for labelled in (True, False)
        ]
        counted = [
            self._counted(domain, lambda it: bool(it.decided) and self._critical(it.decided)) for domain in domains
        ]
        return recall(counted[::2], counted[1::2])

    @cached_property
    def _strata(self) -> tuple[frozenset[int], frozenset[int]]:
        return self.lot.high, frozenset(self.lot.labels.keys() - self.lot.high)

    def _is_violation(self, unit: Unit) -> bool:
        return bool(unit.decided) and self._critical(unit.decided)

    def _critical(self, key: str) -> bool:
        known = self._severe_keys
        if key not in known:
            kind = kind_of(self.config[self.lot.control])
            severity = severity_of(kind, key, self.standard) if kind else 1.0
            known[key] = severity_class(severity, self.lot.severe) == "critical"
        return known[key]

    @cached_property
    def _severe_keys(self) -> dict[str, bool]:
        return {}

    def _counted(self, stratum: frozenset[int], has: Callable[[Unit], bool]) -> Counted:
        sample = stratum.intersection(self.lot.sample)
        inspected = [self.units[task] for task in (stratum if stratum <= self.units.keys() else sample)]
        return Counted(len(stratum), len(inspected), sum(map(has, inspected)))
