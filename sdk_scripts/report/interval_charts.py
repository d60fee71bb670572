"""Figures with their intervals along time, or along a number: lines whose points have whiskers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup
from matplotlib.axes import Axes

from sdk_scripts.report.charts import _GRID, _INK, _SECOND, _SERIES, _short, _svg

MOST_LINES = 4
Point = tuple[float, float, float, float]
"""Where, and the figure's low end, middle and high end."""


def along(
    lines: Mapping[str, Sequence[Point]],
    *,
    across: str,
    up: str,
    alt: str,
    names: Sequence[str] = (),
    logarithmic: bool = False,
    bounds: Sequence[float] = (),
) -> Markup:
    """The first MOST_LINES lines. `names` stand below the places 0, 1, …; `bounds` are drawn across, as marks."""

    def draw(axes: Axes) -> None:
        looks = ((_SERIES, "o", "-"), (_INK, "s", "--"), (_SECOND, "^", "-."), (_INK, "x", ":"))
        shown = list(lines.items())[:MOST_LINES]
        for place, ((name, points), (colour, marker, style)) in enumerate(zip(shown, looks, strict=False)):
            aside = 0.0 if logarithmic else 0.08 * (place - (len(shown) - 1) / 2)
            at = [x + aside for x, *_ in points]
            middle = [y for _, _, y, _ in points]
            below, above = [y - low for _, low, y, _ in points], [high - y for _, _, y, high in points]
            axes.errorbar(
                at,
                middle,
                yerr=[[max(it, 0) for it in below], [max(it, 0) for it in above]],
                color=colour,
                marker=marker,
                linestyle=style,
                markersize=4.5,
                linewidth=1.4,
                elinewidth=1.2,
                capsize=2.5,
                label=_short(name),
            )
        for bound in bounds:
            axes.axhline(bound, color=_GRID, linewidth=1.2, linestyle="--")
        if logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
            axes.xaxis.set_minor_formatter(lambda *_: "")
        if names:
            step = max(1, -(-len(names) // 8))
            axes.set_xticks(range(0, len(names), step), list(names)[::step])
            axes.set_xlim(-0.5, len(names) - 0.5)
        axes.set(xlabel=across, ylabel=up)
        if len(shown) > 1:
            axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=9)

    return _svg(draw, height=3.4, alt=alt)
