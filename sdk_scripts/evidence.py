"""What the signals look at: a dataset's judgements, their consensus, what the model thinks; each worked out once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from ml_backend.labeling.errors import ModelUnavailable, NotEnoughLabels
from ml_backend.labeling.judgements import judgements, latest
from ml_backend.labeling.results import Prediction, Task, answers

if TYPE_CHECKING:
    from ml_backend.cases import Case
    from ml_backend.encoder import Encoder
    from ml_backend.labeling.agreement import Agreement
    from ml_backend.labeling.config import LabelConfig
    from ml_backend.labeling.consensus import Consensus
    from ml_backend.prelabelers import Opinion
    from ml_backend.settings import Settings
    from sdk_scripts.sources import Dataset

Opinions = Mapping[str, Mapping[int, "Opinion"]]
"""Control name -> task id -> what a model thinks."""


@dataclass(frozen=True)
class Evidence:
    """Lazily computed views of one dataset, shared by all signals.

    Nothing in it depends on the order of the dataset's tasks.
    """

    dataset: Dataset
    load_encoder: Callable[[], Encoder] | None = None
    """How to get the encoder, asked only when a signal wants the model's out-of-fold opinions; None: without one."""

    @classmethod
    def collect(cls, dataset: Dataset, settings: Settings) -> Evidence:
        def load() -> Encoder:
            from ml_backend.encoder import load_encoder

            return load_encoder(settings)

        return cls(dataset, load)

    @property
    def config(self) -> LabelConfig:
        return self.dataset.config

    @cached_property
    def tasks(self) -> dict[int, Task]:
        """By id, in order of id."""
        return {task.id: task for task in sorted(self.dataset.tasks, key=lambda task: task.id)}

    @cached_property
    def encoder(self) -> Encoder:
        """Raises ModelUnavailable where there is none."""
        if self.load_encoder is None:
            raise ModelUnavailable("There is no encoder.")
        return self.load_encoder()

    @cached_property
    def judgements(self) -> pl.DataFrame:
        """Each annotator's last judgement of each control of each task (`labeling.judgements.SCHEMA`)."""
        return latest(judgements(self.tasks.values(), self.config))

    @cached_property
    def annotators_of(self) -> dict[tuple[str, int], int]:
        """How many people judged each (control, task)."""
        counted = self.judgements.group_by("control", "task").len()
        return {(control, task): n for control, task, n in counted.iter_rows()}

    @cached_property
    def split(self) -> frozenset[tuple[str, int]]:
        """The (control, task) pairs that people answered differently."""
        answers = self.judgements.group_by("control", "task").agg(pl.col("answer").n_unique())
        return frozenset((control, task) for control, task, n in answers.iter_rows() if n > 1)

    @cached_property
    def agreement(self) -> Agreement:
        from ml_backend.labeling.agreement import agreement

        return agreement(self.judgements, self.config)

    @cached_property
    def consensus(self) -> Consensus:
        from ml_backend.labeling.consensus import consensus

        return consensus(self.judgements, self.config)

    @cached_property
    def cases(self) -> list[Case]:
        """The source's settled precedents, in order of task; none for a file. Raises StudioError."""
        from ml_backend.cases import read_cases, usable

        if self.dataset.studio is None or self.dataset.project is None:
            return []
        now = datetime.now(UTC)
        return usable(read_cases(self.dataset.studio, self.dataset.project, self.config, now), "precedent", now)

    @property
    def opinions(self) -> Opinions:
        """What a model that never saw a task's labels thinks of it (out-of-fold), for labelled tasks.

        Raises NotEnoughLabels, with numbers, or ModelUnavailable.
        """
        found = self._out_of_fold
        if isinstance(found, NotEnoughLabels | ModelUnavailable):
            raise found
        return found

    @cached_property
    def _out_of_fold(self) -> Opinions | NotEnoughLabels | ModelUnavailable:
        from ml_backend.training import out_of_fold

        try:
            return out_of_fold(self.config, list(self.tasks.values()), self.encoder)
        except (NotEnoughLabels, ModelUnavailable) as missing:  # kept: the next signal need not train to hear it again
            return missing

    @cached_property
    def live_version(self) -> str | None:
        """The model version whose stored predictions count: the project's own where any prediction bears it, else that
        of the newest prediction (Label Studio numbers them in time); None where no prediction is stored."""
        newest: Prediction | None = None
        chosen = (self.dataset.project or {}).get("model_version") or None
        for task in self.tasks.values():
            for prediction in task.predictions:
                if chosen and prediction.model_version == chosen:
                    return chosen
                if newest is None or prediction.id > newest.id:
                    newest = prediction
        return newest.model_version if newest else None

    @cached_property
    def stored(self) -> Opinions:
        """What the live version predicted, as stored with the tasks; its probabilities are not stored.

        Raises ModelUnavailable where no prediction is stored.
        """
        if self.live_version is None:
            raise ModelUnavailable("No predictions are stored.", mend="Run `tiebreak prelabel` on the project.")
        return _stored(self.config, self.tasks.values(), self.live_version)


def _stored(config: LabelConfig, tasks: object, version: str) -> Opinions:
    from ml_backend.prelabelers import Opinion

    found: dict[str, dict[int, Opinion]] = {}
    for task in tasks:  # type: ignore[attr-defined]
        mine = [prediction for prediction in task.predictions if prediction.model_version == version]
        if not mine:
            continue
        prediction = max(mine, key=lambda prediction: prediction.id)
        for control, answer in answers(config, prediction.regions).items():
            confidence = _confidence(prediction, control)
            if confidence is not None:
                found.setdefault(control, {})[task.id] = Opinion(answer, confidence, {})
    return found


def _confidence(prediction: Prediction, control: str) -> float | None:
    """The lowest score of the control's regions, else the prediction's; None where there is no number in [0, 1]."""
    scores = [region.get("score") for region in prediction.regions if region.get("from_name") == control]
    given = [float(score) for score in scores if isinstance(score, int | float) and not isinstance(score, bool)]
    confidence = min(given) if given else prediction.score
    if confidence is None or not math.isfinite(confidence) or not 0 <= confidence <= 1:
        return None
    return confidence
