"""Where texts stand among the labelled ones: how the nearest of those were labelled, and how near they are.

No text is its own neighbour, nor that of the same text in another task. Distances are only compared with those between
the labelled texts themselves: encoders differ in what is near.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ml_backend.labeling.config import Control
from ml_backend.labeling.kinds import kind_of

if TYPE_CHECKING:
    from sdk_scripts.evidence import Evidence

LEAST_TEXTS = 20
MOST_ANSWERS = 1_000
"""Different answers; where there are more, they are hardly labels."""
MOST_SHARES = 50_000_000
"""Texts times answers: 200 MB."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What a labelled text's neighbours say."""

    own_share: float
    """Of those with the task's own answer, 0–1."""
    other_share: float
    """Of those with the commonest other answer."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a text is from those labelled."""

    farther_than: float
    """The share of the labelled texts that are nearer to the others, 0–1."""
    unknown: float
    """0 for the nearest 95 % of the labelled texts; beyond them it grows towards 1 with the distance."""


@dataclass(frozen=True)
class Neighbourhood:
    labelled: Mapping[int, Neighbours]
    """Task -> what its neighbours say, for tasks that people agree on."""
    places: Mapping[int, Place]
    """Task -> where it is: tasks with an answer, and those that the live model has read."""


def neighbourhood(evidence: Evidence, control: Control) -> Neighbourhood | None:
    """Of one control; None where it has fewer than LEAST_TEXTS labelled texts, free answers, or too many of both.

    Raises ModelUnavailable.
    """
    from ml_backend.encoder import look_of
    from ml_backend.prelabelers import Inputs, readings_of
    from ml_backend.prelabelers._neighbours import Neighbours as Fitted

    kind = kind_of(control)
    if kind is None or kind.name in ("text", "number", "spans", "boxes"):
        return None
    agreed = evidence.consensus.items.filter(~pl.col("tied"), control=control.name)
    answers = {task: key for task, key in agreed.select("task", "answer").iter_rows() if task in evidence.tasks}
    if len(answers) < LEAST_TEXTS:
        return None
    encoder = evidence.encoder
    read = [*answers, *sorted(evidence.read_by_model - answers.keys())]
    readings = readings_of(evidence.config, control, [evidence.tasks[it].data for it in read], look_of(encoder))
    filled = [i for i, reading in enumerate(readings) if reading]
    tasks, inputs = [read[i] for i in filled], Inputs([readings[i] for i in filled], encoder)
    n = sum(task in answers for task in tasks)
    keys = [answers[task] for task in tasks[:n]]
    names, label = np.unique(np.array(keys, dtype=object).astype(str), return_inverse=True)
    if n < LEAST_TEXTS or len(names) > MOST_ANSWERS or n * len(names) > MOST_SHARES:
        return None
    item = dict(evidence.same_items.select("task", "item").iter_rows())
    apart = np.array([item.get(task, -task - 1) for task in tasks[:n]])
    targets = np.eye(len(names), dtype=np.float32)[label]
    fitted, near = Fitted.fit(inputs.vectors[:n], targets, np.ones(n), apart)
    strangeness = np.concatenate([near.strangeness, fitted.near(inputs.vectors[n:]).strangeness])
    farther, unknown = fitted.distance(strangeness).tolist(), fitted.unknown(strangeness).tolist()
    own = near.shares[np.arange(n), label]
    rest = near.shares.copy()
    rest[np.arange(n), label] = 0
    labelled = dict(zip(tasks[:n], map(Neighbours, own.tolist(), rest.max(axis=1).tolist()), strict=True))
    return Neighbourhood(labelled, dict(zip(tasks, map(Place, farther, unknown), strict=True)))
