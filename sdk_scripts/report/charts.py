"""Charts as inline SVG that follows the page's colours, light or dark. Each stands beside a table with its numbers."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# matplotlib wants colours, the page has CSS variables: each stand-in is replaced by its variable in the finished SVG.
_INK, _GRID, _SERIES, _SECOND = "#010101", "#020202", "#030303", "#040404"
_VARIABLES = {_INK: "currentColor", _GRID: "var(--grid)", _SERIES: "var(--series)", _SECOND: "var(--second)"}
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tiebreak",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "text.parse_math": False,  # labels are untrusted text, not formulas
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "ytick.left": False,
}


def intervals(names: Sequence[str], points: Sequence[tuple[float, float, float]], *, label: str, alt: str) -> Markup:
    """A point with its interval for each name: (low, middle, high)."""

    def draw(axes: Axes) -> None:
        rows = range(len(names))[::-1]
        axes.hlines(rows, [p[0] for p in points], [p[2] for p in points], color=_SERIES, linewidth=3, alpha=0.45)
        axes.plot([p[1] for p in points], rows, "o", color=_SERIES)
        axes.set_yticks(list(rows), [_short(name) for name in names])
        axes.set_xlim(min(0.0, *(p[0] for p in points)) - 0.02, 1.02)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlabel(label)
        axes.grid(axis="y", visible=False)

    return _svg(draw, height=0.9 + 0.42 * len(names), alt=alt)


def bars(names: Sequence[str], values: Sequence[float], *, label: str, alt: str) -> Markup:
    """Horizontal bars, the value written at the end of each."""

    def draw(axes: Axes) -> None:
        rows = range(len(names))[::-1]
        drawn = axes.barh(rows, values, color=_SERIES, height=0.62)
        axes.bar_label(drawn, [f"{value:,.0f}" for value in values], padding=4)
        axes.set_yticks(list(rows), [_short(name) for name in names])
        axes.set_xlim(0, max(values, default=1) * 1.12 or 1)
        axes.set_ylim(-0.7, len(names) - 0.3)
        axes.set_xlabel(label)
        axes.grid(axis="y", visible=False)

    return _svg(draw, height=0.9 + 0.34 * len(names), alt=alt)


def reliability(confidence: Sequence[float], accuracy: Sequence[float], counts: Sequence[int], *, alt: str) -> Markup:
    """Reliability diagram: where confidence is honest, the points lie on the diagonal. Point area follows count."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=_SECOND, linewidth=1, linestyle="--")
        biggest = max(counts, default=1)
        axes.scatter(confidence, accuracy, s=[20 + 160 * count / biggest for count in counts], color=_SERIES, alpha=0.8)
        axes.plot(confidence, accuracy, color=_SERIES, linewidth=1)
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="confidence given", ylabel="share that was right")

    return _svg(draw, width=4.2, height=3.6, alt=alt)


def curves(lines: Mapping[str, Sequence[tuple[float, float]]], *, across: str, up: str, alt: str) -> Markup:
    """Up to five named lines of (x, y), x on a logarithmic scale, the first one the strongest."""

    def draw(axes: Axes) -> None:
        looks = ((_SERIES, "-", 2.2), (_INK, "-", 1.2), (_SECOND, "--", 1.2), (_SECOND, ":", 1.6), (_INK, ":", 1.2))
        for (name, points), (colour, style, width) in zip(lines.items(), looks, strict=False):
            marker = "o" if style == "-" and len(points) < 40 else None
            xs, ys = [x for x, _ in points], [y for _, y in points]
            axes.plot(xs, ys, style, color=colour, linewidth=width, marker=marker, markersize=3.5, label=_short(name))
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
        axes.xaxis.set_minor_formatter(lambda *_: "")
        axes.set(xlabel=across, ylabel=up)
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(lines), fontsize=9)

    return _svg(draw, height=3.6, alt=alt)


def operating_characteristic(lines: Mapping[str, Sequence[tuple[float, float]]], *, alt: str) -> Markup:
    """Up to three named plans: the probability to accept a lot (up) by its share of wrong labels, both 0–1."""

    def draw(axes: Axes) -> None:
        looks = ((_SERIES, "-", 2.2), (_INK, "--", 1.4), (_SECOND, ":", 1.6))
        for (name, points), (colour, style, width) in zip(lines.items(), looks, strict=False):
            xs, ys = [100 * x for x, _ in points], [y for _, y in points]
            axes.plot(xs, ys, style, color=colour, linewidth=width, label=_short(name))
        axes.set(xlim=(0, None), ylim=(0, 1.02), xlabel="wrong labels in the lot, %", ylabel="probability to accept")
        axes.legend(frameon=False)

    return _svg(draw, height=3.2, alt=alt)


def timeline(days: Sequence[str], values: Sequence[float], *, label: str, alt: str) -> Markup:
    def draw(axes: Axes) -> None:
        axes.bar(range(len(days)), values, color=_SERIES, width=0.8)
        step = -(-len(days) // 6)
        axes.set_xticks(range(0, len(days), step), list(days)[::step])
        axes.set_ylabel(label)
        axes.grid(axis="x", visible=False)

    return _svg(draw, height=2.4, alt=alt)


def _svg(draw: Callable[[Axes], None], *, height: float, alt: str, width: float = 7.2) -> Markup:
    with rc_context(_STYLE):  # type: ignore[arg-type]  # matplotlib types every key of its own
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure.subplots())
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    svg = _own_names(re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL), alt)
    # matplotlib escapes the texts it writes into the SVG; `alt` is escaped here
    opening = str(Markup('<svg role="img" aria-label="{}" ').format(alt))
    return Markup(opening + svg.removeprefix("<svg"))  # noqa: S704  # made above, from escaped parts


def _own_names(svg: str, alt: str) -> str:
    """A page holds many charts: ids that something in the chart points to become its own, the others go."""
    chart = hashlib.sha256(f"{alt}\n{svg}".encode(errors="replace")).hexdigest()[:8]
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda it: f' id="{chart}-{it[1]}"' if it[1] in used else "", svg)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{chart}-", svg)


def _short(name: str, length: int = 34) -> str:
    printable = "".join(character if character.isprintable() else " " for character in name)
    return printable if len(printable) <= length else printable[: length - 1] + "…"
