"""Report -> an Excel workbook: a summary of live formulas, native charts, the sections' tables, and a tidy sheet of
all judgements."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from sdk_scripts.report.headline_formulas import headline_formulas
from sdk_scripts.report.long_sheets import fill
from sdk_scripts.report.model import Report
from sdk_scripts.report.native_charts import gallery
from sdk_scripts.report.sections import Chart, Sheet, shown
from sdk_scripts.report.sheets import MOST_ROWS, Sheets, Table, cell_text

_WIDTHS = (46, 16, 66)  # of the summary's columns, in characters


def workbook(report: Report) -> bytes:
    """The workbook's bytes. Every figure of the first sheet is a live formula over the other sheets."""
    file = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": False,
        "remove_timezone": True,
    }
    with xlsxwriter.Workbook(file, options) as book:
        book.set_properties({"title": cell_text(f"Quality report – {report.title}")})
        book.set_calc_mode("auto")
        book.set_size(2400, 1500)
        sheets = Sheets(book)
        summary, pictures = sheets.page("Summary"), sheets.page("Charts")
        charts: list[tuple[Chart, Table]] = []
        for sheet in _all_sheets(report):
            table = sheets.add(sheet)
            charts += [(chart, table) for chart in sheet.charts if len(table.rows)]
        judgements = sheets.tables["Judgements"]
        if len(judgements.rows):
            area = f"Judgements!$A$1:${xl_col_to_name(len(judgements.columns) - 1)}${len(judgements.rows) + 1}"
            book.define_name("All_judgements", f"={area}")  # what a pivot table is made of
        _summary(summary, sheets, report)
        gallery(pictures, sheets, charts)
    return fill(file.getvalue(), sheets.streamed)


def _all_sheets(report: Report) -> Iterator[Sheet]:
    counts = [[it.annotators, it.tasks, it.predicted, it.skipped] for it in report.overlap]
    yield Sheet(
        "Tasks",
        ["annotators", "tasks", "with a prediction", "skipped"],
        counts,
        charts=[Chart("Tasks by the number of people who judged them", "column", "annotators", ["tasks"])],
    )
    for section, part in shown(report):
        yield from section.sheets(part)
    yield Sheet("Judgements", report.judgements.columns, report.judgements)


def _summary(page: Worksheet, sheets: Sheets, report: Report) -> None:
    for column, width in enumerate(_WIDTHS):
        page.set_column(column, column, width)
    page.write_string(0, 0, cell_text(report.title), sheets.title)
    page.write_string(1, 0, f"Quality report of {report.generated_at:%Y-%m-%d %H:%M} UTC", sheets.soft)
    row = _lines(page, sheets, 2, "", report.headline) + 1
    page.write_row(row, 0, ["Figure", "Value", "Made of"], sheets.head)
    for figure, formula, value in headline_formulas(sheets.tables):
        row += 1
        page.write_string(row, 0, figure.name, sheets.look["text"])
        page.write_array_formula(row, 1, row, 1, formula, sheets.look[figure.look], value)
        page.write_string(
            row, 2, ", ".join(f"{column} ({name})" for name, column in figure.columns), sheets.look["text"]
        )
    row = _lines(page, sheets, row + 2, "What to do next", [f"{it.what} {it.why}" for it in report.actions])
    cut = [
        f"The sheet {table.name} holds the first {MOST_ROWS:,} rows; Excel has no room for {table.left_out:,} more."
        for table in sheets.tables.values()
        if table.left_out
    ]
    said = [*cut, *filter(None, [report.annotators_note]), *report.notes]
    _lines(page, sheets, row + 1, "What this report could not say", said)


def _lines(page: Worksheet, sheets: Sheets, row: int, title: str, lines: Sequence[str]) -> int:
    """Sentences below one another, each over all columns; the row after them."""
    if title and lines:
        page.write_string(row, 0, title, sheets.bold)
        row += 1
    for line in lines:
        page.merge_range(row, 0, row, len(_WIDTHS) - 1, "")
        sheets.write(page, row, 0, line)
        page.set_row(row, 15 * min(20, 1 + len(line) // sum(_WIDTHS)))
        row += 1
    return row
