"""Agreement of each control and label over time, within the data.

A task belongs to the day on which a second person answered it, from when on it can be compared: what is added later to
an old task moves nothing. Stretches with too few tasks are joined with the next, so that no point is an accident of
five tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Literal

import polars as pl
from markupsafe import Markup
from pydantic import BaseModel

from ml_backend.labeling.agreement import ControlAgreement, LabelAgreement, agreement
from ml_backend.labeling.annotator_agreement import plain
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.report.chance import Estimate, beyond_chance, holm, p_value
from sdk_scripts.report.compare import alpha
from sdk_scripts.report.interval_charts import MOST_LINES, along
from sdk_scripts.report.sections import Chart, Given, Section, Sheet, register
from sdk_scripts.wording import short

LEAST_ITEMS = 30
"""Tasks with two judgements in a stretch of time: of fewer, the interval of alpha hardly fits the chart."""
MOST_BINS = 16
LEAST_OF_LABEL = 10
"""Judgements that gave a label, in a stretch, from which on its alpha is said."""

Step = Literal["day", "week", "month"]


class Point(BaseModel, frozen=True):
    since: str
    """The first day, ISO 8601."""
    until: str
    """The last."""
    items: int
    """Tasks with two judgements or more."""
    count: int
    """Judgements that gave the label; all of the control, of a control."""
    alpha: float | None
    alpha_low: float | None
    alpha_high: float | None


class Line(BaseModel, frozen=True):
    control: str
    label: str
    """"" for the control as a whole."""
    points: list[Point]
    said: str


class TrendPart(BaseModel, frozen=True):
    step: Step
    lines: list[Line]
    """A control's own before its labels."""
    undated: int
    """Judgements without a time: in no point."""


@register("trend")
class Trend(Section):
    title = "Over time"
    place = 35

    def collect(self, given: Given) -> TrendPart | None:
        """None where no control has two stretches of time to compare."""
        return trend(given.evidence.judgements, given.evidence.config)

    def charts(self, part: TrendPart) -> Mapping[str, Markup]:
        found = {}
        for control in dict.fromkeys(it.control for it in part.lines):
            lines = [it for it in part.lines if it.control == control]
            starts = [point.since for point in lines[0].points]
            drawn = {
                it.label or control: [
                    (float(starts.index(p.since)), p.alpha_low, p.alpha, p.alpha_high)
                    for p in it.points
                    if p.alpha is not None and p.alpha_low is not None and p.alpha_high is not None
                ]
                for it in (lines[0], *_most_changed(lines[1:]))
            }
            found[control] = along(
                {name: points for name, points in drawn.items() if points},
                across=f"tasks by the {part.step} of their second answer",
                up="alpha, 95 % interval",
                alt=f"Krippendorff's alpha of {control} over time, with its interval",
                names=starts,
                bounds=(0.667, 0.8),
            )
        return found

    def sheets(self, part: TrendPart) -> Iterable[Sheet]:
        names = list(Point.model_fields)
        rows = [[it.control, it.label, *(getattr(p, name) for name in names)] for it in part.lines for p in it.points]
        first = part.lines[0]
        title = f"Agreement on {short(first.control)} over time"
        chart = Chart(title, "line", "since", ["alpha"], ("alpha low", "alpha high"), len(first.points))
        columns = ["control", "label", *(name.replace("_", " ") for name in names)]
        yield Sheet("Over time", columns, rows, charts=[chart])


def trend(judgements: pl.DataFrame, config: LabelConfig) -> TrendPart | None:
    """`judgements`: each annotator's last judgement of each control of each task (`labeling.judgements.SCHEMA`)."""
    at = pl.coalesce("created_at", "updated_at").dt.date().alias("at")
    rows = judgements.with_columns(at)
    dated = rows.drop_nulls("at")
    second = dated.group_by("control", "task").agg(
        pl.col("at").sort().get(1, null_on_oob=True).alias("day")  # the day it could first be compared
    )
    told = dated.join(second.drop_nulls("day"), on=["control", "task"])
    if told.is_empty():
        return None
    step = _step(told["day"].min(), told["day"].max())  # type: ignore[arg-type]  # of dates
    lines: list[Line] = []
    for control in config.answerable:
        kind = kind_of(control)
        if kind is None or kind.name == "text":
            continue
        mine = told.filter(pl.col("control") == control.name)
        bins = _bins(mine.group_by("day").agg(pl.col("task").n_unique()).sort("day"), step)
        if len(bins) < 2:
            continue
        lines += _lines(mine, config, control.name, bins)
    if not lines:
        return None
    return TrendPart(step=step, lines=_with_words(lines), undated=rows["at"].null_count())


