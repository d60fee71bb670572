"""The annotators, and the judgements of each day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from markupsafe import Markup

from sdk_scripts.report import charts
from sdk_scripts.report.model import Report
from sdk_scripts.report.sections import Cell, Chart, Section, Sheet, register


@register("annotators")
class Annotators(Section):
    title = "Annotators"
    place = 40

    def part(self, report: Report) -> Report:
        return report

    def charts(self, part: Report) -> Mapping[str, Markup]:
        if len(part.days) < 2:
            return {}
        days, counts = [it.day for it in part.days], [it.judgements for it in part.days]
        return {"days": charts.timeline(days, counts, label="judgements", alt="Judgements per day")}

    def sheets(self, part: Report) -> Iterable[Sheet]:
        yield Sheet(
            "Annotators",
            [
                "annotator",
                "judgements",
                "quality",
                "agrees with others",
                "median seconds",
                "from a prediction",
                "changed",
            ],
            [
                [r.annotator, r.judgements, r.quality, r.agreement, r.median_lead_time, r.prelabeled, r.changed]
                for r in part.annotators
            ],
            shares=["agrees with others", "changed"],
            charts=[Chart("Quality of annotators, the busiest first", "bar", "annotator", ["quality"])],
        )
        days: list[list[Cell]] = [[datetime.fromisoformat(it.day), it.judgements] for it in part.days]
        chart = Chart("Judgements a day", "column", "day", ["judgements"], most=400)
        yield Sheet("Days", ["day", "judgements"], days, charts=[chart])
