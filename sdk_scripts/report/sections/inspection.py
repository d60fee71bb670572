"""What the inspection rules find, with the state of each finding, and what they could not look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sdk_scripts.report.model import Part, WebAddress
from sdk_scripts.report.sections import Given, Section, Sheet, register
from sdk_scripts.tables import plain

_WORDS = ("subject", "message", "cause_why", "do", "acknowledged_why")


class FindingRow(Part):
    """A finding of the inspection, as `monitoring.Watched.to_json`."""

    key: str
    rule: str
    dimension: str
    severity: str
    subject: str
    control: str
    state: str
    """new, continuing, acknowledged or cleared."""
    since: str
    message: str
    cause: str
    cause_why: str = ""
    do: str = ""
    acknowledged_why: str = ""
    evidence: list[int]
    links: tuple[WebAddress, ...] = ()
    value: float | None
    threshold: float | None
    n: int
    p: float | None = None
    adjusted_p: float | None = None


class InspectionPart(Part):
    findings: list[FindingRow]
    """The weightiest first; those that somebody has acknowledged last."""
    cleared: list[FindingRow]
    measured: dict[str, int]
    """Rule -> subjects."""
    dropped: dict[str, str]
    """Rule -> why it had nothing to look at."""
    tests: int
    compared_with: str | None
    """When the inspection was that states are against; None: there was none."""


@register("inspection")
class Inspection(Section):
    title = "Inspection"
    place = 50

    def collect(self, given: Given) -> InspectionPart:
        """Inspects, and writes nothing. Raises TiebreakError where that cannot be done."""
        from sdk_scripts.monitoring.watching import look

        found = look(given.evidence.dataset, given.settings, evidence=given.evidence).to_json()
        known = [{**it, "state": "acknowledged"} for it in found["acknowledged"]]
        return InspectionPart(
            findings=_rows((*found["findings"], *known)),
            cleared=_rows({**it, "state": "cleared", "dimension": ""} for it in found["cleared"]),
            measured=found["measured"],
            dropped={rule: plain(why) for rule, why in found["dropped"].items()},
            tests=found["tests"],
            compared_with=found["compared_with"],
        )

    def sheets(self, part: InspectionPart) -> Iterable[Sheet]:
        columns = [name for name in FindingRow.model_fields if name not in ("links", "evidence")]
        yield Sheet(
            "Inspection",
            [*(name.replace("_", " ") for name in columns), "tasks", "link"],
            [
                [
                    *(getattr(row, name) for name in columns),
                    ", ".join(map(str, row.evidence)),
                    row.links[0] if row.links else "",
                ]
                for row in (*part.findings, *part.cleared)
            ],
            links=["link"],
        )


def _rows(findings: Iterable[Mapping[str, Any]]) -> list[FindingRow]:
    return [
        FindingRow.model_validate({**it, **{name: plain(it.get(name) or "") for name in _WORDS}}) for it in findings
    ]
