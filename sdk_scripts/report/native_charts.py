"""The workbook's charts: native ones that follow the cells they are drawn from, gathered on a sheet of their own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from xlsxwriter.worksheet import Worksheet

from sdk_scripts.report.sections import Chart
from sdk_scripts.report.sheets import Sheets, Table, cell_text

_MOST = 24
_HIGH = 17  # rows of the grid
_COLOURS = ("#3457B1", "#A15C00", "#5C6475", "#2E7D5B", "#8A3FA0")
_GRID = "#D5DAE3"
_LINES = {"major_gridlines": {"visible": True, "line": {"color": _GRID}}}
_QUIET = {"name_font": {"size": 9, "bold": False}}


def gallery(page: Worksheet, sheets: Sheets, charts: Sequence[tuple[Chart, Table]]) -> None:
    page.write_string(0, 0, "Charts", sheets.title)
    page.write_string(1, 0, "Each is drawn from the sheet named below its title.", sheets.soft)
    for place, (chart, table) in enumerate(charts[:_MOST]):
        drawn = _interval(sheets, chart, table) if chart.interval else _series(sheets, chart, table)
        title = _shown(chart.title)
        drawn.set_title({"name": f"{title}\n{table.name}", "overlay": False, "name_font": {"size": 11, "bold": True}})
        drawn.set_size({"width": 620, "height": 20 * _HIGH - 30})
        drawn.set_chartarea({"border": {"color": _GRID}})
        about = f"{title}; the numbers are on the sheet {table.name}."
        page.insert_chart(3 + place // 2 * _HIGH, place % 2 * 10, drawn, {"description": about})


def _series(sheets: Sheets, chart: Chart, table: Table) -> Any:
    look = {"subtype": "straight_with_markers"} if chart.kind == "scatter" else {}
    drawn = sheets.book.add_chart({"type": chart.kind, **look})
    filled = chart.kind in ("bar", "column")
    for column, colour in zip(chart.up, itertools.cycle(_COLOURS), strict=False):
        drawn.add_series({**_cells(chart, table, column), "fill" if filled else "line": {"color": colour}})
    dates = {"date_axis": True, "num_format": "yyyy-mm-dd"} if _is_dates(table, chart.across) else {}
    across = {"name": _shown(chart.across), **_QUIET, **dates}
    up: dict[str, Any] = {"name": _shown(chart.up[0]) if len(chart.up) == 1 else "", **_QUIET, **_LINES}
    if filled and _least(chart, table) >= 0:
        up["min"] = 0
    # a bar chart lies on its side: its values are along x
    drawn.set_x_axis(up if chart.kind == "bar" else across)
    drawn.set_y_axis({**across, "reverse": True} if chart.kind == "bar" else up)
    drawn.set_legend({"none": True} if len(chart.up) == 1 else {"position": "bottom"})
    return drawn


def _interval(sheets: Sheets, chart: Chart, table: Table) -> Any:
    """A mark with a line from the lower to the upper bound, for each row."""
    assert chart.interval is not None  # noqa: S101  # the caller looked
    drawn = sheets.book.add_chart({"type": "line"})
    low, high = chart.interval
    colour = {"color": _COLOURS[0]}
    for column, mark in ((high, "diamond"), (chart.up[0], "circle"), (low, "diamond")):
        marker = {
            "type": mark,
            "size": 8 if mark == "circle" else 5,
            "fill": {"color": _COLOURS[0]},
            "border": {"color": _COLOURS[0]},
        }
        drawn.add_series({**_cells(chart, table, column), "line": {"none": True}, "marker": marker})
    drawn.set_high_low_lines({"line": {**colour, "width": 2}})
    drawn.set_x_axis({**_QUIET, "label_position": "low"})
    drawn.set_y_axis({"name": _shown(chart.up[0]), **_QUIET, **_LINES, "max": max(1, _most(chart, table))})
    drawn.set_legend({"none": True})
    return drawn


def _cells(chart: Chart, table: Table, column: str) -> dict[str, Any]:
    return {
        "name": [table.name, 0, table.columns.index(column)],
        "categories": f"={table.range(chart.across, chart.most)}",
        "values": f"={table.range(column, chart.most)}",
    }


def _shown(text: str) -> str:
    """As a title: XlsxWriter takes what begins with = or has a ! before a cell's name for a reference."""
    return cell_text(text)[:120].lstrip("= ").replace("!", "! ")


def _is_dates(table: Table, column: str) -> bool:
    return isinstance(next(iter(table.values(column)), None), datetime)


def _least(chart: Chart, table: Table) -> float:
    return min((it for name in chart.up for it in _known(table, name, chart.most)), default=0.0)


def _most(chart: Chart, table: Table) -> float:
    return max((it for name in chart.interval or () for it in _known(table, name, chart.most)), default=0.0)


def _known(table: Table, column: str, most: int) -> list[float]:
    return [it for it in table.values(column)[:most] if isinstance(it, int | float)]
