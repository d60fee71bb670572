"""Annotators who saw the same task answered differently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations, groupby
from operator import itemgetter

import polars as pl

from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.kinds import Kind, kind_of
from sdk_scripts import wording
from sdk_scripts.signals import Evidence, Findings, Suspicion, register


@register("disagreement")
class Disagreement:
    """The mean distance between two annotators' answers to the task, by the distance of the control's kind: labels
    equal or not (sets of them by Jaccard), paths of a taxonomy by the ancestors they share, stars and numbers by how
    far apart they are, spans and boxes by how they overlap and whether they are labelled alike.

    0: all answers are equal; 1: no two have anything in common. A task with several controls counts with the one most
    disagreed about. Free text counts only where nothing else is asked: people who agree still write different
    rationales.

    Why care: whichever answer is kept, someone who read the guidelines would have given another one. The item is
    ambiguous, the guidelines have a gap, or somebody erred; training on such a label teaches noise.
    """

    weight = 0.3

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        found = Findings(evidence)
        if not any(n > 1 for n in evidence.annotators_of.values()):
            raise NotEnoughLabels(
                "No task was answered by two annotators.", mend="Give some tasks an overlap of 2 or more."
            )
        for name, kind in _compared(evidence.config):
            control = evidence.config[name]
            distances = _Distances(kind)
            said: dict[tuple[tuple[str, int], ...], tuple[float, str]] = {}
            for task, counts in _split(evidence, name):
                same = tuple(counts.items())
                if same not in said:
                    detail = wording.about(evidence.config, name, wording.votes(control, counts))
                    said[same] = distances.mean(counts), detail
                score, detail = said[same]
                if score > 0:
                    found.add(task, score, detail, name)
        return found.strongest


def _compared(config: LabelConfig) -> Iterator[tuple[str, Kind]]:
    kinds = [(control.name, kind) for control in config.answerable if (kind := kind_of(control))]
    only_text = all(kind.name == "text" for _, kind in kinds)
    return ((name, kind) for name, kind in kinds if only_text or kind.name != "text")


def _split(evidence: Evidence, control: str) -> Iterator[tuple[int, dict[str, int]]]:
    """For each task that people answered differently, how many gave each answer (by key)."""
    counted = evidence.judgements.filter(control=control).group_by("task", "answer").len()
    rows: Iterable[tuple[int, str, int]] = counted.filter(pl.len().over("task") > 1).sort("task", "answer").iter_rows()
    for task, group in groupby(rows, key=itemgetter(0)):
        yield task, {answer: n for _, answer, n in group}


class _Distances:
    """Distances of one kind by answer key, each worked out once."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._known: dict[tuple[str, str], float] = {}

    def mean(self, counts: dict[str, int]) -> float:
        """Over all pairs of annotators, in [0, 1]. `counts`: answer key -> annotators, in order of key."""
        n = sum(counts.values())
        apart = sum(counts[a] * counts[b] * self._between(a, b) for a, b in combinations(counts, 2))
        return apart / (n * (n - 1) / 2)

    def _between(self, a: str, b: str) -> float:
        if (a, b) not in self._known:
            distance = self._kind.distance(self._kind.from_key(a), self._kind.from_key(b))
            self._known[a, b] = min(1.0, max(0.0, float(distance)))
        return self._known[a, b]
