"""Hard cases by cause, as the newest report of each project counts them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ml_backend.console.panels import FromStorage, Panel, data_manager, mapping, register, text
from ml_backend.console.panels.reports import kept_of
from ml_backend.project_state import project_id_of
from ml_backend.report_history import Kept, ReportHistory

MOST_CAUSES = 20
MOST_BYTES = 50_000_000
"""Of a report.json that is read."""


@register("hard_cases")
class HardCases(Panel):
    where = "storage"

    def collect(self, given: FromStorage) -> dict[str, Any]:
        """rows: key, report (its id), made_at, total, causes (what and how many, the commonest first), url."""
        rows = []
        for key in given.keys:
            kept = next(iter(kept_of(given, key)), None)
            if kept is not None and (counted := _counted(given, key, kept)) is not None:
                url = data_manager(given.settings, project_id_of(key))
                rows.append({"key": key, "report": kept.id, "made_at": kept.made_at, **counted, "url": url})
        return {"rows": rows}


def _counted(given: FromStorage, key: str, kept: Kept) -> dict[str, Any] | None:
    """None where its report.json cannot be read."""

    def read() -> dict[str, Any] | None:
        content = ReportHistory(given.settings, key).read(kept.id, "report.json")
        if content is None or len(content) > MOST_BYTES:
            return None
        try:
            report = mapping(json.loads(content))
        except (ValueError, RecursionError):
            return None
        cases = report.get("hard_cases")
        causes = sorted(_causes(report.get("causes")), key=lambda it: (-it["count"], it["cause"]))
        return {"total": len(cases) if isinstance(cases, list) else 0, "causes": causes[:MOST_CAUSES]}

    return given.memory.get(("hard cases", key), kept.id, read)


def _causes(section: object) -> Iterator[dict[str, Any]]:
    """Of the report's section `causes`: rows with signal and cases."""
    for it in map(mapping, section if isinstance(section, list) else ()):
        if isinstance(it.get("cases"), int) and (signal := it.get("signal")):
            yield {"cause": text(signal, 80).replace("_", " "), "count": it["cases"]}
