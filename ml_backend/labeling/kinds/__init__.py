"""Kinds of control, one file each: how an answer is read, written, compared and shown.

An *answer* is an immutable, hashable Python value that says what one annotator answered to one control:

    choices    tuple of label keys, in the config's order      ("spam",)
    taxonomy   tuple of paths, ancestors first                  (("Food", "Fruit"),)
    rating     whole number of stars                            4
    number     float                                            12.5
    spans      tuple of Span                                    (Span(0, 5, ("Claim",)),)
    boxes      tuple of Box, in percent of the image            (Box(10, 10, 20, 20, 0, ("Logo",)),)
    pairwise   "left", "right" or "tie"                          "left"
    text       tuple of strings                                 ("Brand is not the seller's",)

Its `key` is a canonical JSON text: equal answers have equal keys, so tables hold keys and only geometry needs answers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

from ml_backend.labeling.config import Control
from ml_backend.labeling.plugins import Registry

Answer = Hashable
Region = Mapping[str, Any]  # one item of Label Studio's `result` list
Scale = Literal["nominal", "ordinal", "interval", "distance"]


class Kind(Protocol):
    """What a file in this folder registers an instance of."""

    name: str
    tags: tuple[str, ...]
    """Label Studio's control tags of this kind."""
    scale: Scale
    """How far apart two answers are: equal or not, by rank, by squared difference, or by `distance`."""

    def read(self, control: Control, regions: Sequence[Region]) -> Answer | None:
        """The answer in the regions whose `from_name` is this control; None where there is none that is valid."""

    def write(self, control: Control, answer: Answer) -> list[dict[str, Any]]:
        """The answer as Label Studio regions; `read` gives it back. Raises InputError for an answer the control
        cannot hold (an unknown label, say)."""

    def key(self, answer: Answer) -> str:
        """Canonical JSON."""

    def from_key(self, key: str) -> Answer:
        """The answer with that key."""

    def distance(self, a: Answer, b: Answer) -> float:
        """0 for equal answers, up to 1 for nothing in common; symmetric."""

    def labels(self, answer: Answer) -> tuple[str, ...]:
        """Names of the labels in the answer, for tables a label; empty for free answers."""

    def show(self, answer: Answer) -> str:
        """For people, on one line."""

    def example(self, control: Control) -> Answer:
        """Some answer the control can hold."""


KINDS: Registry[Kind] = Registry("kind of control", __name__)


def register(name: str) -> Callable[[type], type]:
    """Class decorator: registers an instance of the class, and gives it its `name`."""

    def add(cls: type) -> type:
        cls.name = name  # type: ignore[attr-defined]  # a class decorator cannot say that it adds an attribute
        KINDS.register(name)(cls())
        return cls

    return add


def kind_of(control: Control) -> Kind | None:
    """The kind of a control, or None where no kind knows its tag: such a control is left alone."""
    return _by_tag().get(control.tag.lower())


def _by_tag() -> dict[str, Kind]:
    if not _TAGS:
        _TAGS.update({tag.lower(): kind for _, kind in KINDS.items() for tag in kind.tags})
    return _TAGS


_TAGS: dict[str, Kind] = {}


def region(
    control: Control, value: Mapping[str, Any], *, to_name: str | None = None, id: str | None = None
) -> dict[str, Any]:
    """One Label Studio region of this control. Its type is the control's tag in lower case, as Label Studio has it."""
    made = {
        "from_name": control.name,
        "to_name": to_name or control.to_name,
        "type": control.tag.lower(),
        "value": dict(value),
    }
    return made if id is None else {"id": id, **made}


def set_distance(a: Iterable[Hashable], b: Iterable[Hashable]) -> float:
    """Jaccard distance of two sets; two empty sets are equal."""
    left, right = set(a), set(b)
    union = len(left | right)
    return 1 - len(left & right) / union if union else 0.0
