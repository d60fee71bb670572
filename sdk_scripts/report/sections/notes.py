"""What the report could not say."""

from __future__ import annotations

from collections.abc import Sequence

from sdk_scripts.report.model import Report
from sdk_scripts.report.sections import Section, register


@register("notes")
class Notes(Section):
    title = "What this report could not say"
    place = 1000

    def part(self, report: Report) -> Sequence[str] | None:
        return report.notes or None
