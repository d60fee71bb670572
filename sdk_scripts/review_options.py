"""The answers a reviewer can choose from, whatever the source project asks.

The review project's config cannot know the labels of every source project, so its decision takes them from the task
(`<Choices value="$options">`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ml_backend.labeling.config import PATH_SEPARATOR, Control
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.labeling.kinds.rating import most_stars
from ml_backend.labeling.task_data import lookup
from sdk_scripts import wording

MAX_OPTIONS = 40
"""A longer list is no help on a screen: beyond it, only answers that somebody gave are offered."""
MAX_LABEL = 120
"""Characters of one option."""
OTHER = "None of these (write it below)"


@dataclass(frozen=True, slots=True)
class Option:
    label: str
    """What the reviewer reads, and what the review's result holds."""
    key: str
    """The kind's key of the answer it stands for."""
    hint: str


def options(control: Control, data: Mapping[str, Any], counts: Mapping[str, int], model: str | None) -> list[Option]:
    """The control's labels in its own order, then whatever else somebody answered.

    `counts`: answer key -> annotators; `model`: key of the model's answer. Answers that read the same are told apart by
    a number.
    """
    kind = kind_of(control)
    if kind is None:
        return []
    given = [*sorted(counts, key=lambda key: (-counts[key], key)), *([model] if model is not None else [])]
    offered = [kind.key(answer) for answer in _answers(kind.name, control, data)]
    keys = list(dict.fromkeys([*offered, *given] if len({*offered, *given}) <= MAX_OPTIONS else given))
    found: dict[str, Option] = {}
    total = sum(counts.values())
    for key in keys[:MAX_OPTIONS]:
        label = text = wording.show_key(control, key, MAX_LABEL)
        again = 1
        while label in found or label == OTHER:
            again += 1
            label = f"{text} ({again})"
        said = [called] if (called := on_screen(control, key)) and called.casefold() != text.casefold() else []
        said += [f"{counts[key]} of {total} annotators"] if key in counts else []
        said += ["the model"] if key == model else []
        found[label] = Option(label, key, ", ".join(said))
    return list(found.values())


def as_choices(found: list[Option]) -> list[dict[str, str]]:
    """For Label Studio's `<Choices value="$options">`."""
    choices = [{"value": option.label} | ({"hint": option.hint} if option.hint else {}) for option in found]
    return [*choices, {"value": OTHER}]


def on_screen(control: Control, key: str) -> str:
    """What the source project's screen calls an answer of labels that have an alias; empty for other answers."""
    kind = kind_of(control)
    names = kind.labels(kind.from_key(key)) if kind else ()
    called = {PATH_SEPARATOR.join(label.path): label.text for label in control.labels}
    return ", ".join(called[name] for name in names if name in called)


def _answers(kind: str, control: Control, data: Mapping[str, Any]) -> list[Answer]:
    """Every answer of a control that has a short list of them; none where answers are free."""
    return _LISTED[kind](control, data) if kind in _LISTED else []


def _choices(control: Control, data: Mapping[str, Any]) -> list[Answer]:
    return [(key,) for key in control.keys or _dynamic(control, data)]


def _dynamic(control: Control, data: Mapping[str, Any]) -> list[str]:
    listed = lookup(data, control.dynamic_field) if control.dynamic_field else None
    rows = listed if isinstance(listed, list) else []
    keys = [row.get("alias") or row.get("value") if isinstance(row, Mapping) else row for row in rows]
    return [key for key in keys if isinstance(key, str)]


def _taxonomy(control: Control, data: Mapping[str, Any]) -> list[Answer]:
    paths = [label.path for label in control.labels]
    above = {path[:-1] for path in paths} if control.flag("leafsonly") else set()
    return [(path,) for path in paths if path not in above]


def _rating(control: Control, data: Mapping[str, Any]) -> list[Answer]:
    return list(range(1, most_stars(control) + 1))


def _pairwise(control: Control, data: Mapping[str, Any]) -> list[Answer]:
    return ["left", "right"]


_LISTED: dict[str, Callable[[Control, Mapping[str, Any]], list[Answer]]] = {
    "choices": _choices,
    "taxonomy": _taxonomy,
    "rating": _rating,
    "pairwise": _pairwise,
}
