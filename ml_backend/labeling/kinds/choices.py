"""Choices, single or multiple."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ml_backend.labeling.config import PATH_SEPARATOR, Control
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import (
    Region,
    canonical,
    in_order,
    label_of,
    one_line,
    region,
    register,
    set_distance,
    string,
    values,
)


@register("choices")
class Choices:
    """The keys of the labels picked. A control with `allowNested="true"` stores paths, and stores a parent beside its
    children once all of them are picked: the answer holds the ends only."""

    tags = ("Choices",)
    scale = "nominal"

    def read(self, control: Control, regions: Sequence[Region]) -> tuple[str, ...] | None:
        paths: set[tuple[str, ...]] = set()
        for value in values(regions):
            choices = value.get("choices")
            if type(choices) is list and len(choices) == 1 == len(regions) and not control.nested:
                choice = choices[0]  # by far the most common
                if type(choice) is str:
                    return (key,) if (key := string(choice)) else None
            for choice in choices if isinstance(choices, list) else [choices]:
                path = tuple(string(part) or "" for part in choice) if isinstance(choice, list) else (string(choice),)
                if path and all(path):
                    paths.add(path)  # type: ignore[arg-type]  # all of it are strings
        if any(len(path) > 1 for path in paths):
            paths -= {path[:depth] for path in paths for depth in range(1, len(path))}
        keys = {self._key(control, path) for path in paths}
        return in_order(control, keys) if len(keys) == 1 or (keys and control.multiple) else None

    def write(self, control: Control, answer: tuple[str, ...]) -> list[dict[str, Any]]:
        if not answer:
            raise InputError(f"An answer to {control.name!r} needs a label.", mend="Leave the control out instead.")
        if len(answer) > 1 and not control.multiple:
            raise InputError(
                f"{control.name!r} takes one choice, not {len(answer)}: {', '.join(answer)}.",
                mend='Give one, or say choice="multiple" in the label config.',
            )
        labels = [label_of(control, choice) for choice in answer]
        return [region(control, {"choices": [list(it.path) if control.nested else it.path[-1] for it in labels]})]

    def key(self, answer: tuple[str, ...]) -> str:
        return canonical(answer)

    def from_key(self, key: str) -> tuple[str, ...]:
        return tuple(json.loads(key))

    def distance(self, a: tuple[str, ...], b: tuple[str, ...]) -> float:
        """Jaccard distance of the sets of labels."""
        return set_distance(a, b)

    def labels(self, answer: tuple[str, ...]) -> tuple[str, ...]:
        return answer

    def show(self, answer: tuple[str, ...]) -> str:
        return one_line(", ".join(answer))

    def example(self, control: Control) -> tuple[str, ...]:
        ends = [label for label in control.labels if not any(_above(label.path, it.path) for it in control.labels)]
        keys = [label.key for label in ends] or ["label"]
        return in_order(control, keys[: 2 if control.multiple else 1])

    def _key(self, control: Control, path: tuple[str, ...]) -> str:
        if len(path) == 1 and not control.nested:
            return path[0]
        return next((label.key for label in control.labels if label.path == path), PATH_SEPARATOR.join(path))


def _above(path: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return len(path) < len(other) and other[: len(path)] == path
