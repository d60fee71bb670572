"""Whom a label comes to too easily, or not easily enough: each person of a round against gold and against the others.

Both are paired: the same tasks, one answer against the other. A label is given too often where a person gives it in
more tasks against the right answer (or most of the others') than they leave it out in (the exact test of McNemar 1947).
All tests of a round that could tell anything are taken together (Benjamini & Hochberg 1995; which those are, their
number of disagreements alone says: Gilbert 2005).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl
from scipy.stats import binomtest

from ml_backend.labeling.annotator_agreement import NAN
from ml_backend.labeling.config import Control
from ml_backend.labeling.kinds import kind_of
from ml_backend.prelabelers import options
from sdk_scripts.calibration.answers import Answers
from sdk_scripts.calibration.gold import Gold
from sdk_scripts.inspection import benjamini_hochberg

_TELLING = 6
"""Disagreements; of fewer no outcome has a p-value of 0.05 or less."""

Against = Literal["gold", "others"]
Given = dict[int, dict[str, frozenset[str]]]
"""Item -> person -> labels given."""


@dataclass(frozen=True, slots=True)
class LabelUse:
    """How one person uses one label, in the tasks where there is something to hold it against."""

    annotator: str
    control: str
    label: str
    against: Against
    items: int
    given: int
    """Tasks that the person gave it."""
    expected: float
    """Tasks that are to have it: by gold, or by the mean share of the others."""
    over: int
    """Tasks that the person gave it against gold, or most of the others."""
    under: int
    p: float
    """Two-sided."""
    adjusted: float = 1.0

    def biased(self, false_discovery: float) -> Literal["over", "under"] | None:
        if self.adjusted > false_discovery:
            return None
        return "over" if self.over > self.under else "under"


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Whole answers against gold; NaN without any."""

    items: int
    right: int
    low: float = NAN
    high: float = NAN
    """Wilson."""

    @property
    def share(self) -> float:
        return self.right / self.items if self.items else NAN


def uses(answers: Answers, gold: Gold) -> list[LabelUse]:
    """Of every person, control with labels, and label that anybody gave or gold has."""
    found = [it for control in answers.config.answerable if options(control) for it in _uses(answers, gold, control)]
    adjusted = benjamini_hochberg([it.p if it.over + it.under >= _TELLING else None for it in found])
    return [replace(it, adjusted=1.0 if p is None else p) for it, p in zip(found, adjusted, strict=True)]


def accuracy(answers: Answers, gold: Gold, control: Control, annotator: str, certainty: float) -> Accuracy:
    rows = answers.table.filter((pl.col("control") == control.name) & (pl.col("annotator") == annotator))
    pairs = [
        (key, gold[control.name, item])
        for item, key in rows.select("task", "answer").iter_rows()
        if (control.name, item) in gold
    ]
    right = sum(key == known for key, known in pairs)
    return Accuracy(len(pairs), right, *wilson(right, len(pairs), certainty)) if pairs else Accuracy(0, 0)


def wilson(k: int, n: int, certainty: float) -> tuple[float, float]:
    """NaN for n = 0."""
    if not n:
        return NAN, NAN
    interval = binomtest(k, n).proportion_ci(certainty, method="wilson")
    return float(interval.low), float(interval.high)


def _uses(answers: Answers, gold: Gold, control: Control) -> Iterator[LabelUse]:
    kind = kind_of(control)
    if kind is None:
        return
    rows = answers.table.filter(pl.col("control") == control.name)
    given: Given = {}
    for item, who, key in rows.select("task", "annotator", "answer").iter_rows():
        given.setdefault(item, {})[who] = frozenset(kind.labels(kind.from_key(key)))
    right = {
        item: frozenset(kind.labels(kind.from_key(key)))
        for (name, item), key in gold.items()
        if name == control.name and item in given
    }
    names = {label for said in given.values() for labels in said.values() for label in labels}
    names |= {label for labels in right.values() for label in labels}
    for who in answers.round.plan.people:
        for label in sorted(names):
            known = {item: float(label in right[item]) for item in right if who in given[item]}
            yield from _use(who, control.name, label, "gold", given, known)
            yield from _use(who, control.name, label, "others", given, _share(given, who, label))


def _share(given: Given, who: str, label: str) -> dict[int, float]:
    """Item -> share of the others that gave the label."""
    found = {}
    for item, said in given.items():
        others = [label in labels for other, labels in said.items() if other != who]
        if who in said and others:
            found[item] = sum(others) / len(others)
    return found


def _use(
    who: str, control: str, label: str, against: Against, given: Given, expected: Mapping[int, float]
) -> Iterator[LabelUse]:
    if not expected:
        return
    mine = {item: label in given[item][who] for item in expected}
    over = sum(mine[item] and share < 0.5 for item, share in expected.items())
    under = sum(not mine[item] and share > 0.5 for item, share in expected.items())
    p = float(binomtest(over, over + under).pvalue) if over + under else 1.0
    yield LabelUse(
        who, control, label, against, len(expected), sum(mine.values()), sum(expected.values()), over, under, p
    )


def to_json(it: LabelUse, certainty: float, false_discovery: float) -> dict[str, Any]:
    low, high = wilson(it.given, it.items, certainty)
    return {
        "items": it.items,
        "given": it.given,
        "rate": it.given / it.items,
        "rate_low": low,
        "rate_high": high,
        "expected_rate": it.expected / it.items,
        "over": it.over,
        "under": it.under,
        "p": it.p,
        "adjusted_p": it.adjusted,
        "bias": it.biased(false_discovery),
    }
