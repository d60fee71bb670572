"""A project's labelled tasks, as a large model is shown some of them and tried on others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from ml_backend.encoder import Encoder
from ml_backend.examples import settled_answers
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.judgements import judgements, latest
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.labeling.results import Task
from ml_backend.large_model import Shot
from ml_backend.prelabelers import text_hash
from ml_backend.shots import Labelled, readings_by_task, text_of

LEAST_AGREED = 0.5
"""Consensus that is less sure than that is no example for anybody."""


class Lessons:
    """`tasks` have their arms opened: what is seeded, void or the machine's own is no judgement. Those without
    annotations are passed over."""

    def __init__(
        self, config: LabelConfig, controls: Sequence[Control], tasks: Iterable[Task], encoder: Encoder
    ) -> None:
        self.tasks = {task.id: task for task in tasks if task.annotations}
        self._config, self._controls, self._encoder = config, controls, encoder

    @cached_property
    def answers(self) -> Mapping[str, Mapping[int, Answer]]:
        """Control -> task -> the consensus."""
        return {name: {id: answer for id, (answer, _) in it.items()} for name, it in self._agreed.items()}

    @cached_property
    def hashes(self) -> Mapping[int, int]:
        """Task -> the hash of its text, of those that have one."""
        return {id: text_hash(text) for id, text in self._texts.items()}

    @cached_property
    def examples(self) -> Labelled:
        answers: dict[int, dict[str, Answer]] = {}
        for name, by_task in self._agreed.items():
            for id, (answer, confidence) in by_task.items():
                if confidence > LEAST_AGREED:
                    answers.setdefault(id, {})[name] = answer
        shots = [Shot(self._texts[id], own) for id, own in answers.items() if id in self._texts]
        return Labelled.of(shots, self._encoder)

    @cached_property
    def _agreed(self) -> Mapping[str, Mapping[int, tuple[Answer, float]]]:
        table = settled_answers(latest(judgements(self.tasks.values(), self._config)), self._config)
        found: dict[str, dict[int, tuple[Answer, float]]] = {}
        for id, name, key, confidence in table.select("task", "control", "answer", "confidence").iter_rows():
            if (kind := kind_of(self._config[name])) is not None:
                found.setdefault(name, {})[id] = kind.from_key(key), confidence
        return found

    @cached_property
    def _texts(self) -> Mapping[int, str]:
        data = [task.data for task in self.tasks.values()]
        readings = readings_by_task(self._config, self._controls, data, self._encoder)
        return {id: text for id, it in zip(self.tasks, readings, strict=True) if (text := text_of(it))}
