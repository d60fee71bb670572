"""COCO's detection JSON: <control>/train.json, … with images, annotations and categories.

Boxes are in pixels of the image's own size, so an image whose size no annotation tells is left out, and counted. A
rotated box has the rectangle around it as `bbox`, and its corners as `segmentation`; what reaches over the image's edge
is cut there. `area` is that of the segmentation. `file_name` is the image's address.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from ml_backend.labeling.kinds.boxes import Box, Point, clipped
from sdk_scripts.training_export.formats import FORMATS, Format, Written
from sdk_scripts.training_export.formats._labels import Labels
from sdk_scripts.training_export.formats._lines import write_lines
from sdk_scripts.training_export.formats._losses import Losses, answered, check_kinds, nothing_left
from sdk_scripts.training_export.model import SPLITS, ControlSet, Export, Row

KINDS = frozenset({"boxes"})
PAGE = 10**12
"""An image's id is its task's, and this much more for each page before it: it stays when others come and go."""
DECIMALS = 6  # of a pixel: no box of the smallest image vanishes
KEPT = 0.99  # of a box's area: less is lost to rounded percents


def write(export: Export, folder: Path) -> Written:
    """Raises InputError for other controls than boxes, and for one none of whose images has a known size."""
    check_kinds(export, "coco", KINDS)
    losses = Losses()
    files = [path for controls in answered(export) for path in _write(export, controls, folder, losses)]
    return Written(tuple(files), losses.all)


FORMATS.register("coco")(Format(write, KINDS, "boxes as COCO detection JSON, in pixels"))


def _write(export: Export, controls: ControlSet, folder: Path, losses: Losses) -> Iterator[Path]:
    labels = Labels(controls)
    (folder / controls.folder).mkdir()
    written, number = False, 1
    for split in SPLITS:
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for row in controls.of(split):
            images += _images(row, losses)
            for annotation in _annotations(labels, row, losses):
                annotations.append({"id": number, **annotation})
                number += 1
        if images:
            written = True
            content = {
                "info": {"description": f"{export.name}: {controls.control.name}, {split}"},
                "licenses": [],
                "images": images,
                "annotations": annotations,
                "categories": [
                    {"id": id, "name": name, "supercategory": ""} for id, name in enumerate(labels.names, 1)
                ],
            }
            yield write_lines(folder / controls.folder / f"{split}.json", [content])
    if not written:
        raise nothing_left(controls, "coco", "no annotation tells the size of any of its images")


def _images(row: Row, losses: Losses) -> Iterator[dict[str, Any]]:
    if not row.images:
        losses.add("a row without an image: left out", row.task)
    for page, image in enumerate(row.images):
        if not image.width or not image.height:
            losses.add("an image of unknown size: left out", row.task)
        else:
            id = row.task + page * PAGE
            yield {"id": id, "file_name": image.address, "width": image.width, "height": image.height}


def _annotations(labels: Labels, row: Row, losses: Losses) -> Iterator[dict[str, Any]]:
    for box in cast(tuple[Box, ...], row.regions):
        image = row.images[box.page] if box.page < len(row.images) else None
        if not box.labels:
            losses.add("a box without a label: left out", row.task)
        elif image is None:
            losses.add("a box on an image that its task does not have: left out", row.task)
        elif not image.width or not image.height:
            losses.add("a box on an image of unknown size: left out", row.task)
        elif not (polygon := _in_image(box, image.width, image.height, row.task, losses)):
            losses.add("a box outside its image: left out", row.task)
        else:
            xs, ys = zip(*polygon, strict=True)
            bbox = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
            for category in labels.places(box.labels, row.task):
                yield {
                    "image_id": row.task + box.page * PAGE,
                    "category_id": category + 1,
                    "bbox": [round(it, DECIMALS) for it in bbox],
                    "area": round(_area(polygon), DECIMALS),
                    "iscrowd": 0,
                    "segmentation": [[round(it, DECIMALS) for point in polygon for it in point]],
                }


def _in_image(box: Box, width: int, height: int, task: int, losses: Losses) -> list[Point]:
    """Its corners in pixels, cut at the image's edge; none where nothing of it is on the image."""
    corners = _corners(box, width, height)
    edges = [(0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height))]
    inside = corners
    for start, end in zip(edges, edges[1:] + edges[:1], strict=True):
        inside = clipped(inside, start, end)
    if round(_area(inside), DECIMALS) <= 0:
        return []
    if _area(inside) < KEPT * _area(corners):
        losses.add("a box over the edge of its image: cut there", task)
    return inside


def _corners(box: Box, width: int, height: int) -> list[Point]:
    """In pixels, where rotation keeps angles right: percents do not on an image that is no square."""
    x, y = box.x / 100 * width, box.y / 100 * height
    across, along = box.width / 100 * width, box.height / 100 * height
    cos, sin = math.cos(math.radians(box.rotation)), math.sin(math.radians(box.rotation))
    return [
        (x + right * cos - down * sin, y + right * sin + down * cos)
        for right, down in ((0.0, 0.0), (across, 0.0), (across, along), (0.0, along))
    ]


def _area(polygon: list[Point]) -> float:
    """The shoelace formula."""
    pairs = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return abs(sum(p[0] * q[1] - q[0] * p[1] for p, q in pairs)) / 2
