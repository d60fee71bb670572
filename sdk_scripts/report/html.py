"""Report -> one HTML file: no script, no request to anywhere, every value escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from sdk_scripts.report import charts
from sdk_scripts.report.model import Report, VersionRow
from sdk_scripts.report.sections import in_order

_HARD_CASES_SHOWN = 50
_FINDINGS_SHOWN = 50
_VERSIONS_SHOWN = 5
_MOST_BARS = 25  # a taxonomy may have hundreds of labels; the table below the chart lists them all


def template(name: str, **filters: Callable[..., str]) -> Template:
    """A template of this package: everything put into it is escaped, and a name it does not have is an error."""
    environment = Environment(
        loader=PackageLoader("sdk_scripts.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment.get_template(name)


def page(report: Report) -> str:
    """The report as a complete HTML document."""
    from sdk_scripts.sampling.certificate import certificate_html

    filters = {"percent": _percent, "number": _number, "seconds": _seconds}
    sections = []
    for section in in_order():
        if (part := report.sections.get(section.name)) is not None:
            text = template(f"sections/{section.name}.html", **filters).render(
                part=part, report=report, charts=section.charts(part)
            )
            sections.append({"name": section.name, "title": section.title, "body": Markup(text)})  # noqa: S704  # escaped
    return template("report.html", **filters).render(
        report=report,
        charts=dict(_charts(report)),
        hard_cases=report.hard_cases[:_HARD_CASES_SHOWN],
        findings=report.inspection.findings[:_FINDINGS_SHOWN] if report.inspection else [],
        shown_versions=_shown_versions(report),
        sections=sections,
        lots=[certificate_html(lot) for lot in report.lots],
    )


def _shown_versions(report: Report) -> list[VersionRow]:
    """Those with a reliability diagram: the live version first, and the newest others."""
    live = [version for version in report.versions if version.live]
    return [*live, *(version for version in report.versions if not version.live)][:_VERSIONS_SHOWN]


def _charts(report: Report) -> Iterator[tuple[str, Markup]]:
    known = [
        (row.control, (row.alpha_low, row.alpha, row.alpha_high))
        for row in report.controls
        if row.alpha is not None and row.alpha_low is not None and row.alpha_high is not None
    ]
    if known:
        names, points = zip(*known, strict=True)
        yield (
            "agreement",
            charts.intervals(
                names,
                points,
                label="Krippendorff's alpha, 95 % interval",
                alt="Krippendorff's alpha with its interval for each control",
            ),
        )
    for row in report.controls:
        if row.labels:
            shown = sorted(row.labels, key=lambda label: -label.count)[:_MOST_BARS]
            yield (
                f"labels:{row.control}",
                charts.bars(
                    [label.label for label in shown],
                    [label.count for label in shown],
                    label="judgements",
                    alt=f"Judgements per label of {row.control}",
                ),
            )
    for version in _shown_versions(report):
        for control, bins in version.reliability.items():
            if bins:
                yield (
                    f"reliability:{version.version}:{control}",
                    charts.reliability(
                        [b.confidence for b in bins],
                        [b.accuracy for b in bins],
                        [b.count for b in bins],
                        alt=f"Reliability of {control}: share of right answers against the confidence given",
                    ),
                )
    if len(report.days) > 1:
        yield (
            "days",
            charts.timeline(
                [day.day for day in report.days],
                [day.judgements for day in report.days],
                label="judgements",
                alt="Judgements per day",
            ),
        )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f} s" if value < 90 else f"{value / 60:.1f} min"
