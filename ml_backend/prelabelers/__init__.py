"""Pre-labelers, one file each: ways to answer a control before a person does.

A pre-labeler makes a *head* for one control: a Starter from the label config alone, a Learner from labelled examples.
The head reads tasks and has an *opinion* on each, or none. Training asks every Learner and keeps the best head of each
control; a control without one is answered by a Starter's head, or left alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ml_backend.encoder import Encoder
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.kinds import Answer
from ml_backend.labeling.plugins import Registry
from ml_backend.prelabelers._contributions import Explains, Weighed
from ml_backend.prelabelers._folds import group_key, text_hash
from ml_backend.prelabelers._inputs import Inputs, Reading, place_of, readings_of
from ml_backend.prelabelers._options import Option, exclusive, options

__all__ = [
    "PRELABELERS",
    "Doubt",
    "Examples",
    "Explains",
    "Head",
    "Inputs",
    "Learned",
    "Learner",
    "Opinion",
    "Option",
    "Reading",
    "Starter",
    "State",
    "TrainedHead",
    "Weighed",
    "exclusive",
    "group_key",
    "learners",
    "options",
    "place_of",
    "readings_of",
    "register",
    "signature",
    "start",
    "text_hash",
]


@dataclass(frozen=True, slots=True)
class Doubt:
    """Ways of being unsure of one task, each from 0 (sure) to 1 (no idea); None where a head cannot tell."""

    least_confidence: float
    margin: float
    """1 − (the greatest probability − the second)."""
    entropy: float | None = None
    """Of the probabilities, over the most it can be."""
    neighbour_disagreement: float | None = None
    """How far the nearest labelled examples are from agreeing with the head."""
    distance: float | None = None
    """How far from anything labelled, as the share of labelled examples that are nearer to the others."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a head thinks of one task."""

    answer: Answer
    confidence: float
    """Calibrated probability, 0 to 1, that the answer is what the consensus will be."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """By label name (`Kind.labels`), the likeliest twenty of them; summing to 1 at most where one label is picked."""
    doubt: Doubt | None = None


@dataclass(frozen=True)
class Examples:
    """What people answered to one control: aligned, one entry a task. No input is empty."""

    tasks: tuple[int, ...]
    inputs: Inputs
    answers: tuple[Answer, ...]
    weights: np.ndarray
    """(n,) in (0, 1]: how sure the consensus is."""

    def __len__(self) -> int:
        return len(self.answers)


@dataclass(frozen=True)
class State:
    """A head as it is stored: JSON and arrays, never pickle."""

    fields: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


class Head(Protocol):
    """Answers one control. Immutable, hence shared by threads."""

    def opinions(self, inputs: Inputs) -> Sequence[Opinion | None]:
        """One for each input; None for what it cannot judge, such as an empty text. Raises ModelUnavailable."""


class TrainedHead(Head, Protocol):
    def state(self) -> State: ...


@dataclass(frozen=True)
class Learned:
    """A trained head, with what it thought of each example while it had not seen it."""

    prelabeler: str
    head: TrainedHead
    opinions: Sequence[Opinion | None]
    """Out of fold, aligned with the examples; None for those it could not use."""
    metrics: Mapping[str, Any]
    """JSON, see `_evaluation.evaluate`; and what the head says of itself."""


@runtime_checkable
class Starter(Protocol):
    name: str

    def start(self, config: LabelConfig, control: Control, encoder: Encoder) -> Head | None:
        """A head that needs no labels; None where this pre-labeler has none for the control."""


@runtime_checkable
class Learner(Protocol):
    name: str

    def learns(self, config: LabelConfig, control: Control) -> bool:
        """Whether it can learn this control, given enough examples."""

    def learn(self, config: LabelConfig, control: Control, examples: Examples) -> Learned:
        """A head from examples; the same ones, in any order, give the same head. Raises NotEnoughLabels, with numbers,
        where more are needed."""

    def load(self, control: Control, state: State) -> TrainedHead:
        """The head with that state. Raises whatever a damaged state leads to."""


PRELABELERS: Registry[Starter | Learner] = Registry("pre-labeler", __name__)
"""What a file in this folder registers an instance of: a Starter, a Learner or both."""
register = PRELABELERS.register_class


def signature(config: LabelConfig, control: Control) -> str:
    """16 hex digits that change when a head made for the control no longer fits it: another set of answers or labels,
    or other fields of task data to read, in another order or shown as something else. Hints, hotkeys and the order on
    the screen do not matter."""
    answers = sorted(repr(option.answer) for option in options(control)) or sorted(control.keys)
    own = [source.field for name in control.to_names if (source := config.source(name))]
    read = (control.to_tags, own, config.text_fields(control), *filter(None, [config.image_fields(control)]))
    parts = (control.name, control.tag.lower(), control.multiple, answers, read)
    return hashlib.sha256(repr(parts).encode(errors="replace")).hexdigest()[:16]


def learners(config: LabelConfig, control: Control) -> list[Learner]:
    """The pre-labelers that can learn the control."""
    return [it for _, it in PRELABELERS.items() if isinstance(it, Learner) and it.learns(config, control)]


def start(config: LabelConfig, control: Control, encoder: Encoder) -> Head | None:
    """The first head that a pre-labeler has for the control without labels, or None: it is left alone."""
    for _, prelabeler in PRELABELERS.items():
        if isinstance(prelabeler, Starter) and (head := prelabeler.start(config, control, encoder)):
            return head
    return None
