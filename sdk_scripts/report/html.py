"""Report -> one HTML file: no script, no request to anywhere, every value escaped."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from sdk_scripts.report.model import Report
from sdk_scripts.report.sections import shown

_MOST_BYTES = 2_900_000
_SURROGATES = re.compile("[\ud800-\udfff]")
_TABLE = re.compile(r'(<summary>([^<]*)</summary>\s*)?<div class="scroll">\s*<table>\s*(<caption)?')


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
    """The report as a complete HTML document of less than 3 MB."""
    sections = []
    numbers = itertools.count(1)
    for section, part in shown(report):
        made = template(f"sections/{section.name}.html", **FILTERS)
        text = made.render(part=part, report=report, charts=section.charts(part))
        sections.append({"name": section.name, "title": section.title, "body": _scrolled(text, numbers)})
    while sum(len(it["body"].encode(errors="replace")) for it in sections) > _MOST_BYTES:
        longest = max(sections, key=lambda it: len(it["body"]))
        longest["body"] = Markup("<p>This is too long for a page. The workbook has it all.</p>")
    document = template("report.html", **FILTERS).render(report=report, sections=sections)
    return _SURROGATES.sub("\ufffd", document)


def _scrolled(body: str, numbers: itertools.count[int]) -> Markup:
    """Tables too wide for a screen scroll: the keyboard gets there, too, and is told where it is. A table without
    caption is called what it is folded under."""

    def named(found: re.Match[str]) -> str:
        summary, title, caption = found.groups(default="")
        name = f"table-{next(numbers)}"
        start = f'{summary}<div class="scroll" role="group" tabindex="0" aria-labelledby="{name}"><table>\n'
        if caption:
            return f'{start}<caption id="{name}"'
        return f'{start}<caption id="{name}" class="unseen">{title or "Table"}</caption>\n'

    # values in the body are escaped: they can hold no such tag
    return Markup(_TABLE.sub(named, body))  # noqa: S704


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f} s" if value < 90 else f"{value / 60:.1f} min"


def _short(text: str, length: int = 160) -> str:
    """What a table has room for of a label or a name."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _prose(text: str) -> Markup:
    """A sentence; what stands in backticks is code."""
    return Markup(re.sub(r"`([^`<]+)`", r"<code>\1</code>", str(escape(_short(text, 2_000)))))  # noqa: S704  # escaped


FILTERS: dict[str, Callable[..., str]] = {
    "percent": _percent,
    "number": _number,
    "count": _count,
    "seconds": _seconds,
    "short": _short,
    "prose": _prose,
}
