"""What the signals look at: a dataset's judgements, their consensus, what the model thinks; each worked out once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from ml_backend.labeling.errors import ModelUnavailable, NotEnoughLabels
from ml_backend.labeling.judgements import AnswerReader, annotation_table, decisions, judgements, latest, of_annotators
from ml_backend.labeling.results import Prediction, Task
from ml_backend.labeling.task_data import lookup
from sdk_scripts.standards import Standard, standard_of

if TYPE_CHECKING:
    from ml_backend.cases import Case
    from ml_backend.encoder import Encoder
    from ml_backend.labeling.agreement import Agreement
    from ml_backend.labeling.config import LabelConfig
    from ml_backend.labeling.consensus import Consensus
    from ml_backend.prelabelers import Opinion
    from ml_backend.settings import Settings
    from sdk_scripts.neighbourhood import Neighbourhood
    from sdk_scripts.sources import Dataset

Opinions = Mapping[str, Mapping[int, "Opinion"]]
"""Control name -> task id -> what a model thinks."""
_AT = pl.coalesce("updated_at", "created_at")
_GOLD = {"control": pl.String(), "task": pl.Int64(), "gold_since": pl.Datetime("ms", "UTC")}


@dataclass(frozen=True)
class Evidence:
    """Lazily computed views of one dataset, shared by all signals.

    Nothing in it depends on the order of the dataset's tasks. A few tasks of a project are a dataset, too: what only
    the whole project tells is then given from outside.
    """

    dataset: Dataset
    load_encoder: Callable[[], Encoder] | None = None
    """How to get the encoder, asked only when a signal wants the model's out-of-fold opinions; None: without one."""
    given_opinions: Opinions | None = None
    """Instead of those worked out from the dataset."""
    given_consensus: Consensus | None = None

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
    def standard(self) -> Standard:
        """The project's; the default for a file. Raises ConfigError where it cannot be read."""
        return standard_of(self.dataset.project or {})

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
    def texts(self) -> dict[int, str]:
        """Task id -> all the text on its screen, without markup; tasks without text have none."""
        from ml_backend.prelabelers import readings_of

        asked = next(iter(self.config.answerable or self.config.controls), None)
        if asked is None:
            return {}
        readings = readings_of(self.config, asked, [task.data for task in self.tasks.values()])
        return {task: reading.text for task, reading in zip(self.tasks, readings, strict=True) if reading.text}

    @cached_property
    def same_items(self) -> pl.DataFrame:
        """[task, item, likeness], a row a task with text: `item` is the same for tasks whose texts are nearly the same
        and whose images are, `likeness` (0–1) how alike they are (see `same_texts`)."""
        from sdk_scripts.same_texts import same_texts

        group, likeness = same_texts(list(self.texts.values()))
        columns = {"task": list(self.texts), "text": group, "likeness": likeness, "images": self._images(self.texts)}
        rows = pl.DataFrame(columns, schema_overrides={"task": pl.Int64, "images": pl.String})
        item = pl.struct("text", "images").rank("dense").cast(pl.Int64).alias("item")
        return rows.with_columns(item).select("task", "item", "likeness")

    def _images(self, tasks: Iterable[int]) -> list[str]:
        fields = sorted(
            {source.field for source in self.config.sources if source.tag.lower() == "image"} - {None}, key=str
        )
        if not fields:
            return [""] * len(list(tasks))
        return [repr([lookup(self.tasks[task].data, str(field)) for field in fields]) for task in tasks]

    @cached_property
    def all_judgements(self) -> pl.DataFrame:
        """Every row of `labeling.judgements.SCHEMA`: people's earlier judgements and decisions of reviews, too."""
        return judgements(self.tasks.values(), self.config, self.annotations)

    @cached_property
    def annotations(self) -> pl.DataFrame:
        """A row an annotation, in order of task (`labeling.judgements.ANNOTATIONS`)."""
        return annotation_table(self.tasks.values())

    @cached_property
    def judgements(self) -> pl.DataFrame:
        """Each annotator's last judgement of each control of each task (`labeling.judgements.SCHEMA`)."""
        return latest(of_annotators(self.all_judgements))

    @cached_property
    def seen(self) -> pl.DataFrame:
        """What people made of what the machine showed them: `collaboration.referred` of everybody's last answers."""
        from sdk_scripts.collaboration import of_people, referred

        return referred(of_people(self.all_judgements), self.all_judgements)

    @cached_property
    def settled(self) -> frozenset[tuple[str, int]]:
        """The (control, task) pairs that a review decided, and that nobody answered otherwise since, gold questions
        left out: they are asked because the answer is known."""
        decided = decisions(self.all_judgements).select("control", "task", "answer", at=_AT)
        since = self.judgements.join(decided, on=["control", "task"], suffix="_decided")
        against = since.filter((pl.col("answer") != pl.col("answer_decided")) & (pl.col("at") < _AT))
        if not against.is_empty() and (asked := self._asked_as_gold):
            rows = [(control, task, at) for (control, task), at in asked.items()]
            gold = pl.DataFrame(rows, schema=_GOLD, orient="row")
            against = against.join(gold, on=["control", "task"], how="left").filter(
                pl.col("gold_since").is_null() | (pl.coalesce("created_at", _AT) < pl.col("gold_since"))
            )
        settled = decided.join(against, on=["control", "task"], how="anti").select("control", "task")
        return frozenset(settled.iter_rows())

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
        """Of the annotators, and of what the texts say where a model can learn it."""
        from ml_backend.joint_consensus import priors_of
        from ml_backend.labeling.consensus import consensus

        if self.given_consensus is not None:
            return self.given_consensus
        opinions = self._out_of_fold
        priors = priors_of(self.config, opinions) if isinstance(opinions, Mapping) else None
        return consensus(self.all_judgements, self.config, priors=priors)

    @cached_property
    def cases(self) -> list[Case]:
        """The source's settled precedents, in order of task; none for a file. Raises StudioError."""
        from ml_backend.cases import usable

        return usable(self._library, "precedent", datetime.now(UTC))

    @cached_property
    def _library(self) -> list[Case]:
        from ml_backend.cases import all_cases

        if self.dataset.studio is None or self.dataset.project is None:
            return []
        return all_cases(self.dataset.studio, self.dataset.project, self.config)

    @cached_property
    def _asked_as_gold(self) -> dict[tuple[str, int], datetime]:
        """(control, task) -> since when it has been a gold question, of all that are or were."""
        from sdk_scripts.gold.questions import asked_since

        return asked_since(self._library)

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

        if self.given_opinions is not None:
            return self.given_opinions
        try:
            return out_of_fold(self.config, list(self.tasks.values()), self.encoder)
        except (NotEnoughLabels, ModelUnavailable) as missing:  # kept: the next signal need not train to hear it again
            return missing

    @cached_property
    def neighbourhoods(self) -> Mapping[str, Neighbourhood]:
        """Control -> where the texts stand among those labelled; controls with too few labels have none.

        Raises ModelUnavailable.
        """
        from sdk_scripts.neighbourhood import neighbourhood

        found = {control.name: neighbourhood(self, control) for control in self.config.answerable}
        return {name: it for name, it in found.items() if it is not None}

    def severity_of(self, task: int) -> float:
        """How bad it would be to have the task wrong, by the project's standard (see `severity`); 1 is usual."""
        return self._severities.get(task, 1.0)

    @cached_property
    def _severities(self) -> dict[int, float]:
        from sdk_scripts.severity import severities

        return severities(self)

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
    def read_by_model(self) -> frozenset[int]:
        """The tasks that have a prediction of the live version."""
        live = self.live_version
        return frozenset(
            task.id for task in self.tasks.values() if any(it.model_version == live for it in task.predictions)
        )

    @cached_property
    def stored(self) -> Opinions:
        """What the live version predicted, as stored with the tasks; its probabilities are not stored.

        Raises ModelUnavailable where no prediction is stored.
        """
        if self.live_version is None:
            raise ModelUnavailable("No predictions are stored.", mend="Run `tiebreak prelabel` on the project.")
        return _stored(self.config, self.tasks.values(), self.live_version)


def _stored(config: LabelConfig, tasks: Iterable[Task], version: str) -> Opinions:
    from ml_backend.prelabelers import Opinion

    found: dict[str, dict[int, Opinion]] = {}
    read = AnswerReader(config)
    for task in tasks:
        mine = [prediction for prediction in task.predictions if prediction.model_version == version]
        if not mine:
            continue
        prediction = max(mine, key=lambda prediction: prediction.id)
        for control, answer in read(prediction.own).items():
            confidence = _confidence(prediction, control)
            if confidence is not None:
                found.setdefault(control, {})[task.id] = Opinion(answer, confidence, {})
    return found


def _confidence(prediction: Prediction, control: str) -> float | None:
    """The lowest score of the control's regions, else the prediction's; None where there is no number in [0, 1]."""
    scores = [region.get("score") for region in prediction.regions if region.get("from_name") == control]
    given = [float(score) for score in scores if type(score) is float or type(score) is int]
    confidence = min(given) if given else prediction.score
    if confidence is None or not math.isfinite(confidence) or not 0 <= confidence <= 1:
        return None
    return confidence
