"""A row as plain JSON values, the same in every format that holds all of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ml_backend.labeling.kinds.spans import TIMED
from sdk_scripts.training_export.model import SPLITS, ControlSet, Export, Row

if TYPE_CHECKING:
    from ml_backend.labeling.kinds.boxes import Box


def record(row: Row, of: ControlSet) -> dict[str, Any]:
    """Names and values; absent where the control has none: `label` for controls that take one, `labels` for others,
    `spans`, `boxes` (percent of the image), `value` for numbers and stars, `texts`, `images`."""
    found: dict[str, Any] = {
        "task": row.task,
        "text": row.text,
        "data": finite(dict(row.data)),
        "confidence": row.confidence,
        "judgements": row.judgements,
        "agreement": row.agreement,
        "quality": row.quality,
        "provenance": row.provenance,
        "policy": row.policy,
        "labelled_at": row.labelled_at,
        "group": row.group,
        "marks": sorted(row.marks),
    }
    if row.images:
        found["images"] = [{"address": it.address, "width": it.width, "height": it.height} for it in row.images]
    if of.labels:
        found |= {"label": row.labels[0]} if takes_one(of) and row.labels else {"labels": list(row.labels)}
    if row.soft:
        found["soft"] = dict(sorted(row.soft.items()))
    match of.kind:
        case "spans":
            found["spans"] = [_span(row, of, it) for it in row.regions]
        case "boxes":
            found["boxes"] = [
                {name: float(getattr(it, name)) for name in ("x", "y", "width", "height", "rotation")}
                | {"page": it.page, "labels": list(it.labels)}
                for it in cast("tuple[Box, ...]", row.regions)
            ]
        case "number" | "rating":
            found["value"] = row.answer
        case "text":
            found["texts"] = list(row.answer)  # type: ignore[call-overload]  # texts, see `labeling.kinds`
    return found


def takes_one(of: ControlSet) -> bool:
    """Whether a row has one training label: several may have come of one by no mapping."""
    return of.kind in ("pairwise", "rating", "number") or (of.kind == "choices" and not of.control.multiple)


def files(export: Export, ending: str) -> Iterator[tuple[ControlSet, str, str]]:
    """Control, split and path within the format's folder, of those splits that have rows."""
    for control in export.controls:
        for split in SPLITS:
            if control.of(split):
                yield control, split, f"{control.folder}/{split}.{ending}"


def front(ending: str) -> Callable[[Export, str], dict[str, Any]]:
    """`Format.front` for files that `datasets` knows by their ending, one a split."""

    def made(export: Export, folder: str) -> dict[str, Any]:
        found: dict[str, list[dict[str, str]]] = {}
        for control, split, path in files(export, ending):
            found.setdefault(control.folder, []).append({"split": split, "path": f"{folder}/{path}"})
        return {"configs": [{"config_name": name, "data_files": paths} for name, paths in found.items()]}

    return made


def write_each(export: Export, folder: Path, ending: str, content: Callable[[ControlSet, str], bytes]) -> list[Path]:
    """Each split of each control in a file of its own."""
    made = []
    for control, split, path in files(export, ending):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content(control, split))
        made.append(file)
    return made


def in_seconds(of: ControlSet) -> bool:
    """Whether its spans are stretches of a recording rather than of a text."""
    return not TIMED.isdisjoint(of.control.to_tags)


def _span(row: Row, of: ControlSet, span: Any) -> dict[str, Any]:
    if in_seconds(of):
        place = {"start": float(span.start), "end": float(span.end), "text": ""}
    else:
        place = {"start": span.start, "end": span.end, "text": row.text[span.start : span.end]}
    return {**place, "labels": list(span.labels)}


def finite(value: Any) -> Any:
    """Without NaN and infinity, which are no JSON."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(it) for key, it in value.items()}
    return [finite(it) for it in value] if isinstance(value, list) else value
