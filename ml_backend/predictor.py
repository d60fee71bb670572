"""Tasks in, predictions out, for the project's live version. Knows nothing of HTTP or queues.

Who answers is `plans`' business, what people see of it `presented`'s. A control nobody can answer is left out.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog

from ml_backend.assist import asked, others
from ml_backend.briefs import Brief, Briefs
from ml_backend.encoder import Encoder, look_of
from ml_backend.labeling.arms import Arms
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import ModelUnavailable
from ml_backend.labeling.results import Task
from ml_backend.model_registry import ModelRegistry
from ml_backend.plans import Plan, Plans
from ml_backend.prelabelers import (
    Head,
    Inputs,
    Opinion,
    Reading,
    text_hash,
)
from ml_backend.presented import Given, shown
from ml_backend.presenting import Presenter, read_each, task_id

log = structlog.stdlib.get_logger()

CONFIGS = 256
"""Label configs kept prepared for projects without a trained version."""
CONFIG_BYTES = 64_000_000
"""Of those: one with 1,000 labels takes about 2 MB. The one asked for last is kept even where it alone is larger."""
TRAINED_CONFIGS = 4
"""Label configs kept prepared for one trained version; a project has one at a time."""
WRITTEN_BYTES = 40_000_000
"""Of finished items remembered: 80,000 of a config with one control."""
OPINIONS = 100_000
"""Answers remembered, about 30 MB: a text that a head has read is not read again."""
REQUEST_SECONDS = 20.0
"""Of images, for one request of Label Studio's, which waits 100 s for all of it: an image that does not come in that
time is not read then. Batch pre-labeling and training take the time they need."""

Found = tuple[Given, float] | None
"""What is thought, and the doubt."""


@dataclass(frozen=True)
class Answers:
    model_version: str
    results: list[dict[str, Any]]
    """One a task: `{"result": […], "score": …, "model_version": …}`, or `{}` for no answer."""


@dataclass(frozen=True)
class Written:
    """Answers as JSON texts."""

    model_version: str
    items: list[str]
    """One a task, ASCII: what `Answers.results` has, "{}" for no answer."""


@dataclass(frozen=True)
class Doubts:
    """How unsure the model is of n tasks, and what it sees in them."""

    model_version: str
    confidence: np.ndarray
    """(n,) in [0, 1]: `score` of the prediction; NaN where there is none."""
    doubt: np.ndarray
    """(n,) in [0, 1]: 1 − (the greatest probability − the second) where a head tells, else 1 − confidence; that of the
    control most in doubt; NaN where there is no prediction."""
    vectors: np.ndarray
    """(n, d) float32 with unit rows: the text read for the first control answered; without any, the rows are zero."""


class Predictor:
    """Thread-safe, shared by all projects."""

    def __init__(
        self, registry: ModelRegistry, encoder: Encoder, *, image_seconds: float = math.inf, policy_secret: str = ""
    ) -> None:
        """`image_seconds` are those that one call may spend on fetching and reading images; `policy_secret` is that of
        the arms (`labeling.arms`)."""
        self._registry = registry
        self._encoder = encoder
        self._image_seconds = image_seconds
        self._policy_secret = policy_secret
        self._plans = Plans(registry, encoder)
        self._briefs = Briefs(registry)
        self._presenter = Presenter(encoder, image_seconds)
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[int, bytes], Found] = OrderedDict()
        self._written: OrderedDict[tuple[int, bytes], str] = OrderedDict()
        self._written_bytes = 0
        self._made = 0

    def model_version(self, project: str, config: LabelConfig) -> str:
        """The version that would answer now; loads no encoder. Raises InputError for a project key that is none, and
        ModelUnavailable where the registry cannot be read."""
        return self._plans.version(project, config)

    def predict(
        self,
        project: str,
        config: LabelConfig,
        tasks: Sequence[Mapping[str, Any]],
        context: Mapping[str, Any] | None = None,
    ) -> Answers:
        """One item a task, in order; `{}` where there is nothing to say, or the task is none.

        `score` is the confidence of the least certain control answered, so that the queue serves a task first where
        any of its answers is in doubt; each region's score is its own control's confidence. Where the project's policy
        has people label a task blind, `result` is empty; where it seeds, a label may be wrong. All items come from one
        version. `context` (of interactive requests) with spans in it asks for others like them (`assist`), and the
        result has no more; other contexts are answered like none. Raises ModelUnavailable where the encoder cannot be
        loaded.
        """
        plan = self._plans.of(project, config)
        if context is not None and asked(config, context):
            added = [others(config, it, context) if _is_task(it) else [] for it in tasks]
            return Answers(plan.version, [{"result": it, "model_version": plan.version} for it in added])
        brief = self._briefs.of(project)
        return Answers(plan.version, self._items(plan, config, tasks, brief, self._arms(brief)))

    def write(
        self,
        project: str,
        config: LabelConfig,
        tasks: Sequence[Mapping[str, Any]],
        context: Mapping[str, Any] | None = None,
    ) -> Written:
        """What `predict` answers, as JSON; items of texts answered before are remembered. Raises as `predict`."""
        if context is not None:
            answers = self.predict(project, config, tasks, context)
            return Written(answers.model_version, [_json(it) for it in answers.results])
        plan = self._plans.of(project, config)
        brief = self._briefs.of(project)
        arms = self._arms(brief)
        keys = [_key(plan, task, brief, arms) for task in tasks]
        items = [self._written.get(key) if key else None for key in keys]
        new = [i for i, item in enumerate(items) if item is None]
        if new:
            made = self._items(plan, config, [tasks[i] for i in new], brief, arms)
            for i, answer in zip(new, made, strict=True):
                items[i] = _json(answer)
            self._remember({key: item for i in new if (key := keys[i]) and (item := items[i])})
        return Written(plan.version, [item or "{}" for item in items])

    def written(self, project: str, xml: str, tasks: Sequence[Mapping[str, Any]]) -> Written | None:
        """What `write` answers, where that is known without reading a model or a config, encoding or waiting; else
        None. For the event loop: it takes microseconds a task."""
        plan, brief = self._plans.at_hand(project, xml), self._briefs.at_hand(project)
        if plan is None or brief is None:
            return None
        arms = self._arms(brief)
        items: list[str] = []
        for task in tasks:
            key = _key(plan, task, brief, arms)
            item = self._written.get(key) if key else None
            if item is None:
                return None
            items.append(item)
        return Written(plan.version, items)

    def _items(
        self, plan: Plan, config: LabelConfig, tasks: Sequence[Mapping[str, Any]], brief: Brief, arms: Arms
    ) -> list[dict[str, Any]]:
        given: list[dict[str, Given]] = [{} for _ in tasks]
        for i, found in self._found_for(plan, config, tasks):
            given[i] = {name: it for name, (it, _) in found.items()}
        return self._presenter.predictions(plan, config, tasks, given, brief, arms)

    def present(
        self,
        project: str,
        config: LabelConfig,
        tasks: Sequence[Mapping[str, Any]],
        opinions: Sequence[Mapping[str, Opinion]],
        arms: Arms,
    ) -> list[dict[str, Any]]:
        """What `predict` would answer if these `opinions`, one mapping a task, were what the live version thinks."""
        given = [{name: Given.of(opinion) for name, opinion in some.items()} for some in opinions]
        plan, brief = self._plans.of(project, config), self._briefs.of(project)
        return self._presenter.predictions(plan, config, tasks, given, brief, arms)

    def _arms(self, brief: Brief) -> Arms:
        return Arms(self._policy_secret, brief.policy.blind, brief.policy.seeded, brief.audits)

    def _remember(self, items: Mapping[tuple[int, bytes], str]) -> None:
        with self._lock:
            for key, item in items.items():
                if key not in self._written and self._plans.answering(key[0]):
                    self._written[key] = item
                    self._written_bytes += _size(item)
            self._forget()
            while self._written_bytes > WRITTEN_BYTES:
                self._written_bytes -= _size(self._written.popitem(last=False)[1])

    def _forget(self) -> None:
        """What models that are gone have said, whenever there is a new one."""
        if self._made == self._plans.made:
            return
        self._made = self._plans.made
        for key in [key for key in self._found if not self._plans.answering(key[0])]:
            del self._found[key]
        for key in [key for key in self._written if not self._plans.answering(key[0])]:
            self._written_bytes -= _size(self._written.pop(key))

    def doubts(self, project: str, config: LabelConfig, tasks: Sequence[Mapping[str, Any]]) -> Doubts:
        """What the same heads think of these tasks, for choosing what people should look at. Raises as `predict`."""
        plan = self._plans.of(project, config)
        confidence, doubt = np.full(len(tasks), np.nan), np.full(len(tasks), np.nan)
        for i, found in self._found_for(plan, config, tasks):
            if it := shown(config, {name: given for name, (given, _) in found.items()}, None):
                confidence[i] = min(it.scores.values())
                doubt[i] = max(found[name][1] for name in it.answers)
        vectors = np.zeros((len(tasks), self._encoder.dimension), np.float32)
        if plan.heads:
            control = config[next(iter(plan.heads))]
            read = [i for i, task in enumerate(tasks) if _is_task(task)]
            look = look_of(self._encoder, self._image_seconds)
            readings = read_each(config, control, [tasks[i]["data"] for i in read], look)
            some = [(i, reading) for i, reading in zip(read, readings, strict=True) if reading]
            if some:
                vectors[[i for i, _ in some]] = Inputs([reading for _, reading in some], self._encoder).vectors
        return Doubts(plan.version, confidence, doubt, vectors)

    def views(
        self, project: str, config: LabelConfig, tasks: Sequence[Mapping[str, Any]]
    ) -> tuple[str, list[dict[str, Opinion]]]:
        """The version, and of each task control -> what it thinks, whatever people are shown. Raises as `predict`."""
        plan = self._plans.of(project, config)
        read = [i for i, task in enumerate(tasks) if _is_task(task)]
        look = look_of(self._encoder, self._image_seconds)
        found: list[dict[str, Opinion]] = [{} for _ in tasks]
        for name, (_, head) in plan.heads.items():
            readings = read_each(config, config[name], [tasks[i]["data"] for i in read], look)
            some = [(i, reading) for i, reading in zip(read, readings, strict=True) if reading]
            opinions = head.opinions(Inputs([reading for _, reading in some], self._encoder)) if some else []
            for (i, _), opinion in zip(some, opinions, strict=True):
                if opinion is not None:
                    found[i][name] = opinion
        return plan.version, found

    def opinions(self, project: str, config: LabelConfig, tasks: Sequence[Task]) -> dict[str, dict[int, Opinion]]:
        """Control -> task id -> what the live version thinks, of the tasks whose texts it has not learned from: where
        they are labelled by now, it does not know. Raises ModelUnavailable where no version is trained yet."""
        model = self._plans.live(project)
        if model is None:
            raise ModelUnavailable("No version is trained yet.", mend="Label more tasks, or run `tiebreak train`.")
        learned_from = self._registry.load(project, model.info.version).learned_from  # the one that serves goes without
        look = look_of(self._encoder, self._image_seconds)
        found: dict[str, dict[int, Opinion]] = {}
        for name, (_, head) in self._plans.of(project, config).heads.items():
            learned = learned_from.get(name, np.zeros(0, np.uint64))
            readings = read_each(config, config[name], [task.data for task in tasks], look)
            new = [
                (task.id, reading)
                for task, reading in zip(tasks, readings, strict=True)
                if reading and not np.isin(np.uint64(text_hash(reading.key)), learned)
            ]
            opinions = head.opinions(Inputs([reading for _, reading in new], self._encoder)) if new else []
            known = {task: it for (task, _), it in zip(new, opinions, strict=True) if it is not None}
            if known:
                found[name] = known
        return found

    def _found_for(
        self, plan: Plan, config: LabelConfig, tasks: Sequence[Mapping[str, Any]]
    ) -> Iterator[tuple[int, dict[str, tuple[Given, float]]]]:
        """Place, and by control what is thought and how much it is doubted, of every task that has some."""
        read = [i for i, task in enumerate(tasks) if _is_task(task)]
        data = [tasks[i]["data"] for i in read]
        look = look_of(self._encoder, self._image_seconds)
        columns = {
            name: self._opinions(number, head, read_each(config, config[name], data, look))
            for name, (number, head) in plan.heads.items()
        }
        for row, i in enumerate(read):
            found = {name: opinion for name, column in columns.items() if (opinion := column[row]) is not None}
            if found:
                yield i, found

    def _opinions(self, number: int, head: Head, readings: Sequence[Reading]) -> list[Found]:
        keys = [(number, hashlib.blake2b(_packed(reading), digest_size=16).digest()) for reading in readings]
        with self._lock:
            found: dict[tuple[int, bytes], Found] = {key: self._found[key] for key in keys if key in self._found}
        new = {key: reading for key, reading in zip(keys, readings, strict=True) if reading and key not in found}
        if new:
            for key, opinion in zip(new, head.opinions(Inputs(list(new.values()), self._encoder)), strict=True):
                found[key] = _found(opinion)
            with self._lock:
                self._found.update({key: found[key] for key in new})
                self._forget()
                while len(self._found) > OPINIONS:
                    self._found.popitem(last=False)
        return [found.get(key) for key in keys]


_json = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def _found(opinion: Opinion | None) -> Found:
    if opinion is None:
        return None
    given = Given.of(opinion)
    doubt = 1 - given.confidence if opinion.doubt is None else min(1.0, max(0.0, opinion.doubt.margin))
    return given, doubt


def _is_task(task: object) -> bool:
    return isinstance(task, Mapping) and isinstance(task.get("data"), Mapping)


def _key(plan: Plan, task: Mapping[str, Any], brief: Brief, arms: Arms) -> tuple[int, bytes] | None:
    """Of the item that answers the task; None where its fields are not plain texts, or it depends on the task's id."""
    if not plan.fields or not _is_task(task):
        return None
    if arms.any and (id := task_id(task)) is not None and (arms.seals or arms.of(id) != "plain"):
        return None
    data = task["data"]
    texts = [data.get(field) for field in plan.fields]
    if not all(type(text) is str for text in texts):
        return None
    packed = "\0".join([*texts, *[str(len(text)) for text in texts], str(brief.number)])
    return plan.number, hashlib.blake2b(packed.encode(errors="surrogatepass"), digest_size=16).digest()


def _size(item: str) -> int:
    """In bytes, with its key."""
    return len(item) + 300


def _packed(reading: Reading) -> bytes:
    seen = [picture.digest for picture in reading.pictures]
    return "\0".join((reading.text, *reading.parts, *seen)).encode(errors="replace")
