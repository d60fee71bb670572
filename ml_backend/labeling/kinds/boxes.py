"""Boxes: labelled rectangles on an image."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml_backend.labeling.config import Control
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import (
    Region,
    canonical,
    finite,
    label_of,
    one_line,
    picked,
    region,
    register,
    set_distance,
    values,
)

DECIMALS = 4  # of a percent: finer than a pixel of any image
SLACK = 0.01  # percent: the screen stores 100.00000000000001


@dataclass(frozen=True, slots=True)
class Box:
    """In percent of the image's width and height, from its top left corner, rotated clockwise by degrees around the
    box's own top left corner. `page` is the image's place where a tag shows several."""

    x: float
    y: float
    width: float
    height: float
    rotation: float = 0.0
    labels: tuple[str, ...] = ()
    page: int = 0

    def __post_init__(self) -> None:
        for name in ("x", "y", "width", "height"):
            object.__setattr__(self, name, round(float(getattr(self, name)), DECIMALS) + 0.0)
        object.__setattr__(self, "rotation", round(self.rotation % 360, DECIMALS) % 360)

    @property
    def place(self) -> tuple[float, ...]:
        return (self.page, self.x, self.y, self.width, self.height, self.rotation)


@register("boxes")
class Boxes:
    """Boxes in order of place. A `<Rectangle>` beside a `<Labels>` control carries that control's labels."""

    tags = ("RectangleLabels", "Rectangle")
    scale = "distance"

    def read(self, control: Control, regions: Sequence[Region]) -> tuple[Box, ...] | None:
        found: dict[tuple[float, ...], set[str]] = {}
        for item in regions:
            for value in values([item]):
                given = value.get("rectanglelabels", value.get("labels", []))
                labels = picked(control, given)
                box = _read(value, item.get("item_index"))
                if box is not None and isinstance(given, list) and (labels or not given):
                    found.setdefault(box.place, set()).update(labels)
        boxes = (
            Box(x, y, width, height, rotation, picked(control, list(labels)), int(page))
            for (page, x, y, width, height, rotation), labels in sorted(found.items(), key=lambda item: item[0])
        )
        return tuple(boxes) or None

    def write(self, control: Control, answer: tuple[Box, ...]) -> list[dict[str, Any]]:
        if not answer:
            raise InputError(f"An answer to {control.name!r} needs a box.", mend="Leave the control out instead.")
        written = []
        for box in answer:
            value: dict[str, Any] = {
                "x": box.x,
                "y": box.y,
                "width": box.width,
                "height": box.height,
                "rotation": box.rotation,
            }
            if (read := _read(value, box.page)) is None or read.place != box.place:
                raise InputError(
                    f"{control.name!r} cannot hold {box}.",
                    mend="Boxes are in percent of the image, 0 to 100, with a width and a height above 0.",
                )
            labels = [label_of(control, label).path[-1] for label in box.labels]
            if control.tag.lower() == "rectanglelabels":
                value["rectanglelabels"] = labels
            elif labels:
                value["labels"] = labels
            item = region(control, value)
            written.append({**item, "item_index": box.page} if box.page else item)
        return written

    def key(self, answer: tuple[Box, ...]) -> str:
        return canonical(
            [
                [it.x, it.y, it.width, it.height, it.rotation, it.labels, *([it.page] if it.page else [])]
                for it in answer
            ]
        )

    def from_key(self, key: str) -> tuple[Box, ...]:
        return tuple(
            Box(x, y, width, height, rotation, tuple(labels), *page)
            for x, y, width, height, rotation, labels, *page in json.loads(key)
        )

    def distance(self, a: tuple[Box, ...], b: tuple[Box, ...]) -> float:
        """1 − F1 of the best one-to-one matching, where a pair counts its intersection over union times the Jaccard
        index of its labels; a box without a partner counts nothing. Rotated boxes are compared as if the image were
        square: a result does not always tell its shape."""
        if a == b:
            return 0.0
        a, b = sorted((a, b), key=lambda side: (len(side), [(it.place, it.labels) for it in side]))  # rounds alike
        likeness = [[_likeness(left, right) for right in b] for left in a]
        return min(1.0, max(0.0, 1 - 2 * _best(likeness) / (len(a) + len(b))))

    def labels(self, answer: tuple[Box, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(label for box in answer for label in box.labels))

    def show(self, answer: tuple[Box, ...]) -> str:
        return one_line(
            ", ".join(
                f"{'+'.join(box.labels) or 'box'}: {box.width:.3g}×{box.height:.3g} % at {box.x:.3g}, {box.y:.3g}"
                for box in answer
            )
        )

    def example(self, control: Control) -> tuple[Box, ...]:
        return (Box(10, 10, 20, 20, 0, (control.labels[0].path[-1],) if control.labels else ()),)


def _read(value: Mapping[str, Any], page: Any) -> Box | None:
    numbers = [finite(value.get(name)) for name in ("x", "y", "width", "height")]
    rotation = finite(value.get("rotation", 0))
    place = 0 if page is None else finite(page)
    if rotation is None or not isinstance(place, int) or place < 0:
        return None
    if any(it is None or not -SLACK <= it <= 100 + SLACK for it in numbers):
        return None
    x, y, width, height = (min(100.0, max(0.0, it)) for it in numbers if it is not None)
    box = Box(x, y, width, height, rotation, (), place)
    return box if box.width > 0 and box.height > 0 else None


def _best(likeness: list[list[float]]) -> float:
    """The largest sum of likenesses with each row and column used once at most (Kuhn 1955)."""
    if len(likeness) == 1 or not likeness or len(likeness[0]) == 1:
        return max((it for row in likeness for it in row), default=0.0)
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    matrix = np.asarray(likeness)
    return float(matrix[linear_sum_assignment(matrix, maximize=True)].sum())


def _likeness(a: Box, b: Box) -> float:
    if a.page != b.page or not (same := 1 - set_distance(a.labels, b.labels)):
        return 0.0
    shared = _intersection(a, b)
    return same * shared / (a.width * a.height + b.width * b.height - shared)


def _intersection(a: Box, b: Box) -> float:
    if not a.rotation and not b.rotation:
        width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
        height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
        return max(0.0, width) * max(0.0, height)
    corners = _corners(a)
    edges = _corners(b)
    for start, end in zip(edges, edges[1:] + edges[:1], strict=True):  # clip a by each edge of b (Sutherland-Hodgman)
        corners = clipped(corners, start, end)
    twice = sum(p[0] * q[1] - q[0] * p[1] for p, q in zip(corners, corners[1:] + corners[:1], strict=True))
    return min(abs(twice) / 2, a.width * a.height, b.width * b.height)


Point = tuple[float, float]


def _corners(box: Box) -> list[Point]:
    angle = math.radians(box.rotation)
    cos, sin = math.cos(angle), math.sin(angle)
    return [
        (box.x + right * cos - down * sin, box.y + right * sin + down * cos)
        for right, down in ((0.0, 0.0), (box.width, 0.0), (box.width, box.height), (0.0, box.height))
    ]


def clipped(corners: list[Point], start: Point, end: Point) -> list[Point]:
    """The part of a convex polygon to the right of the edge, its y axis pointing down (Sutherland & Hodgman 1974)."""

    def side(point: Point) -> float:
        return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])

    kept: list[Point] = []
    for point, after in zip(corners, corners[1:] + corners[:1], strict=True):
        here, there = side(point), side(after)
        if here >= 0:
            kept.append(point)
        if (here > 0 > there) or (here < 0 < there):
            share = here / (here - there)
            kept.append((point[0] + share * (after[0] - point[0]), point[1] + share * (after[1] - point[1])))
    return kept
