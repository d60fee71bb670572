"""The annotators, and the judgements of each day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from markupsafe import Markup

from sdk_scripts.report import charts
from sdk_scripts.report.model import Report
from sdk_scripts.report.sections import Cell, Chart, Section, Sheet, register

_MOST_DAYS = 120


@register("annotators")
class Annotators(Section):
    title = "Annotators"
    place = 40

    def part(self, report: Report) -> Report:
        return report

    def charts(self, part: Report) -> Mapping[str, Markup]:
        if len(part.days) < 2:
            return {}
        # a bar a day, a month where the days would not fit
        length, name = (10, "day") if len(part.days) <= _MOST_DAYS else (7, "month")
        counts: Counter[str] = Counter()
        for it in part.days:
            counts[it.day[:length]] += it.judgements
        alt = f"Judgements per {name}"
        return {"days": charts.timeline(list(counts), list(counts.values()), label="judgements", alt=alt)}

    def sheets(self, part: Report) -> Iterable[Sheet]:
        yield Sheet(
            "Annotators",
            [
                "annotator",
                "judgements",
                "quality",
                "low",
                "high",
                "too few to say",
                "agrees with others",
                "median seconds",
                "from a prediction",
                "changed",
            ],
            [
                [
                    r.annotator,
                    r.judgements,
                    r.quality,
                    r.quality_low,
                    r.quality_high,
                    r.few,
                    r.agreement,
                    r.median_lead_time,
                    r.prelabeled,
                    r.changed,
                ]
                for r in part.annotators
            ],
            shares=["quality", "low", "high", "agrees with others", "changed"],
            charts=[
                Chart("Quality of annotators, with its interval", "line", "annotator", ["quality"], ("low", "high"))
            ],
        )
        days: list[list[Cell]] = [[datetime.fromisoformat(it.day), it.judgements] for it in part.days]
        chart = Chart("Judgements a day", "column", "day", ["judgements"], most=400)
        yield Sheet("Days", ["day", "judgements"], days, charts=[chart])
