"""Labelled files made for backtests, and a replay of them with the encoder of the tests."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml_backend.encoder import Encoder
from ml_backend.labeling.config import LabelConfig, parse
from sdk_scripts.backtest.columns import Columns
from sdk_scripts.backtest.labelled import Labelled, read_labelled
from sdk_scripts.backtest.replay import replay
from sdk_scripts.backtest.verdict import verdict

SENTIMENT = """<View><Text name="text" value="$text"/><Choices name="sentiment" toName="text">
  <Choice value="Positive" alias="positive"/><Choice value="Negative" alias="negative"/></Choices></View>"""
SEVERAL = """<View><Text name="text" value="$text"/><Choices name="wrong" toName="text" choice="multiple">
  <Choice value="broken"/><Choice value="late"/><Choice value="rude"/></Choices></View>"""
STARS = '<View><Text name="text" value="$text"/><Rating name="stars" toName="text" maxRating="5"/></View>'
TOPICS = """<View><Text name="text" value="$text"/><Taxonomy name="topic" toName="text">
  <Choice value="Goods"><Choice value="Damage"/><Choice value="Taste"/></Choice><Choice value="Delivery"/>
  </Taxonomy></View>"""
COLUMNS = Columns("text", "label")
Rows = Sequence[tuple[Any, ...]]


def write(path: Path, rows: Rows, header: Sequence[str] = ("text", "label")) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read(
    path: Path, config: LabelConfig | str, encoder: Encoder, columns: Columns = COLUMNS, **options: Any
) -> Labelled:
    parsed = parse(config) if isinstance(config, str) else config
    return read_labelled(path, parsed, columns, encoder, **({"seed": 0, "limit": None} | options))


def run(labelled: Labelled, encoder: Encoder, sizes: Sequence[int] = (8,)) -> dict[str, Any]:
    found = replay(labelled, encoder, sizes=sizes, test_share=0.3, repeats=1, seed=0, report=lambda _: None)
    return {**found, **verdict(found, labelled.texts)}


def complaints(count: int, seed: int = 0) -> list[tuple[str, tuple[str, ...]]]:
    """Different texts that say of an order what was wrong with it, one to three things."""
    parts = {"broken": "it was broken into pieces", "late": "the parcel came weeks late", "rude": "the staff was rude"}
    rng = random.Random(seed)
    found = []
    for number in range(count):
        picked = tuple(label for label in parts if rng.random() < 0.5) or ("late",)
        found.append((f"Order {number}: " + " and ".join(parts[label] for label in picked) + ".", picked))
    return found
