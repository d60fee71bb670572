"""Report -> one HTML file: no script, no request to anywhere, every value escaped."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from sdk_scripts.report.model import Report
from sdk_scripts.report.sections import shown


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
    filters = {"percent": _percent, "number": _number, "seconds": _seconds}
    sections = []
    for section, part in shown(report):
        text = template(f"sections/{section.name}.html", **filters).render(
            part=part, report=report, charts=section.charts(part)
        )
        sections.append({"name": section.name, "title": section.title, "body": Markup(text)})  # noqa: S704  # escaped
    return template("report.html", **filters).render(report=report, sections=sections)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f} s" if value < 90 else f"{value / 60:.1f} min"
