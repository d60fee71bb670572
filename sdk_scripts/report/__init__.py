"""The quality report: collected once, written as HTML, Excel and JSON, and kept in its project's history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from ml_backend.settings import Settings

if TYPE_CHECKING:
    from ml_backend.report_history import Kept
    from sdk_scripts.report.kept import Before
    from sdk_scripts.sources import Dataset


log = structlog.stdlib.get_logger()


@dataclass(frozen=True)
class ReportFiles:
    html: Path
    xlsx: Path
    json: Path


@dataclass(frozen=True)
class MadeReport:
    """A report whose files are made, and stand nowhere yet."""

    dataset: Dataset
    document: Mapping[str, Any]
    """As `Report.to_json`."""
    files: Mapping[str, bytes]
    """By name: report.html, report.xlsx, report.json."""

    def write(self, out: Path) -> ReportFiles:
        """Write the files into the folder `out`; an older report there is replaced.

        Each file is written beside its place and then moved, so a reader never sees half a report.
        """
        out.mkdir(parents=True, exist_ok=True)
        html, xlsx, document = (_replace(out / name, content) for name, content in self.files.items())
        return ReportFiles(html, xlsx, document)

    def keep(self, settings: Settings, *, why: str) -> Kept | None:
        """Add it to the history of its project, which forgets the oldest; None where there is no such history.

        Raises ModelUnavailable where the storage does not answer: nothing is added then.
        """
        from sdk_scripts.report.kept import history_of, keep_in, most_kept

        history = history_of(self.dataset, settings)
        if history is None:
            return None
        most = most_kept(self.dataset.project or {})
        return keep_in(history, self.files, self.document, why=why, most=most)


def make_report(dataset: Dataset, settings: Settings, before: Before) -> MadeReport:
    """Collect the report, compared with the one `before` where that can be read, and make its files."""
    from sdk_scripts.report.collect import collect
    from sdk_scripts.report.excel import workbook
    from sdk_scripts.report.html import page
    from sdk_scripts.report.kept import Before

    try:
        report = collect(dataset, settings, before=before.report)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        if before.report is None:
            raise
        log.error("an earlier report cannot be compared with", report=dataset.name, why=repr(error))
        before = Before(note="The earlier report cannot be compared with: another version made it, or it is damaged.")
        report = collect(dataset, settings)
    if before.note:
        report = report.model_copy(update={"notes": [*report.notes, before.note]})
    document = report.to_json()
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    files = {
        "report.html": page(report).encode(),
        "report.xlsx": workbook(report),
        "report.json": text.encode(),
    }
    return MadeReport(dataset, document, files)


def write_report(dataset: Dataset, out: Path, *, settings: Settings) -> ReportFiles:
    """Write report.html, report.xlsx and report.json into the folder `out`, compared with the report before
    (`kept.before_of`)."""
    from sdk_scripts.report.kept import before_of

    return make_report(dataset, settings, before_of(dataset, settings, out)).write(out)


def _replace(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(content)
    draft.replace(path)
    return path
