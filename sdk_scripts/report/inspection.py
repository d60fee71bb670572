"""The report's part on inspection: findings with their states, and what could not be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.errors import TiebreakError
from sdk_scripts.report.model import FindingRow, InspectionPart
from sdk_scripts.tables import plain

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from sdk_scripts.evidence import Evidence

_WORDS = ("subject", "message", "cause_why", "do", "acknowledged_why")


def inspection_part(evidence: Evidence, settings: Settings, notes: list[str]) -> InspectionPart | None:
    """Inspects, and writes nothing. Where that cannot be done, a note says why."""
    from sdk_scripts.monitoring.watching import look

    try:
        found = look(evidence.dataset, settings, evidence=evidence).to_json()
    except TiebreakError as error:
        notes.append(f"The inspection could not be done: {error}")
        return None
    known = [{**it, "state": "acknowledged"} for it in found["acknowledged"]]
    return InspectionPart(
        findings=_rows((*found["findings"], *known)),
        cleared=_rows({**it, "state": "cleared", "dimension": ""} for it in found["cleared"]),
        measured=found["measured"],
        dropped={rule: plain(why) for rule, why in found["dropped"].items()},
        tests=found["tests"],
        compared_with=found["compared_with"],
    )


def _rows(findings: Iterable[Mapping[str, Any]]) -> list[FindingRow]:
    return [
        FindingRow.model_validate({**it, **{name: plain(it.get(name) or "") for name in _WORDS}}) for it in findings
    ]
