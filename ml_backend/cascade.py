"""The local model first, the large model where it pays; what both say becomes one calibrated opinion.

    cascade = Cascade(project_key, config, predictor=…, registry=…, encoder=…, large=LargeModel(…),
                      terms=policy.large_model, guidelines=…, labelled=tasks with annotations, cases=…, severity=…)
    cascade.views(tasks)

It pays where the local model is less sure than `below`, where the text is unlike anything labelled, where much is at
stake, and where nobody answers a control that has to be answered; the most worthwhile is asked first, so that a day's
budget goes as far as it can. How far the large model is trusted is learned from up to `learn_from` labelled tasks that
it answers like others, against a local model that has not seen their labels; that is kept in the model registry until
the model, the question or the guidelines change, or there are half as many labels again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
import structlog

from ml_backend.cases import Case
from ml_backend.encoder import Encoder
from ml_backend.joint_opinions import Joiner, Known, cross_fitted
from ml_backend.labeling.arms import Arms
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.errors import ModelUnavailable, NotEnoughLabels
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import Task
from ml_backend.large_model import Cost, Question, Reply
from ml_backend.lessons import Lessons
from ml_backend.model_registry import ModelRegistry
from ml_backend.outcomes import Outcomes, outcomes_of
from ml_backend.policy import LargeModel as Terms
from ml_backend.predictor import Predictor, task_id
from ml_backend.prelabelers import Opinion
from ml_backend.shots import nearest_precedents, readings_by_task, text_of
from ml_backend.training import out_of_fold
from ml_backend.trust import Trust
from ml_backend.worth import asked_controls, worth

log = structlog.stdlib.get_logger()

AGAIN_SECONDS = 3_600.0
"""How long trust holds that was learned while not all could be asked: the budget was spent, say."""

JsonTask = Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """What is thought of one task."""

    task: int
    """Label Studio's id; -1 where it has none."""
    opinions: Mapping[str, Opinion]
    """By control: final and calibrated."""
    by: Literal["local", "joint"] = "local"
    """Whether the large model was heard."""
    note: str = ""
    """Why it was not heard, wholly or in part, although that would have paid."""
    local: Mapping[str, Opinion] = field(default_factory=dict)
    """What the local model thinks alone."""
    large: Mapping[str, Opinion] = field(default_factory=dict)
    """What the large model said, recalibrated by itself."""
    cost: Cost | None = None
    """None where it was not asked."""


class Views(Protocol):
    """What `Cascade` offers to whoever routes tasks."""

    @property
    def version(self) -> str:
        """The local model's, as predictions bear it."""

    def views(self, tasks: Sequence[JsonTask]) -> list[View]:
        """One a task, in order; `tasks` are Label Studio's JSON. Raises as `Predictor.views`."""

    def outcomes(self) -> Mapping[str, Outcomes]:
        """Control -> what became of joint opinions on labelled tasks where the large model is worth asking, each by a
        combination that had not seen the task's label: what a promise on opinions `by` "joint" may rest on. Empty
        where the large model has not answered any."""

    def present(
        self, tasks: Sequence[JsonTask], opinions: Sequence[Mapping[str, Opinion]], arms: Arms
    ) -> list[dict[str, Any]]:
        """The predictions that show these opinions, as `Predictor.present`."""


class Asks(Protocol):
    """A large model, as `large_model.LargeModel` is one."""

    @property
    def id(self) -> str: ...

    def ask(
        self, config: LabelConfig, controls: Sequence[Control], guidelines: str, questions: Sequence[Question]
    ) -> list[Reply]: ...


