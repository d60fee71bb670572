"""The quality report: collected once, written as HTML, Excel and JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ml_backend.settings import Settings

if TYPE_CHECKING:
    from sdk_scripts.sources import Dataset


@dataclass(frozen=True)
class ReportFiles:
    html: Path
    xlsx: Path
    json: Path


def write_report(dataset: Dataset, out: Path, *, settings: Settings) -> ReportFiles:
    """Write report.html, report.xlsx and report.json into the folder `out`; an older report there is replaced.

    Each file is written beside its place and then moved, so a reader never sees half a report.
    """
    from sdk_scripts.report.collect import collect
    from sdk_scripts.report.excel import workbook
    from sdk_scripts.report.html import page

    report = collect(dataset, settings)
    out.mkdir(parents=True, exist_ok=True)
    document = json.dumps(report.to_json(), ensure_ascii=False, indent=2, allow_nan=False)
    return ReportFiles(
        html=_replace(out / "report.html", page(report).encode()),
        xlsx=_replace(out / "report.xlsx", workbook(report)),
        json=_replace(out / "report.json", document.encode()),
    )


def _replace(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(content)
    draft.replace(path)
    return path
