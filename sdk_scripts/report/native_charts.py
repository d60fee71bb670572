"""The workbook's charts: native ones that follow the cells they are drawn from, gathered on a sheet of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xlsxwriter.worksheet import Worksheet

from sdk_scripts.report.sections import Chart
from sdk_scripts.report.sheets import Sheets, Table, cell_text

_MOST = 24
_HIGH = 18  # rows of the grid
_COLOURS = ("#3457B1", "#A15C00", "#5C6475", "#2E7D5B", "#8A3FA0")


def gallery(page: Worksheet, sheets: Sheets, charts: Sequence[tuple[Chart, Table]]) -> None:
    page.write_string(0, 0, "Charts", sheets.title)
    page.write_string(1, 0, "Each is drawn from the sheet named below its title.", sheets.soft)
    for place, (chart, table) in enumerate(charts[:_MOST]):
        drawn = sheets.book.add_chart(
            {"type": chart.kind, "subtype": "straight_with_markers"}
            if chart.kind == "scatter"
            else {"type": chart.kind}
        )
        for number, column in enumerate(chart.up):
            drawn.add_series(_series(chart, table, column, number))
        # a title that begins with = would be a reference
        title = cell_text(chart.title)[:120].lstrip("= ")
        drawn.set_title({"name": f"{title}\n{table.name}", "overlay": False, "name_font": {"size": 11, "bold": True}})
        drawn.set_legend({"none": True} if len(chart.up) == 1 else {"position": "bottom"})
        if chart.kind == "bar":
            drawn.set_y_axis({"reverse": True})
        drawn.set_size({"width": 620, "height": 20 * _HIGH - 30})
        drawn.set_chartarea({"border": {"color": "#D9DDE5"}})
        about = f"{title}; the numbers are on the sheet {table.name}."
        page.insert_chart(3 + place // 2 * _HIGH, place % 2 * 10, drawn, {"description": about})


def _series(chart: Chart, table: Table, column: str, number: int) -> dict[str, Any]:
    look = {"color": _COLOURS[number % len(_COLOURS)]}
    series: dict[str, Any] = {
        "name": [table.name, 0, table.columns.index(column)],
        "categories": f"={table.range(chart.across, chart.most)}",
        "values": f"={table.range(column, chart.most)}",
        ("fill" if chart.kind in ("bar", "column") else "line"): look,
    }
    if number == 0 and chart.interval:
        low, high = (table.values(name)[: chart.most] for name in chart.interval)
        middle = table.values(column)[: chart.most]
        series["x_error_bars" if chart.kind == "bar" else "y_error_bars"] = {
            "type": "custom",
            "minus_values": [_distance(one, end) for one, end in zip(middle, low, strict=True)],
            "plus_values": [_distance(one, end) for one, end in zip(middle, high, strict=True)],
        }
    return series


def _distance(one: float | None, other: float | None) -> float:
    return 0.0 if one is None or other is None else abs(one - other)