def _step(first: date, last: date) -> Step:
    days = (last - first).days
    return "day" if days < 3 * 7 else "week" if days < 7 * MOST_BINS else "month"


def _bins(days: pl.DataFrame, step: Step) -> list[tuple[date, date]]:
    """First and last day of stretches that have enough tasks. `days`: [day, task], the number of tasks of each."""
    every = {"day": "1d", "week": "1w", "month": "1mo"}[step]
    counted = (
        days.group_by(pl.col("day").dt.truncate(every).alias("start"))
        .agg(pl.col("task").sum(), pl.col("day").max().alias("last"))
        .sort("start")
    )
    least = max(LEAST_ITEMS, -(-int(counted["task"].sum()) // (4 * MOST_BINS)))
    found: list[tuple[date, date]] = []
    tasks = 0
    since: date | None = None
    for start, n, last in counted.iter_rows():
        since, tasks = since or start, tasks + n
        if tasks >= least:
            found.append((since, last))
            since, tasks = None, 0
    if since is not None and found:  # what is left at the end is too little for a point of its own
        found[-1] = (found[-1][0], counted["last"][-1])
    while len(found) > MOST_BINS:
        found = [(pair[0][0], pair[-1][1]) for pair in (found[i : i + 2] for i in range(0, len(found), 2))]
    return found


def _lines(rows: pl.DataFrame, config: LabelConfig, control: str, bins: Sequence[tuple[date, date]]) -> list[Line]:
    points: dict[str, list[Point]] = {"": []}
    for since, until in bins:
        part = rows.filter(pl.col("day").is_between(since, until)).drop("at", "day")
        found = agreement(part, config).controls[control]
        days = {"since": since.isoformat(), "until": until.isoformat(), "items": found.items}
        points[""].append(_point(found, days, found.judgements))
        for label, it in found.labels.items():
            if it.count >= LEAST_OF_LABEL:
                points.setdefault(label, []).append(_point(it, days, it.count))
    return [Line(control=control, label=label, points=them, said="") for label, them in points.items() if len(them) > 1]


def _point(found: ControlAgreement | LabelAgreement, days: Mapping[str, Any], count: int) -> Point:
    figures = {name: plain(getattr(found, name)) for name in ("alpha", "alpha_low", "alpha_high")}
    return Point(**days, **figures, count=count)


def _with_words(lines: Sequence[Line]) -> list[Line]:
    """First against last; labels are many, so theirs are held to what chance gives among all of them."""
    ends = [_ends(it) for it in lines]
    labels = [place for place, it in enumerate(lines) if it.label and ends[place]]
    sure = dict(zip(labels, holm([p_value(*ends[place]) for place in labels]), strict=True))  # type: ignore[misc]  # known
    said = []
    for place, (it, pair) in enumerate(zip(lines, ends, strict=True)):
        if pair is None:
            words = "Alpha is undefined at the beginning or the end."
        else:
            old, new = pair
            beyond = sure[place] if place in sure else beyond_chance(old, new)
            way = "better" if new.value > old.value else "worse"
            words = f"{_words(old)} → {_words(new)}: {f'{way} by more than chance' if beyond else 'within chance'}."
        said.append(it.model_copy(update={"said": words}))
    return said


def _ends(line: Line) -> tuple[Estimate, Estimate] | None:
    first, last = (alpha(point.model_dump(), point.items) for point in (line.points[0], line.points[-1]))
    return (first, last) if first and last else None


def _words(it: Estimate) -> str:
    return f"{it.value:.2f} ({it.low:.2f} to {it.high:.2f})"


def _most_changed(lines: Sequence[Line]) -> list[Line]:
    """Of labels, as many as the chart has room for."""

    def change(line: Line) -> float:
        pair = _ends(line)
        return abs(pair[1].value - pair[0].value) if pair else 0.0

    return sorted(lines, key=lambda it: -change(it))[: MOST_LINES - 1]
