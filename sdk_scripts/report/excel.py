"""Report -> an Excel workbook with native charts and a tidy data sheet. Cells that hold text are written as text, so a
label or a listing that begins with `=` is shown, never run."""

from __future__ import annotations

import io
import math
import statistics
from collections.abc import Sequence
from datetime import datetime

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from sdk_scripts.report.model import Report
from sdk_scripts.report.sections import Cell, shown

_MOST_ROWS = 1_000_000  # Excel's limit is 1,048,576
_MOST_CHARACTERS = 32_000  # Excel's limit is 32,767 a cell


def workbook(report: Report) -> bytes:
    """The workbook's bytes. The figures of the first sheet are live formulas over the data sheets."""
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
        book.set_properties({"title": f"Quality report – {report.title}"})
        book.set_calc_mode("auto")
        sheets = _Sheets(book)
        summary = book.add_worksheet("Summary")
        for section, part in shown(report):
            for sheet in section.sheets(part):
                sheets.table(*sheet)
        sheets.table("Judgements", report.judgements.columns, report.judgements.rows()[:_MOST_ROWS])
        _summary(summary, sheets, report)
        _charts(book, summary, report)
    return file.getvalue()


class _Sheets:
    """Writes tables: frozen header, autofilter, column widths, one format a column."""

    def __init__(self, book: Workbook) -> None:
        self.book = book
        self.bold: Format = book.add_format({"bold": True})
        self.head: Format = book.add_format({"bold": True, "bg_color": "#E8ECF4", "bottom": 1})
        self.share: Format = book.add_format({"num_format": "0%"})
        self.decimal: Format = book.add_format({"num_format": "0.000"})
        self.time: Format = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        self.wrap: Format = book.add_format({"text_wrap": True, "valign": "top"})

    def table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], shares: Sequence[str] = ()
    ) -> Worksheet:
        sheet = self.book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, max(len(rows), 1), len(columns) - 1)
        for column, title in enumerate(columns):
            sheet.write_string(0, column, title, self.head)
            longest = max((len(str(row[column])) for row in rows[:200] if row[column] is not None), default=0)
            sheet.set_column(column, column, min(max(longest, len(title)) + 3, 60))
        for number, row in enumerate(rows, start=1):
            for column, value in enumerate(row):
                self.write(sheet, number, column, value, self.share if columns[column] in shares else None)
        return sheet

    def write(self, sheet: Worksheet, row: int, column: int, value: Cell, form: Format | None = None) -> None:
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            sheet.write_blank(row, column, None, form)
        elif isinstance(value, bool):
            sheet.write_boolean(row, column, value)
        elif isinstance(value, int | float):
            sheet.write_number(row, column, value, form or (self.decimal if isinstance(value, float) else None))
        elif isinstance(value, datetime):
            sheet.write_datetime(row, column, value, self.time)
        else:
            sheet.write_string(row, column, _printable(value), self.wrap if "\n" in value else None)


def _summary(sheet: Worksheet, sheets: _Sheets, report: Report) -> None:
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 1, 16)
    sheet.write_string(0, 0, _printable(report.title), sheets.bold)
    sheet.write_string(1, 0, f"Quality report of {report.generated_at:%Y-%m-%d %H:%M} UTC")
    overview = report.overview
    figures: list[tuple[str, str, float]] = [
        ("Judgements", "=COUNTA(Judgements!A:A)-1", report.judgements.height),
        (
            "Mean quality of annotators",
            '=IFERROR(AVERAGE(Annotators!C:C),"")',
            _mean([a.quality for a in report.annotators]),
        ),
        (
            "Lowest alpha",
            '=IF(COUNT(Agreement!F:F)=0,"",MIN(Agreement!F:F))',
            _least([c.alpha for c in report.controls]),
        ),
        ("Hard cases listed", "=COUNT('Hard cases'!A:A)", len(report.hard_cases)),
        (
            "Median seconds a judgement",
            '=IFERROR(MEDIAN(Annotators!E:E),"")',
            _median([a.median_lead_time for a in report.annotators]),
        ),
    ]
    for row, (name, value) in enumerate(
        [
            ("Tasks", overview.tasks),
            ("Labeled", overview.labeled),
            ("By two people or more", overview.overlapped),
            ("Annotators", overview.annotators),
            ("Skipped", overview.skipped),
        ],
        start=3,
    ):
        sheet.write_string(row, 0, name)
        sheet.write_number(row, 1, value)
    for row, (name, formula, result) in enumerate(figures, start=8):
        form = sheets.decimal if isinstance(result, float) else None
        sheet.write_string(row, 0, name)
        # the result is what readers show that do not calculate
        sheet.write_formula(row, 1, formula, form, "" if math.isnan(result) else result)
    sheet.write_string(14, 0, "What to do next", sheets.bold)
    for row, action in enumerate(report.actions, start=15):
        sheet.write_string(row, 0, _printable(f"{action.what} {action.why}"))
    if report.annotators_note:
        sheet.write_string(16 + len(report.actions), 0, _printable(report.annotators_note))


def _charts(book: Workbook, summary: Worksheet, report: Report) -> None:
    if report.controls:
        chart = book.add_chart({"type": "bar"})
        last = len(report.controls)
        chart.add_series(
            {
                "name": "Krippendorff's alpha",
                "categories": ["Agreement", 1, 0, last, 0],
                "values": ["Agreement", 1, 5, last, 5],
            }
        )
        chart.set_title({"name": "Agreement per control"})
        chart.set_legend({"none": True})
        chart.set_x_axis({"max": 1})
        chart.set_y_axis({"reverse": True})
        summary.insert_chart("D3", chart)
    if count := sum(len(row.labels) for row in report.controls):
        chart = book.add_chart({"type": "column"})
        chart.add_series(
            {"name": "Judgements", "categories": ["Labels", 1, 0, count, 1], "values": ["Labels", 1, 2, count, 2]}
        )
        chart.set_title({"name": "Judgements per label"})
        chart.set_legend({"none": True})
        summary.insert_chart("D19", chart)


def _printable(text: str) -> str:
    """XML cannot hold most control characters, and Excel cuts long cells with an error."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t")[:_MOST_CHARACTERS]


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Sequence[float | None]) -> float:
    known = _known(values)
    return sum(known) / len(known) if known else math.nan


def _least(values: Sequence[float | None]) -> float:
    return min(_known(values), default=math.nan)


def _median(values: Sequence[float | None]) -> float:
    known = _known(values)
    return statistics.median(known) if known else math.nan
