"""The columns of a control's rows: what a cell holds, its Parquet type, and its feature in the words of `datasets`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import string
from sdk_scripts.training_export.formats._labels import Labels
from sdk_scripts.training_export.formats._record import finite, in_seconds
from sdk_scripts.training_export.model import ControlSet, Row

if TYPE_CHECKING:
    from polars.datatypes import DataType

Read = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Column:
    feature: Mapping[str, Any]
    """As `datasets` writes it in YAML: {"dtype": "string"}, say."""
    type: DataType
    read: Read
    """Row -> cell."""


def columns_of(controls: ControlSet) -> dict[str, Column]:
    """By name, in order; text, images and sizes where a row of the control has some."""
    columns = {"task": _column("int64", attrgetter("task"))}
    if any(row.text for row in controls.rows):
        columns["text"] = _column("string", lambda row: string(row.text))
    return {
        **columns,
        **_image_columns(controls),
        **_answer_columns(controls),
        "confidence": _column("float64", attrgetter("confidence")),
        "judgements": _column("int64", attrgetter("judgements")),
        "agreement": _column("float64", attrgetter("agreement")),
        "quality": _column("float64", attrgetter("quality")),
        "provenance": _column("string", attrgetter("provenance")),
        "policy": _column("string", lambda row: string(row.policy)),
        "labelled_at": _column("string", attrgetter("labelled_at")),
        "group": _column("int64", attrgetter("group")),
        "marks": _list(_column("string", lambda row: sorted(row.marks))),
        "data": _column("string", _json),
    }


def _image_columns(controls: ControlSet) -> dict[str, Column]:
    if any(len(row.images) > 1 for row in controls.rows):
        parts = {
            "address": _column("string", lambda image: string(image.address)),
            "width": _column("int64", attrgetter("width")),
            "height": _column("int64", attrgetter("height")),
        }
        return {"images": _list(_struct(parts, attrgetter("images")))}
    images = [image for row in controls.rows for image in row.images]
    columns = {}
    if images:
        columns["image"] = _column("string", lambda row: string(row.images[0].address) if row.images else None)
    if any(image.width for image in images):
        columns["width"] = _column("int64", lambda row: row.images[0].width if row.images else None)
        columns["height"] = _column("int64", lambda row: row.images[0].height if row.images else None)
    return columns


def _answer_columns(controls: ControlSet) -> dict[str, Column]:
    labels, kind = Labels(controls), controls.kind
    match kind:
        case "spans":
            return {"spans": _spans(controls, labels)}
        case "boxes":
            return {"boxes": _boxes(labels)}
        case "text":
            return {"value": _list(_column("string", lambda row: [string(it) for it in row.answer]))}
    columns = {}
    if kind == "taxonomy" or (kind == "choices" and controls.control.multiple):
        columns["labels"] = _list(_label(labels, lambda row: labels.places(row.labels, row.task)))
    elif kind != "number" or labels.names:  # numbers have labels where the mapping has bins
        columns["label"] = _label(labels, lambda row: _one(controls, labels, row))
    if kind in ("number", "rating"):
        columns["value"] = _column("float64" if kind == "number" else "int64", attrgetter("answer"))
    if any(row.soft for row in controls.rows):
        columns["soft"] = _list(_column("float64", lambda row: _soft(labels, row)))
    return columns


def _spans(controls: ControlSet, labels: Labels) -> Column:
    timed = in_seconds(controls)
    offset, number = ("float64", float) if timed else ("int64", int)
    parts = {
        "start": _column(offset, lambda part: number(part[1].start)),
        "end": _column(offset, lambda part: number(part[1].end)),
        "label": _label(labels, itemgetter(2)),
    }
    if not timed:
        parts["text"] = _column("string", lambda part: string(part[0].text[part[1].start : part[1].end]))
    return _list(_struct(parts, lambda row: _labelled(labels, row)))


def _boxes(labels: Labels) -> Column:
    places = ("x", "y", "width", "height", "rotation")
    parts = {name: _column("float64", _number_of(name)) for name in places}
    parts["label"] = _label(labels, itemgetter(2))
    parts["page"] = _column("int64", lambda part: part[1].page)
    return _list(_struct(parts, lambda row: _labelled(labels, row)))


def _labelled(labels: Labels, row: Row) -> list[tuple[Row, Any, int | None]]:
    """The row, each region, and the place of each of its labels; one without has none."""
    found: list[tuple[Row, Any, int | None]] = []
    for region in row.regions:
        found += [(row, region, place) for place in labels.places(region.labels, row.task)] or [(row, region, None)]
    return found


def _number_of(name: str) -> Read:
    return lambda part: float(getattr(part[1], name))  # a box that is not rotated says 0


def _one(controls: ControlSet, labels: Labels, row: Row) -> int:
    if len(row.labels) != 1:
        raise InputError(
            f"Task {row.task} has {len(row.labels)} labels in control {controls.control.name!r}, which takes one.",
            mend="Let the mapping give each of its labels one training label.",
        )
    return labels.place(row.labels[0], row.task)


def _soft(labels: Labels, row: Row) -> list[float] | None:
    labels.places(row.soft, row.task)
    return [float(row.soft.get(label, 0.0)) for label in labels.names] if row.soft else None


def _json(row: Row) -> str:
    return string(json.dumps(finite(dict(row.data)), ensure_ascii=False, sort_keys=True, separators=(",", ":"))) or ""


def _column(dtype: str, read: Read) -> Column:
    import polars as pl

    types = {"string": pl.String(), "int64": pl.Int64(), "float64": pl.Float64()}
    return Column({"dtype": dtype}, types[dtype], read)


def _label(labels: Labels, read: Read) -> Column:
    """A ClassLabel, read as its place among the labels; text where there are none to be had."""
    if not labels.names:
        return _column("string", read)
    names = {str(place): name for place, name in enumerate(labels.names)}
    return Column({"dtype": {"class_label": {"names": names}}}, _column("int64", read).type, read)


def _list(inner: Column) -> Column:
    """A list of what `inner` is; its `read` gives all of them."""
    import polars as pl

    feature = inner.feature.get("struct") or inner.feature["dtype"]
    return Column({"list": feature}, pl.List(inner.type), inner.read)


def _struct(parts: Mapping[str, Column], items: Read) -> Column:
    """An object; its `read` gives a list of them, one for each of the row's `items`."""
    import polars as pl

    return Column(
        {"struct": [{"name": name, **part.feature} for name, part in parts.items()]},
        pl.Struct({name: part.type for name, part in parts.items()}),
        lambda row: [{name: part.read(item) for name, part in parts.items()} for item in items(row)],
    )
