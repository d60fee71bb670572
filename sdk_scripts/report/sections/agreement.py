"""Whether people agree: alpha with its interval per control, and how often each label is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from sdk_scripts.report import charts
from sdk_scripts.report.model import ControlRow, Report
from sdk_scripts.report.sections import Chart, Section, Sheet, register

_MOST_BARS = 25  # a taxonomy may have hundreds of labels; the table below the chart lists more
_MOST_DRAWN, _MOST_INTERVALS = 12, 40  # of the controls


@register("agreement")
class Agreement(Section):
    title = "Do people agree?"
    place = 30

    def part(self, report: Report) -> Sequence[ControlRow]:
        return report.controls

    def charts(self, part: Sequence[ControlRow]) -> Mapping[str, Markup | dict[str, Markup]]:
        labels = {row.control: _bars(row) for row in part[:_MOST_DRAWN] if row.labels}
        known = [
            (row.control, (row.alpha_low, row.alpha, row.alpha_high))
            for row in part
            if row.alpha is not None and row.alpha_low is not None and row.alpha_high is not None
        ]
        if not known:
            return {"labels": labels}
        names, points = zip(*known[:_MOST_INTERVALS], strict=True)
        alt = "Krippendorff's alpha with its interval for each control"
        alpha = charts.intervals(names, points, label="Krippendorff's alpha, 95 % interval", alt=alt)
        return {"labels": labels, "alpha": alpha}

    def sheets(self, part: Sequence[ControlRow]) -> Iterable[Sheet]:
        yield Sheet(
            "Agreement",
            ["control", "kind", "tasks with overlap", "judgements", "pairs that agree", "alpha", "low", "high", "note"],
            [
                [r.control, r.kind, r.items, r.judgements, r.percent, r.alpha, r.alpha_low, r.alpha_high, r.note]
                for r in part
            ],
            shares=["pairs that agree"],
            charts=[Chart("Agreement beyond chance, with its interval", "line", "control", ["alpha"], ("low", "high"))],
        )
        yield Sheet(
            "Labels",
            ["control", "label", "judgements", "share", "alpha", "low", "high"],
            [
                [row.control, x.label, x.count, x.share, x.alpha, x.alpha_low, x.alpha_high]
                for row in part
                for x in row.labels
            ],
            shares=["share"],
            charts=[Chart("Judgements per label", "column", "label", ["judgements"])],
        )


def _bars(row: ControlRow) -> Markup:
    """The commonest labels first; where labels are numbers, in their order."""
    scale = len(row.labels) <= _MOST_BARS and all(label.label.replace(".", "").isdecimal() for label in row.labels)
    often = row.labels if scale else sorted(row.labels, key=lambda label: -label.count)[:_MOST_BARS]
    return charts.bars(
        [label.label for label in often],
        [label.count for label in often],
        label="judgements",
        alt=f"Judgements per label of {row.control}",
    )
