"""Settled cases by meaning: what `tiebreak cases search` finds, and the precedents a language model is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from ml_backend.cases import Case, usable
from ml_backend.encoder import Encoder, look_of
from ml_backend.labeling.config import LabelConfig
from ml_backend.prelabelers import readings_of


@dataclass(frozen=True, slots=True)
class Found:
    case: Case
    text: str
    """What was read of it for its control; the text in its images, too, where the encoder reads images."""
    similarity: float
    """Cosine of the two texts' vectors, of the rationale's where that is nearer; comparable within one encoder only."""


def nearest(
    cases: Sequence[Case],
    config: LabelConfig,
    texts: Sequence[str],
    encoder: Encoder,
    most: int,
    *,
    rationales: bool = False,
) -> list[list[Found]]:
    """For each text the cases nearest in meaning, nearest first, equally near in the order given; at most `most`.

    With `rationales` a case is as near as its text or its rationale, whichever is nearer. Cases with nothing to read
    are never found. Raises ModelUnavailable.
    """
    read = _texts(cases, config, encoder)
    known = [i for i, text in enumerate(read) if text]
    if not known or not texts:
        return [[] for _ in texts]
    asked = encoder.encode(texts)
    similarities = asked @ encoder.encode([read[i] for i in known]).T
    if rationales and (said := [at for at, i in enumerate(known) if cases[i].rationale]):
        why = asked @ encoder.encode([cases[known[at]].rationale for at in said]).T
        similarities[:, said] = np.maximum(similarities[:, said], why)
    return [
        [Found(cases[known[at]], read[known[at]], float(row[at])) for at in np.argsort(-row, kind="stable")[:most]]
        for row in similarities
    ]


def prompt_precedents(
    cases: Sequence[Case],
    config: LabelConfig,
    control: str,
    texts: Sequence[str],
    encoder: Encoder,
    most: int,
    now: datetime,
) -> list[list[Found]]:
    """For each text the nearest precedents for one control that hold at `now`, nearest first: what a language model is
    shown before it answers. Their words are annotators': delimit them. Raises ModelUnavailable."""
    held = [case for case in usable(cases, "precedent", now) if case.control == control]
    return nearest(held, config, texts, encoder, most)


def _texts(cases: Sequence[Case], config: LabelConfig, encoder: Encoder) -> list[str]:
    look = look_of(encoder)
    found: dict[int, str] = {}
    for name in dict.fromkeys(case.control for case in cases):
        mine = [i for i, case in enumerate(cases) if case.control == name]
        readings = readings_of(config, config[name], [cases[i].data for i in mine], look)
        found |= {i: reading.text for i, reading in zip(mine, readings, strict=True)}
    return [found[i] for i in range(len(cases))]
