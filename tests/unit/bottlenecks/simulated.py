"""A labeling process whose every parameter is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from unit.analysis import exports

from ml_backend.labeling.judgements import judgements
from sdk_scripts.bottlenecks.work import Work, work_of

START = datetime(2026, 3, 2, tzinfo=UTC)
LABELS = ("negative", "positive")


@dataclass(frozen=True)
class Simulation:
    days: int = 28
    arrivals: float = 60.0
    """Tasks a day, at random moments."""
    wait: float = 6.0
    """Mean hours until somebody begins a task; exponential."""
    seconds: float = 20.0
    """Median lead time; lognormal with a spread of 0.5."""
    people: int = 4
    second: float = 0.0
    """Share of tasks that two people are to judge."""
    second_wait: float = 10.0
    """Mean hours between the two."""
    accuracy: float = 0.9
    changed: float = 0.0
    """Share of annotations changed after submission."""
    again: float = 0.0
    """Share of tasks that the same person labels once more."""
    skipped: float = 0.0
    """Share of tasks that somebody skips before."""
    review: float = 0.0
    """Mean hours from the second label to a decision, of tasks whose annotators differ; 0: nobody reviews."""
    open_tabs: float = 0.0
    """Share of annotations whose lead time is a day longer than it was."""
    seed: int = 1

    def tasks(self) -> list[dict[str, Any]]:
        chance = np.random.default_rng(self.seed)
        end = self.end
        count = chance.poisson(self.arrivals * self.days)
        made = []
        moments = np.sort(chance.uniform(0, self.days * 24, count))
        for id, hour in enumerate(moments, start=1):
            came = START + timedelta(hours=float(hour))
            truth = LABELS[chance.integers(2)]
            overlap = 2 if chance.random() < self.second else 1
            first, other = chance.permutation(self.people)[:2] if self.people > 1 else (0, 0)
            at = came + timedelta(hours=chance.exponential(self.wait))
            annotations = []
            if chance.random() < self.skipped:
                annotations.append(self._by(other, id * 10, at, truth, chance, was_cancelled=True))
            given = [self._by(first, id * 10 + 1, at, self._says(truth, chance), chance)]
            if chance.random() < self.again:
                later = at + timedelta(hours=1)
                given.append(self._by(first, id * 10 + 2, later, self._says(truth, chance), chance))
            if overlap == 2:
                at = _submitted(given[0]) + timedelta(hours=chance.exponential(self.second_wait))
                given.append(self._by(other, id * 10 + 3, at, self._says(truth, chance), chance, service=False))
            annotations += given
            if self.review and overlap == 2 and len({_label(it) for it in given}) > 1:
                at = _submitted(given[-1]) + timedelta(hours=chance.exponential(self.review))
                annotations.append(self._decision(id * 10 + 4, at, truth))
            there = [it for it in annotations if _submitted(it) <= end]
            made.append(exports.task(id, f"text {id}", there, created_at=came.isoformat(), overlap=overlap))
        return made

    @property
    def end(self) -> datetime:
        return START + timedelta(days=self.days)

    def work(self, **more: Any) -> Work:
        dataset = exports.dataset(self.tasks())
        return work_of(dataset, judgements(dataset.tasks, dataset.config), at=self.end, **more)

    def _says(self, truth: str, chance: np.random.Generator) -> str:
        return truth if chance.random() < self.accuracy else LABELS[1 - LABELS.index(truth)]

    def _by(
        self,
        who: int,
        id: int,
        begun: datetime,
        label: str,
        chance: np.random.Generator,
        *,
        service: bool = True,
        **more: Any,
    ) -> dict[str, Any]:
        """`service`: submitted when the lead time is over, else at `begun`."""
        lead = self.seconds * chance.lognormal(0, 0.5)
        at = begun + timedelta(seconds=lead) if service else begun
        updated = at + timedelta(minutes=10) if chance.random() < self.changed else at
        lead += 86_400 * (chance.random() < self.open_tabs)
        times = {"created_at": at.isoformat(), "updated_at": updated.isoformat(), "lead_time": lead}
        return exports.annotation(id, f"person-{who}@shop.example", exports.choice("sentiment", label), **times, **more)

    def _decision(self, id: int, at: datetime, truth: str) -> dict[str, Any]:
        region = {**exports.choice("sentiment", truth), "meta": {"tiebreak": {"review": f"9/{id}/1"}}}
        times = {"created_at": at.isoformat(), "updated_at": at.isoformat(), "lead_time": None}
        return exports.annotation(id, "expert@shop.example", region, ground_truth=True, **times)


def mean_seconds(median: float) -> float:
    """Of a lognormal time with a spread of 0.5."""
    return median * math.exp(0.5**2 / 2)


def _submitted(annotation: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(annotation["created_at"])


def _label(annotation: Mapping[str, Any]) -> str:
    return annotation["result"][0]["value"]["choices"][0]
