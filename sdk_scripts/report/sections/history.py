"""The headline figures from report to report, of the project's history and this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from markupsafe import Markup
from pydantic import BaseModel, ConfigDict

from ml_backend.labeling.kinds import finite
from ml_backend.labeling.results import read_time
from sdk_scripts.report.kept import ALPHA, figures, history_of
from sdk_scripts.report.sections import Cell, Given, Section, Sheet, register

if TYPE_CHECKING:
    from ml_backend.report_history import Kept

MOST = 30
"""Reports, this one among them."""
MOST_ALPHAS = 12
"""Controls whose agreement is followed."""
_WIDTH, _HEIGHT, _EDGE = 140, 32, 3
_COUNTS = {"labeled": ("labeled tasks", 0), "judgements": ("judgements", 0), "annotators": ("annotators", 0)}
_MEASURES = {
    "quality": ("mean quality of annotators", 2),
    "hard_cases": ("hard cases", 0),
    "findings_high": ("findings of high severity", 0),
    "median_seconds": ("median seconds a task", 1),
    "live_accuracy": ("accuracy of the live model", 2),
}
"""Name of a figure -> what it is called, and its digits after the point."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Point(_Part):
    id: str
    """In the history; empty: this report."""
    made_at: datetime
    why: str
    figures: dict[str, float | None]


class Trend(_Part):
    figure: str
    name: str
    digits: int
    values: list[float | None]
    """One a report, as many as there are `reports`."""

    @property
    def known(self) -> list[float]:
        return [value for value in self.values if value is not None]


class HistoryPart(_Part):
    reports: list[Point]
    """The oldest first, this one last."""
    trends: list[Trend]
    """Of the figures that two reports or more can say."""


@register("history")
class History(Section):
    title = "From report to report"
    place = 95

    def collect(self, given: Given) -> HistoryPart | None:
        """None for a file, and for a project's first report. Raises ModelUnavailable."""
        history = history_of(given.evidence.dataset, given.settings)
        if history is None:
            return None
        earlier = [point for it in history.kept(MOST - 1) if (point := _point(it)) is not None]
        if not earlier:
            return None
        parts = {name: part.model_dump(mode="json") for name, part in given.parts.items() if name == "inspection"}
        now = Point(
            id="",
            made_at=given.core.generated_at,
            why="this report",
            figures=figures({**given.core.to_json(), **parts}),
        )
        reports = [*sorted(earlier, key=lambda point: point.made_at), now]
        return HistoryPart(reports=reports, trends=list(_trends(reports)))

    def charts(self, part: HistoryPart) -> Mapping[str, Markup]:
        return {trend.figure: _sparkline(trend) for trend in part.trends}

    def sheets(self, part: HistoryPart) -> Iterable[Sheet]:
        columns = ["made", "why", "report", *(trend.name for trend in part.trends)]
        rows: list[list[Cell]] = [
            [point.made_at, point.why, point.id, *(trend.values[place] for trend in part.trends)]
            for place, point in enumerate(part.reports)
        ]
        yield Sheet("From report to report", columns, rows)


def _point(kept: Kept) -> Point | None:
    """None where its file was edited so that it cannot be read."""
    made_at = read_time(kept.made_at)
    if made_at is None:
        return None
    numbers = {str(name): _number(value) for name, value in kept.figures.items()}
    return Point(id=kept.id, made_at=made_at, why=kept.why, figures=numbers)


def _number(value: object) -> float | None:
    number = finite(value)
    return None if number is None else float(number)


def _trends(reports: Sequence[Point]) -> Iterator[Trend]:
    alphas = [name for name in reports[-1].figures if name.startswith(ALPHA)][:MOST_ALPHAS]
    words = {**_COUNTS, **{name: (f"alpha of {name.removeprefix(ALPHA)}", 2) for name in alphas}, **_MEASURES}
    for figure, (name, digits) in words.items():
        trend = Trend(figure=figure, name=name, digits=digits, values=[it.figures.get(figure) for it in reports])
        if len(trend.known) > 1:
            yield trend


def _sparkline(trend: Trend) -> Markup:
    """A line from the oldest report to this one, broken where a report does not say; its last point is marked."""
    low, high = min(trend.known), max(trend.known)
    step = (_WIDTH - 2 * _EDGE) / max(len(trend.values) - 1, 1)

    def place(at: int, value: float) -> str:
        share = (value - low) / (high - low) if high > low else 0.5
        return f"{_EDGE + at * step:.1f},{_HEIGHT - _EDGE - share * (_HEIGHT - 2 * _EDGE):.1f}"

    runs: list[list[str]] = [[]]
    for at, value in enumerate(trend.values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(place(at, value))
    lines = Markup("").join(
        Markup('<path d="M{} h0" style="stroke:var(--series);stroke-width:3;stroke-linecap:round"/>').format(run[0])
        if len(run) == 1
        else Markup('<polyline points="{}" style="fill:none;stroke:var(--series);stroke-width:1.6"/>').format(
            " ".join(run)
        )
        for run in runs
        if run
    )
    x, y = [run for run in runs if run][-1][-1].split(",")
    last = Markup('<circle cx="{}" cy="{}" r="2.6" style="fill:var(--series)"/>').format(x, y)
    alt = f"{trend.name}, from {trend.known[0]:,.{trend.digits}f} to {trend.known[-1]:,.{trend.digits}f}"
    opening = Markup('<svg role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">').format(
        alt, _WIDTH, _HEIGHT, _WIDTH, _HEIGHT
    )
    return opening + lines + last + Markup("</svg>")