class Cascade:
    """Of one project, for one pass over its tasks."""

    def __init__(
        self,
        project: str,
        config: LabelConfig,
        *,
        predictor: Predictor,
        registry: ModelRegistry,
        encoder: Encoder,
        large: Asks,
        terms: Terms,
        guidelines: str = "",
        labelled: Sequence[Task] = (),
        cases: Sequence[Case] = (),
        severity: Callable[[JsonTask], float] | None = None,
    ) -> None:
        """`labelled` are the project's tasks with annotations, arms opened; others among them do no harm. `severity`
        says how much is at stake in a task, from 0 on."""
        self._project, self._config, self._terms = project, config, terms
        self._predictor, self._registry, self._encoder, self._large = predictor, registry, encoder, large
        self._guidelines, self._cases, self._severity = guidelines, cases, severity
        self._controls = asked_controls(config)
        self._lessons = Lessons(config, self._controls, labelled, encoder)
        self.learning_cost: Cost = Cost(cached=True)
        """Of what was asked to learn how far to trust."""

    @property
    def version(self) -> str:
        return self._predictor.model_version(self._project, self._config)

    @cached_property
    def trust(self) -> Trust:
        """As it is kept, or learned now, which may ask up to `learn_from` questions. Raises ModelUnavailable."""
        kept = Trust.from_json(self._registry.read_trust(self._project), self._key, self._config)
        if kept is not None and kept.holds(len(self._lessons.tasks), time.time()):
            return kept
        learned = self._learn()
        try:
            self._registry.write_trust(self._project, learned.to_json(self._key))
        except ModelUnavailable as error:
            log.warning("trust is not kept", project=self._project, why=str(error))
        log.info("trust", project=self._project, model=self._large.id, asked=learned.asked, answered=learned.answered)
        return learned

    def outcomes(self) -> Mapping[str, Outcomes]:
        return self.trust.outcomes

    def present(
        self, tasks: Sequence[JsonTask], opinions: Sequence[Mapping[str, Opinion]], arms: Arms
    ) -> list[dict[str, Any]]:
        return self._predictor.present(self._project, self._config, tasks, opinions, arms)

    def views(self, tasks: Sequence[JsonTask]) -> list[View]:
        _, local = self._predictor.views(self._project, self._config, tasks)
        ids = [-1 if (id := task_id(task)) is None else id for task in tasks]
        views = [View(id, opinions, local=opinions) for id, opinions in zip(ids, local, strict=True)]
        worth = {i: it for i, task in enumerate(tasks) if (it := self._worth(task, local[i])) is not None}
        asked = sorted(worth, key=lambda i: (-worth[i], i))
        if not asked:
            return views
        trust = self.trust
        for i, reply in zip(asked, self._ask([(ids[i], tasks[i]["data"]) for i in asked]), strict=True):
            views[i] = self._joined(views[i], reply, trust)
        return views

    def _joined(self, view: View, reply: Reply, trust: Trust) -> View:
        joiners = {name: self._joiner(trust, name) for name in reply.opinions}
        joint = {name: joiners[name].joint(view.local.get(name), said) for name, said in reply.opinions.items()}
        return View(
            view.task,
            {**view.local, **joint},
            "joint" if joint else "local",
            reply.reason,
            view.local,
            {name: joiners[name].alone(said) for name, said in reply.opinions.items()},
            reply.cost,
        )

    def _joiner(self, trust: Trust, name: str) -> Joiner:
        return trust.joiners.get(name) or Joiner.fit(self._config[name], ())

    def _worth(self, task: JsonTask, local: Mapping[str, Opinion]) -> float | None:
        """How much the large model's word is worth; None where it does not pay."""
        if not isinstance(task, Mapping) or not isinstance(task.get("data"), Mapping):
            return None
        severity = self._severity(task) if self._severity else 0.0
        return worth(self._config, self._terms, local, severity)

    def _ask(self, tasks: Sequence[tuple[int, Mapping[str, Any]]]) -> list[Reply]:
        """`tasks` are ids and data."""
        readings = readings_by_task(self._config, self._controls, [it for _, it in tasks], self._encoder)
        texts = [text_of(it) for it in readings]
        examples = self._lessons.examples.nearest(texts, self._terms.examples)
        settled = nearest_precedents(
            self._cases, self._config, self._controls, texts, self._encoder, self._terms.precedents, datetime.now(UTC)
        )
        questions = [
            Question(id, it, readings[row], (*settled[row], *examples[row])) for row, (id, it) in enumerate(tasks)
        ]
        return self._large.ask(self._config, self._controls, self._guidelines, questions)

    def _learn(self) -> Trust:
        local = self._unseen()
        ids, paying = self._sample(local)
        known: dict[str, list[Known]] = {control.name: [] for control in self._controls}
        paid: dict[str, list[bool]] = {control.name: [] for control in self._controls}
        replies = self._ask([(id, self._lessons.tasks[id].data) for id in ids]) if ids else []
        for id, reply in zip(ids, replies, strict=True):
            self.learning_cost = self.learning_cost + reply.cost
            for name, said in reply.opinions.items():
                if id in self._lessons.answers.get(name, {}):
                    mine = local.get(name, {}).get(id)
                    known[name].append(Known(self._lessons.hashes[id], self._lessons.answers[name][id], mine, said))
                    paid[name].append(id in paying)
        answered = sum(bool(reply.opinions) for reply in replies)
        return Trust(
            {name: Joiner.fit(self._config[name], it) for name, it in known.items() if it},
            {name: made for name in known if (made := self._outcomes(name, known[name], paid[name])) is not None},
            len(self._lessons.tasks),
            len(ids),
            answered,
            time.time() + AGAIN_SECONDS if any(map(_failed, replies)) else 0.0,
        )

    def _sample(self, local: Mapping[str, Mapping[int, Opinion]]) -> tuple[list[int], set[int]]:
        """Labelled tasks to ask, drawn by the hash of their texts: those where asking pays, then others. And all those
        where it pays."""
        hashes = self._lessons.hashes
        known = {id for answers in self._lessons.answers.values() for id in answers if id in hashes}
        paying = {id for id in known if self._pays(id, local)}
        order = sorted(known, key=lambda id: (id not in paying, _drawn(hashes[id]), id))
        return order[: self._terms.learn_from], paying

    def _pays(self, id: int, local: Mapping[str, Mapping[int, Opinion]]) -> bool:
        own = {name: by_task[id] for name, by_task in local.items() if id in by_task}
        severity = 0.0
        if self._severity is not None and self._terms.severity_from is not None:
            severity = self._severity({"id": id, "data": self._lessons.tasks[id].data})
        return worth(self._config, self._terms, own, severity) is not None

    def _unseen(self) -> Mapping[str, Mapping[int, Opinion]]:
        """Control -> task -> what a local model thinks that has not seen its label. Without a trained version, the one
        that answers has seen none."""
        if not self._terms.learn_from or not self._lessons.tasks:
            return {}  # nothing is learned, so nothing need be fitted
        tasks = list(self._lessons.tasks.values())
        if self._registry.live(self._project) is not None:
            try:
                return out_of_fold(self._config, tasks, self._encoder)
            except NotEnoughLabels:
                return {}
        _, views = self._predictor.views(self._project, self._config, [{"id": it.id, "data": it.data} for it in tasks])
        return {
            name: {task.id: view[name] for task, view in zip(tasks, views, strict=True) if name in view}
            for name in dict.fromkeys(name for view in views for name in view)
        }

    def _outcomes(self, name: str, known: Sequence[Known], paid: Sequence[bool]) -> Outcomes | None:
        kind = kind_of(self._config[name])
        if kind is None or not any(paid):
            return None
        joint = cross_fitted(self._config[name], known)
        rows = [i for i, pays in enumerate(paid) if pays]
        texts = np.array([known[i].text for i in rows], np.uint64)
        return outcomes_of(kind, texts, [known[i].answer for i in rows], [joint[i] for i in rows])

    @cached_property
    def _key(self) -> str:
        """Of all that trust depends on, but for the labels."""
        terms = self._terms.model_dump(exclude={"tokens_a_day", "money_a_day", "input_price", "output_price"})
        trained = self._registry.live(self._project) is not None
        whole = [self._large.id, terms, self._config.xml, self._guidelines, self._encoder.id, trained]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode(errors="replace")).hexdigest()[:16]


def _failed(reply: Reply) -> bool:
    """Whether it says nothing because something went wrong: an abstention is kept in the cache, an answer that is not
    valid or did not come is not."""
    return not reply.opinions and not reply.cost.cached and not reply.cost.requests


def _drawn(text: int) -> bytes:
    """A random order that is always the same, and not that of the hashes, by which models pick their texts, too."""
    return hashlib.sha256(b"learn %d" % text).digest()
