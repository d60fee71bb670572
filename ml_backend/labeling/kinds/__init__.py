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

Values that the control cannot hold (99 stars, a box of negative width, a number that is a string) are no answer; a
region among several that cannot be read is passed over.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

from ml_backend.labeling.config import PATH_SEPARATOR, Control, Label
from ml_backend.labeling.errors import UnknownName
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
register = KINDS.register_class


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


def values(regions: Sequence[Region]) -> Iterator[Mapping[str, Any]]:
    """The `value` of each region that has one."""
    for item in regions:
        value = item.get("value") if isinstance(item, Mapping) else None
        if isinstance(value, Mapping):
            yield value


def finite(value: Any) -> int | float | None:
    """A finite JSON number, whole ones as int (Label Studio writes 1 where Python would 1.0); None for anything else,
    True and "1" included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:  # an int that no float holds
        return None
    if not math.isfinite(found):
        return None
    return int(found) if abs(found) < 2**53 and found == int(found) else found


def string(value: Any) -> str | None:
    """A string that can be stored, halves of surrogate pairs replaced; None for anything else."""
    if not isinstance(value, str):
        return None
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def picked(control: Control, value: Any) -> tuple[str, ...]:
    """The label keys in a region's list of labels, each once, in the config's order; those it does not know last."""
    keys = {key for item in value if (key := string(item))} if isinstance(value, list) else set()
    return in_order(control, keys)


def in_order(control: Control, keys: Iterable[str]) -> tuple[str, ...]:
    """The order of clicking means nothing, so labels have the config's."""
    found = set(keys)
    if len(found) < 2:
        return tuple(found)
    rank = {key: position for position, key in enumerate(control.keys)}
    return tuple(sorted(found, key=lambda key: (rank.get(key, len(rank)), key)))


def label_of(control: Control, key: str) -> Label:
    """The label to write for this key. Raises UnknownName where the control cannot hold it."""
    for label in control.labels:
        if label.key == key:
            return label
    if not control.open:
        raise UnknownName(
            f"label of {control.name!r}", key, control.keys, mend="Results hold aliases where the config has them."
        )
    return Label(tuple(key.split(PATH_SEPARATOR)) if control.nested else (key,), key, key=key)


canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def one_line(words: str, limit: int = 120) -> str:
    """For people: control characters (text direction included) and runs of blanks as one space, shortened."""
    line = " ".join(_UNSEEN.sub(" ", words).split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def set_distance(a: Iterable[Hashable], b: Iterable[Hashable]) -> float:
    """Jaccard distance of two sets; two empty sets are equal."""
    left, right = set(a), set(b)
    union = len(left | right)
    return 1 - len(left & right) / union if union else 0.0
