"""Judgements written as short rows."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from ml_backend.labeling.judgements import SCHEMA


def table(rows: list[tuple[int, str, str]], control: str = "c") -> pl.DataFrame:
    """(task, annotator, answer key) rows, in order of annotation."""
    columns: dict[str, list[Any]] = {name: [None] * len(rows) for name in SCHEMA}
    columns |= {
        "task": [row[0] for row in rows],
        "control": [control] * len(rows),
        "annotator": [row[1] for row in rows],
        "answer": [row[2] for row in rows],
        "annotation": list(range(1, len(rows) + 1)),
    }
    return pl.DataFrame(columns, schema=SCHEMA)


def choice(*labels: str) -> str:
    return json.dumps(list(labels), separators=(",", ":"), ensure_ascii=False)
