"""The latest reports of each project."""

from __future__ import annotations

from typing import Any

from ml_backend.console.panels import FromStorage, Panel, register, text, when
from ml_backend.labeling.results import read_time
from ml_backend.report_history import Kept, ReportHistory

MOST_EACH = 5
MOST = 100


@register("reports")
class Reports(Panel):
    where = "storage"

    def collect(self, given: FromStorage) -> dict[str, Any]:
        """rows: key, id, made_at, why, title, the newest first."""
        rows = [_row(key, it) for key in given.keys for it in kept_of(given, key)]
        return {"rows": sorted(rows, key=lambda row: str(row["id"]), reverse=True)[:MOST]}


def kept_of(given: FromStorage, key: str) -> list[Kept]:
    """The newest reports of the project; they are read again where one came or went."""
    ids = given.files.folders(f"reports/{key}")[-2 * MOST_EACH :]
    marks = tuple((id, given.files.mark(f"reports/{key}/{id}/about.json")) for id in ids)
    return given.memory.get(("reports", key), marks, lambda: ReportHistory(given.settings, key).kept(MOST_EACH))


def _row(key: str, it: Kept) -> dict[str, Any]:
    made_at = when(read_time(it.made_at))
    return {"key": key, "id": it.id, "made_at": made_at, "why": text(it.why, 40), "title": text(it.title, 120)}
