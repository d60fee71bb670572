"""Simulated annotators who mark spans and boxes: they miss some, make some up, take one label for another, and draw
edges roughly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from unit.labeling.votes import table

from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.kinds import Kind, kind_of
from ml_backend.labeling.kinds.boxes import Box
from ml_backend.labeling.kinds.spans import Span

LABELS = ("Brand", "Price", "Contact")
_TAGS = "".join(f'<Label value="{label}"/>' for label in LABELS)
SPANS = parse(f'<View><Text name="t" value="$t"/><Labels name="c" toName="t">{_TAGS}</Labels></View>')
BOXES = parse(
    f'<View><Image name="t" value="$t"/><RectangleLabels name="c" toName="t">{_TAGS}</RectangleLabels></View>'
)


def kind(config: LabelConfig) -> Kind:
    found = kind_of(config["c"])
    assert found
    return found


@dataclass(frozen=True)
class Marked:
    config: LabelConfig
    truth: list[tuple[Any, ...]]
    said: list[tuple[int, str, tuple[Any, ...]]]

    def table(self) -> pl.DataFrame:
        return table([(task, who, kind(self.config).key(answer)) for task, who, answer in self.said])

    def f1(self, items: pl.DataFrame) -> float:
        """Mean similarity of the consensus to the truth."""
        it = kind(self.config)
        answers = [it.from_key(key) for key in items.sort("task")["answer"]]
        return float(np.mean([1 - it.distance(a, b) for a, b in zip(answers, self.truth, strict=True)]))


def marked(
    config: LabelConfig, seed: int, *, tasks: int = 120, each: int = 3, miss: float = 0.2, jitter: float = 2.0
) -> Marked:
    """`jitter` in characters or percent. The tenth of ten annotators is careless."""
    rng = np.random.default_rng(seed)
    drawn = _span if config is SPANS else _box
    truth, said = [], []
    for task in range(tasks):
        right = [(drawn(rng), LABELS[rng.integers(3)]) for _ in range(rng.integers(1, 5))]
        right = [it for n, it in enumerate(right) if n == 0 or all(abs(it[0][0] - o[0][0]) > 30 for o in right[:n])]
        truth.append(_answer(config, right))
        for person in rng.choice(10, each, replace=False):
            clumsy = 3.0 if person == 9 else 1.0
            marks = [
                (edges + rng.normal(scale=jitter * clumsy, size=len(edges)), label if rng.random() > 0.1 else "Price")
                for edges, label in right
                if rng.random() > min(0.8, miss * clumsy)
            ]
            marks += [(drawn(rng), LABELS[rng.integers(3)]) for _ in range(rng.poisson(0.2 * clumsy))]
            if answer := _answer(config, marks):
                said.append((task, f"p{person}", answer))
    judged = {task for task, _, _ in said}
    number = {task: place for place, task in enumerate(sorted(judged))}
    return Marked(config, [truth[task] for task in sorted(judged)], [(number[t], who, it) for t, who, it in said])


def _span(rng: np.random.Generator) -> np.ndarray:
    start = rng.integers(0, 380)
    return np.array([start, start + rng.integers(6, 30)], dtype=float)


def _box(rng: np.random.Generator) -> np.ndarray:
    x, y = rng.uniform(0, 70, 2)
    return np.array([x, y, x + rng.uniform(8, 28), y + rng.uniform(8, 28)])


def _answer(config: LabelConfig, marks: list[tuple[np.ndarray, str]]) -> tuple[Any, ...]:
    """Through the kind, as annotations are read."""
    made: list[Any] = []
    for edges, label in marks:
        low, high = edges[: len(edges) // 2], edges[len(edges) // 2 :]
        if config is SPANS:
            start = max(0, round(float(low[0])))
            made.append(Span(start, max(start + 1, round(float(high[0]))), (label,)))
        else:
            low, high = np.clip(low, 0, 98), np.clip(high, 1, 100)
            x, y, width, height = *low.tolist(), *np.maximum(high - low, 1).tolist()
            made.append(Box(x, y, width, height, 0, (label,)))
    return kind(config).read(config["c"], kind(config).write(config["c"], tuple(made))) or () if made else ()
