"""The tasks whose label is more likely in doubt than not, hardest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sdk_scripts.report.model import HardCaseRow, Report
from sdk_scripts.report.sections import Cell, Section, Sheet, register


@register("hard_cases")
class HardCases(Section):
    title = "Hard cases"
    place = 70

    def part(self, report: Report) -> Sequence[HardCaseRow]:
        return report.hard_cases

    def sheets(self, part: Sequence[HardCaseRow]) -> Iterable[Sheet]:
        rows: list[list[Cell]] = [[r.task, r.score, r.text, "\n".join(r.reasons), r.url or ""] for r in part]
        yield Sheet("Hard cases", ["task", "score", "text", "why", "link"], rows, links=["link"])
