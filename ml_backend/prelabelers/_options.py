"""The answers that a control with labels offers, one label at a time, and what each means in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ml_backend.labeling.config import PATH_SEPARATOR, Control, Label
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.labeling.kinds.rating import most_stars

MOST_STARS = 20
"""A rating with more is a number, and numbers are not pre-labeled."""
_QUALITY = frozenset(
    {"rating", "ratings", "star", "stars", "review", "quality", "satisfaction", "sentiment", "opinion"}
)
_DEGREES = ("very low", "low", "medium", "high", "very high")
_VERDICTS = ("terrible", "bad", "average", "good", "excellent")
_JOINT = re.compile(r"[_\-./:\s]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Option:
    """`name` is what tables call the label (`Kind.labels`), `words` what a reader would understand by it. `leaf` is
    false for a label with others below it."""

    answer: Answer
    name: str
    words: str
    leaf: bool = True


def options(control: Control) -> tuple[Option, ...]:
    """In the config's order; none where the answers are free, or labels come from task data or from annotators."""
    kind = kind_of(control)
    read = _BY_KIND.get(kind.name) if kind else None
    return read(control) if read else ()


def exclusive(control: Control) -> bool:
    """Whether the config lets an annotator give only one of the options."""
    kind = kind_of(control)
    if kind is not None and kind.name == "taxonomy":
        return control.number("maxUsages", 0) == 1
    return not control.multiple


def _choices(control: Control) -> tuple[Option, ...]:
    return tuple(
        Option((label.key,), label.key, words, leaf)
        for label, words, leaf in _described(control)
        if leaf or not control.nested
    )


def _taxonomy(control: Control) -> tuple[Option, ...]:
    return tuple(
        Option((label.path,), PATH_SEPARATOR.join(label.path), words, leaf)
        for label, words, leaf in _described(control)
        if leaf or not control.flag("leafsOnly")
    )


def _rating(control: Control) -> tuple[Option, ...]:
    most = most_stars(control)
    if not 1 < most <= MOST_STARS:
        return ()
    asked = split_name(control.name)
    about_quality = bool(_QUALITY.intersection(asked.split()))
    scale = _VERDICTS if about_quality else _DEGREES
    made = []
    for stars in range(1, most + 1):
        degree = scale[round((stars - 1) / (most - 1) * (len(scale) - 1))]
        words = f"{stars} star{'s' * (stars > 1)} of {most}: {degree}" if about_quality else f"{degree} {asked}"
        made.append(Option(stars, str(stars), words))
    return tuple(made)


def _described(control: Control) -> list[tuple[Label, str, bool]]:
    """Each label with its words (ancestors, name, alias where it says more, hint), and whether it is a leaf."""
    if not control.labels or control.open:
        return []
    named = {label.path: split_name(label.text) for label in control.labels}
    above = {label.path[:-1] for label in control.labels}
    return [(label, _words(label, named), label.path not in above) for label in control.labels]


def _words(label: Label, named: Mapping[tuple[str, ...], str]) -> str:
    steps = [named.get(label.path[:depth], label.path[depth - 1]) for depth in range(1, len(label.path) + 1)]
    alias = split_name(label.path[-1])
    if not set(alias.split()) <= set(" ".join(steps).lower().split()):
        steps[-1] = f"{steps[-1]} ({alias})"
    return ": ".join([*steps, label.hint.strip()] if label.hint.strip() else steps)


def split_name(name: str) -> str:
    """ "NotSpam", "not_spam" and "not-spam" -> "not spam"; prose stays as it is, but for its case."""
    if " " in name.strip():
        return name.strip().lower()
    return _JOINT.sub(" ", _HUMP.sub(" ", name)).strip().lower() or name


_BY_KIND: Mapping[str, Callable[[Control], tuple[Option, ...]]] = {
    "choices": _choices,
    "taxonomy": _taxonomy,
    "rating": _rating,
}
