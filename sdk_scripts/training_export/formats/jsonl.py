"""JSON Lines: everything about a row, one file a split of a control."""

from __future__ import annotations

import json
from pathlib import Path

from sdk_scripts.training_export.formats import FORMATS, Format, Written
from sdk_scripts.training_export.formats._record import front, record, write_each
from sdk_scripts.training_export.model import ControlSet, Export


def write(export: Export, folder: Path) -> Written:
    return Written(tuple(write_each(export, folder, "jsonl", _lines)))


def _lines(of: ControlSet, split: str) -> bytes:
    lines = (json.dumps(record(row, of), ensure_ascii=False, sort_keys=True, default=str) for row in of.of(split))
    return "".join(f"{line}\n" for line in lines).encode(errors="replace")


FORMATS.register("jsonl")(Format(write, what="JSON Lines, all there is to a row", front=front("jsonl")))
