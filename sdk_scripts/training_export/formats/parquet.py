"""Parquet: the same as JSON Lines in typed columns, one file a split of a control.

The columns are sorted by name, `data.<column>` one for each of task data: text, number or truth where all values are,
else JSON. `soft` is a list of {label, probability}. Nothing in a file tells when or where it was written.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdk_scripts.training_export.formats import FORMATS, Format, Written
from sdk_scripts.training_export.formats._record import front, in_seconds, record, takes_one, write_each
from sdk_scripts.training_export.model import ControlSet, Export

if TYPE_CHECKING:
    import polars as pl

_ROWS = 50_000
"""Of a row group."""


def write(export: Export, folder: Path) -> Written:
    types = {control.control.name: _types(control) for control in export.controls}
    return Written(
        tuple(write_each(export, folder, "parquet", lambda of, split: _table(of, split, types[of.control.name])))
    )


def _table(of: ControlSet, split: str, types: Mapping[str, pl.DataType]) -> bytes:
    import polars as pl

    rows = [_flat(record(row, of), types) for row in of.of(split)]
    table = pl.DataFrame(rows, schema=dict(types), orient="row", strict=True)
    target = io.BytesIO()
    table.write_parquet(target, compression="zstd", compression_level=3, row_group_size=_ROWS)
    return target.getvalue()


def _types(of: ControlSet) -> dict[str, Any]:
    """Column -> type, the same for all splits of the control."""
    import polars as pl

    whole, number, text = pl.Int64(), pl.Float64(), pl.String()
    mark = {"labels": pl.List(text)}
    found: dict[str, Any] = {
        "task": whole,
        "text": text,
        "confidence": number,
        "judgements": whole,
        "agreement": number,
        "quality": number,
        "provenance": text,
        "policy": text,
        "labelled_at": text,
        "group": whole,
        "marks": pl.List(text),
    }
    if any(row.images for row in of.rows):
        found["images"] = pl.List(pl.Struct({"address": text, "width": whole, "height": whole}))
    if of.labels:
        found |= {"label": text} if takes_one(of) else {"labels": pl.List(text)}
    if any(row.soft for row in of.rows):
        found["soft"] = pl.List(pl.Struct({"label": text, "probability": number}))
    match of.kind:
        case "spans":
            offset = number if in_seconds(of) else whole
            found["spans"] = pl.List(pl.Struct({"start": offset, "end": offset, **mark, "text": text}))
        case "boxes":
            place = dict.fromkeys(("x", "y", "width", "height", "rotation"), number)
            found["boxes"] = pl.List(pl.Struct({**place, "page": whole, **mark}))
        case "number" | "rating":
            found["value"] = number
        case "text":
            found["texts"] = pl.List(text)
    for name in sorted({name for row in of.rows for name in row.data}):
        found[f"data.{name}"] = _type([it for row in of.rows if (it := row.data.get(name)) is not None])
    return dict(sorted(found.items()))


def _type(values: Sequence[Any]) -> Any:
    import polars as pl

    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return pl.Boolean()
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in values):
        return pl.Int64()
    if kinds <= {int, float} and all(abs(value) < 2**53 or value != value for value in values):
        return pl.Float64()
    return pl.String()


def _flat(found: dict[str, Any], types: Mapping[str, Any]) -> dict[str, Any]:
    data = found.pop("data")
    if "soft" in types:
        soft = found.get("soft", {})
        found["soft"] = [{"label": label, "probability": value} for label, value in soft.items()]
    for name, value in data.items():
        kind = str(types[f"data.{name}"])
        plain = isinstance(value, str | None) or kind != "String"
        found[f"data.{name}"] = value if plain else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return {name: _clean(found.get(name)) for name in types}


def _clean(value: Any) -> Any:
    """Without halves of surrogate pairs, which no UTF-8 holds."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_clean(it) for it in value]
    if isinstance(value, dict):
        return {key: _clean(it) for key, it in value.items()}
    return value


FORMATS.register("parquet")(Format(write, what="Parquet, the same in typed columns", front=front("parquet")))
