"""The model versions, how good they are, and how honest their confidence is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from sdk_scripts.report import charts
from sdk_scripts.report.model import Report, VersionRow
from sdk_scripts.report.sections import Cell, Chart, Section, Sheet, register

_MOST_DRAWN, _MOST_CONTROLS = 5, 6


@register("models")
class Models(Section):
    title = "Model versions"
    place = 80

    def part(self, report: Report) -> Sequence[VersionRow]:
        """The live version first, then the newest; empty where none is trained."""
        return [*(it for it in report.versions if it.live), *(it for it in report.versions if not it.live)]

    def charts(self, part: Sequence[VersionRow]) -> Mapping[str, Mapping[str, Markup]]:
        """Version -> control -> reliability diagram, for the first few versions."""
        return {
            version.version: {
                control: charts.reliability(
                    [b.confidence for b in bins],
                    [b.accuracy for b in bins],
                    [b.count for b in bins],
                    alt=f"Reliability of {version.version} for {control}: share that was right by the confidence given",
                )
                for control, bins in list(version.reliability.items())[:_MOST_CONTROLS]
                if bins
            }
            for version in part[:_MOST_DRAWN]
        }

    def sheets(self, part: Sequence[VersionRow]) -> Iterable[Sheet]:
        yield Sheet(
            "Models",
            [
                "version",
                "live",
                "trained",
                "labels",
                "control",
                "accuracy",
                "macro F1",
                "calibration error",
                "acceptable at 95 %",
                "why live or not",
            ],
            [
                [
                    v.version,
                    v.live,
                    v.created_at,
                    v.labels,
                    c,
                    m.get("accuracy"),
                    m.get("macro_f1"),
                    m.get("ece"),
                    m.get("coverage_95"),
                    v.reason,
                ]
                for v in part
                for c, m in v.metrics.items()
            ],
            shares=["accuracy", "acceptable at 95 %"],
        )
        bins: list[list[Cell]] = [
            [v.version, v.live, control, b.confidence, b.accuracy, b.count]
            for v in part
            for control, found in v.reliability.items()
            for b in found
        ]
        columns = ["version", "live", "control", "confidence given", "share that was right", "tasks"]
        yield Sheet("Reliability", columns, bins, charts=[_scatter(bins)] if bins else [])


def _scatter(bins: Sequence[Sequence[Cell]]) -> Chart:
    """Of the first version, which is the live one, and its first control."""
    version, _, control, *_ = bins[0]
    most = sum(row[0] == version and row[2] == control for row in bins)
    title = f"Reliability of {version} for {control}"
    return Chart(title, "scatter", "confidence given", ["share that was right"], most=most)
