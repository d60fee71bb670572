"""Simulated crowds whose truth is known."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
from unit.labeling.votes import choice, table

from ml_backend.labeling.annotator_models import Votes
from ml_backend.labeling.confidence import expected_calibration_error
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.consensus import consensus

SOURCE = '<Text name="t" value="$text"/>'


def choices(*labels: str, multiple: bool = False) -> LabelConfig:
    inner = "".join(f'<Choice value="{label}"/>' for label in labels)
    many = ' choice="multiple"' if multiple else ""
    return parse(f'<View>{SOURCE}<Choices name="c" toName="t"{many}>{inner}</Choices></View>')


class Crowd:
    """A simulated crowd: tasks with a true label, annotators with an accuracy or with confusions of their own."""

    def __init__(
        self,
        seed: int,
        *,
        tasks: int = 1000,
        people: int = 40,
        labels: int = 4,
        each: int = 3,
        accuracy: tuple[float, float] = (0.5, 0.95),
        spammers: float = 0.0,
        confused: bool = False,
        prior: list[float] | None = None,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.truth = rng.choice(labels, tasks, p=prior)
        chance = np.zeros((people, labels, labels))  # of each vote (last axis) given the truth
        for person in range(people):
            for label in range(labels):
                right = rng.uniform(*accuracy)
                wrong = rng.dirichlet(np.full(labels - 1, 0.3 if confused else 100.0)) * (1 - right)
                chance[person, label] = np.insert(wrong, label, right)
            if person < spammers * people:
                chance[person] = np.eye(labels)[person % labels] if person % 2 else 1 / labels
        unit = np.repeat(np.arange(tasks), each)
        person = np.concatenate([rng.choice(people, each, replace=False) for _ in range(tasks)])
        likely = chance[person, self.truth[unit]].cumsum(axis=1)
        value = (likely > rng.random((len(unit), 1))).argmax(axis=1)
        self.votes = Votes(unit, person, value, tasks, people, labels, np.full(tasks, -1))
        self.skill = np.einsum("pll->p", chance) / labels
        self.labels = labels

    def table(self) -> pl.DataFrame:
        votes = zip(self.votes.unit.tolist(), self.votes.annotator.tolist(), self.votes.value.tolist(), strict=True)
        return table([(task, f"p{person:03}", choice(f"l{label}")) for task, person, label in votes])

    def config(self) -> LabelConfig:
        return choices(*(f"l{label}" for label in range(self.labels)))

    def score(self, method: str) -> tuple[float, float]:
        """Accuracy and calibration error of a method's consensus."""
        items = consensus(self.table(), self.config(), method=method).items.sort("task")
        right = np.array([json.loads(key)[0] for key in items["answer"]]) == np.array([f"l{it}" for it in self.truth])
        return float(right.mean()), expected_calibration_error(items["confidence"].to_numpy(), right)
