"""Parquet, read in batches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from ml_backend.labeling.errors import InputError
from sdk_scripts.manifest_schema import TaskSource
from sdk_scripts.row_formats import Reject, Row, check_columns, opened, register

BATCH = 10_000
"""Rows."""


@register("parquet")
def read_parquet(path: Path, source: TaskSource) -> Iterator[Row | Reject]:
    """The row's position stands for the line.

    Dates and times become ISO 8601 text, decimals numbers, and a float's NaN (how a missing value is often written)
    null. A row with raw bytes is rejected.
    """
    import polars as pl

    opened(path).close()
    try:
        frame = pl.scan_parquet(path, glob=False)
        columns = frame.collect_schema().names()
        check_columns(path, columns, source)
        named = {*(source.fields or columns), *source.meta, *([source.key] if source.key else [])}
        frame = frame.select([name for name in columns if name in named])
        start = 0
        while True:
            batch = frame.slice(start, BATCH).collect()
            for offset, values in enumerate(batch.iter_rows(named=True), start + 1):
                try:
                    yield Row(offset, {name: _json(value) for name, value in values.items()})
                except ValueError as error:
                    yield Reject(offset, str(error))
            start += batch.height
            if batch.height < BATCH:
                return
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path} cannot be read as Parquet: {reason}.", mend="Write it anew, or as CSV or JSON Lines."
        ) from None


def _json(value: Any) -> Any:
    match value:
        case float():
            return None if math.isnan(value) else value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            raise ValueError("holds raw bytes, which are no JSON")
        case dict():
            return {name: _json(item) for name, item in value.items()}
        case list() | tuple():
            return [_json(item) for item in value]
    return value
