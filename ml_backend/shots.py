"""What a large model is shown beside a question: the nearest settled cases, and the nearest labelled tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np

from ml_backend.case_search import Found, prompt_precedents
from ml_backend.cases import Case
from ml_backend.encoder import Encoder, look_of
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.large_model import Shot
from ml_backend.prelabelers import Reading, group_key, readings_of

MOST_LABELLED = 20_000
"""Tasks that examples are looked for among: those with the smallest hashes of texts."""
_AT_ONCE = 500
_SPARE = 3
"""Precedents looked for beyond those wanted: some may be the asked text itself."""


@dataclass(frozen=True)
class Labelled:
    """Texts whose answers are known: what examples are picked from."""

    shots: tuple[Shot, ...]
    encoder: Encoder

    @classmethod
    def of(cls, shots: Iterable[Shot], encoder: Encoder) -> Labelled:
        some = {group_key(shot.text): shot for shot in shots if shot.text.strip() and shot.answers}
        return cls(tuple(some[key] for key in sorted(some)[:MOST_LABELLED]), encoder)

    def nearest(self, texts: Sequence[str], most: int) -> list[list[Shot]]:
        """For each text the nearest others, nearest first. Raises ModelUnavailable."""
        if not self.shots or not most or not texts:
            return [[] for _ in texts]
        found: list[list[Shot]] = []
        for start in range(0, len(texts), _AT_ONCE):
            some = texts[start : start + _AT_ONCE]
            similar = self.encoder.encode(some) @ self._vectors.T
            similar[np.array([group_key(text) for text in some], object)[:, None] == self._keys] = -np.inf
            near = np.argsort(-similar, axis=1, kind="stable")[:, :most]
            found += [
                [self.shots[i] for i in row.tolist() if np.isfinite(similar[at, i])] for at, row in enumerate(near)
            ]
        return found

    @cached_property
    def _vectors(self) -> np.ndarray:
        return self.encoder.encode([shot.text for shot in self.shots])

    @cached_property
    def _keys(self) -> np.ndarray:
        return np.array([group_key(shot.text) for shot in self.shots], object)


def nearest_precedents(
    cases: Sequence[Case],
    config: LabelConfig,
    controls: Sequence[Control],
    texts: Sequence[str],
    encoder: Encoder,
    most: int,
    now: datetime,
) -> list[list[Shot]]:
    """For each text the nearest precedents that hold at `now`, one a case whatever the number of its answers; never a
    case of that very text. Raises ModelUnavailable."""
    if not cases or not most:
        return [[] for _ in texts]
    found: list[list[Found]] = [[] for _ in texts]
    for control in controls:
        for place, of_control in enumerate(
            prompt_precedents(cases, config, control.name, texts, encoder, most + _SPARE, now)
        ):
            found[place] += of_control
    return [_of_cases(text, it, most) for text, it in zip(texts, found, strict=True)]


def readings_by_task(
    config: LabelConfig, controls: Sequence[Control], data: Sequence[Mapping[str, Any]], encoder: Encoder
) -> list[dict[str, Reading]]:
    """What is read of each task for each of the controls."""
    look = look_of(encoder)
    columns = {control.name: readings_of(config, control, data, look) for control in controls}
    return [{name: it[row] for name, it in columns.items()} for row in range(len(data))]


def text_of(readings: Mapping[str, Reading]) -> str:
    """What a task is looked up by: the first text that is read of it for any of its controls."""
    return next((reading.text for reading in readings.values() if reading.text), "")


def _of_cases(text: str, found: Sequence[Found], most: int) -> list[Shot]:
    own = group_key(text)
    shots: dict[tuple[int, int], Shot] = {}
    for it in sorted(found, key=lambda it: -it.similarity):
        if group_key(it.text) == own:
            continue
        case = it.case
        key = (case.project, case.task)
        so_far = shots.get(key, Shot(it.text, {}, case.rationale, precedent=True))
        shots[key] = replace(so_far, answers={**so_far.answers, case.control: case.answer})
    return list(shots.values())[:most]
