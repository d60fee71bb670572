"""Whether a newly trained version may replace the one that answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ml_backend.encoder import Encoder
from ml_backend.examples import text_hashes
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import InputError, ModelUnavailable
from ml_backend.model_registry import Model, ModelRegistry
from ml_backend.prelabelers import PRELABELERS, Examples, Learned, Learner, signature

LEAST_UNSEEN = 20
"""Labelled texts new to the live version that a direct comparison takes."""


def judge(
    project: str,
    config: LabelConfig,
    examples: Mapping[str, Examples],
    learned: Mapping[str, Learned],
    encoder: Encoder,
    registry: ModelRegistry,
) -> tuple[bool, str]:
    """Whether the candidate is at least as good as the live version, and why.

    Both are asked about the labelled texts that the live version has not learned from; the candidate answers out of
    fold, so neither has seen them. With too few of those, their out-of-fold accuracies are compared, each on its own
    labels. Worse means worse by two standard errors: else chance alone would keep every other model away, the more so
    as a candidate answers out of fold with four fifths of its labels.
    """
    live = registry.live(project)
    if live is None:
        return True, "It is the first trained version."
    try:
        incumbent = registry.load(project, live)
    except (ModelUnavailable, InputError) as problem:
        return True, f"The live version cannot be used: {problem}"
    if incumbent.info.config_fingerprint != config.fingerprint:
        return True, "The label config changed since the live version was trained."
    if incumbent.info.encoder != encoder.id:
        return True, "The encoder changed since the live version was trained."
    gains = np.concatenate([_gains(config, name, examples[name], it, incumbent) for name, it in learned.items()])
    if len(gains) >= LEAST_UNSEEN:
        error = float(gains.std(ddof=1)) / len(gains) ** 0.5
        better = float(gains.mean())
        said = f"{better:+.3f} (standard error {error:.3f}) in accuracy on {len(gains)} labels new to the live version"
    else:
        ours, n = _accuracy({name: it.metrics for name, it in learned.items()})
        theirs, m = _accuracy(incumbent.info.metrics)
        error = (ours * (1 - ours) / n + theirs * (1 - theirs) / m) ** 0.5
        better = ours - theirs
        said = f"out-of-fold accuracy {ours:.3f} on {n} labels, {theirs:.3f} on {m} before"
    if better >= -2 * error:
        return True, f"It is not worse than the live version: {said}."
    return False, f"It is worse than the live version: {said}."


def _gains(config: LabelConfig, name: str, examples: Examples, learned: Learned, incumbent: Model) -> np.ndarray:
    """1, 0 or -1 for each text the incumbent has not learned from: right where it is wrong, the same, the reverse."""
    head = incumbent.heads.get(name)
    if head is None or head.signature != signature(config, config[name]):
        return np.empty(0)
    new = np.flatnonzero(~np.isin(text_hashes(examples), incumbent.learned_from[name])).tolist()
    unseen = [i for i in new if learned.opinions[i] is not None]
    learner = PRELABELERS[head.prelabeler]
    if not unseen or not isinstance(learner, Learner):
        return np.empty(0)
    theirs = learner.load(config[name], head.state).opinions(examples.inputs.take(unseen))
    gains = []
    for i, their in zip(unseen, theirs, strict=True):
        ours, answer = learned.opinions[i], examples.answers[i]
        gains.append((ours is not None and ours.answer == answer) - (their is not None and their.answer == answer))
    return np.array(gains, dtype=np.float64)


def _accuracy(metrics: Mapping[str, Any]) -> tuple[float, int]:
    """Over all controls, and the number of labels behind it."""
    n = sum(it["labels"] for it in metrics.values())
    return sum(it["accuracy"] * it["labels"] for it in metrics.values()) / n, n
