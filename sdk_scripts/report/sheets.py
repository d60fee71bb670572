"""The workbook's tables: frozen header, filter, widths, print set-up. Text is written as text and stays text when a
reader edits the cell, so what begins with `=` is shown and never run."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any

import polars as pl
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from sdk_scripts.report.sections import Cell, Sheet

MOST_ROWS = 1_048_575
"""Excel's limit, less the header."""
_MOST_CHARACTERS = 32_767  # of UTF-16, a cell
_MOST_LINKS = 1_000
_LONG = 5_000  # rows from which a table is streamed into the finished file
_LOOKED_AT = 200
_WIDEST = 60
_PAGE = 220  # characters that a page in landscape is wide, small but legible
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_RISKY = ("=", "+", "-", "@", "\t", "\n")
_NAME_LENGTH = 31


def cell_text(text: str) -> str:
    """What a cell can hold of the text: no control characters and bidirectional overrides, Excel's length at most."""
    plain = _UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if len(plain) <= _MOST_CHARACTERS // 2:  # a character is two units of UTF-16 at most
        return plain
    units = plain.encode("utf-16-le")
    if len(units) <= 2 * _MOST_CHARACTERS:
        return plain
    return units[: 2 * (_MOST_CHARACTERS - 1)].decode("utf-16-le", "ignore") + "…"


def is_risky(text: str) -> bool:
    """A reader who edits the cell, or saves it as CSV, would make a formula of it."""
    return text.startswith(_RISKY)


def sheet_name(wanted: str, taken: Sequence[str]) -> str:
    """A name that Excel allows, and that no other sheet has."""
    plain = " ".join(re.sub(r"[\[\]:*?/\\]", " ", _UNWRITABLE.sub("", wanted)).split()).strip("'") or "Sheet"
    others = {name.casefold() for name in (*taken, "History")}  # Excel keeps that one for itself
    for number in range(1, len(others) + 2):
        ending = f" {number}" if number > 1 else ""
        room = 2 * (_NAME_LENGTH - len(ending))
        name = plain.encode("utf-16-le")[:room].decode("utf-16-le", "ignore").strip("' ") + ending
        if name.casefold() not in others:
            return name
    raise AssertionError("there are more numbers than names")


class Table:
    """A table as it stands in the workbook."""

    def __init__(self, name: str, sheet: Sheet) -> None:
        self.name = name
        self.columns = list(sheet.columns)
        self.rows = sheet.rows[:MOST_ROWS]
        self.left_out = len(sheet.rows) - len(self.rows)

    @property
    def frame(self) -> pl.DataFrame:
        if isinstance(self.rows, pl.DataFrame):
            return self.rows
        return pl.DataFrame(self.rows, schema=self.columns, orient="row", strict=False, infer_schema_length=None)

    def range(self, column: str, most: int | None = None) -> str:
        """The cells below the header, as a formula names them; one empty cell where there is no row."""
        letter = xl_col_to_name(self.columns.index(column), col_abs=True)
        last = 1 + max(1, min(len(self.rows), most or len(self.rows)))
        name = self.name.replace("'", "''")
        return f"'{name}'!{letter}$2:{letter}${last}"

    def values(self, column: str) -> list[Any]:
        place = self.columns.index(column)
        if isinstance(self.rows, pl.DataFrame):
            return self.rows[:, place].to_list()
        return [row[place] for row in self.rows]


class Sheets:
    """Adds tables to a workbook. `streamed` are those of which only the header and the formats are written: the rows
    go into the finished file (`long_sheets.fill`)."""

    def __init__(self, book: Workbook) -> None:
        self.book = book
        self.tables: dict[str, Table] = {}
        self.streamed: dict[int, Table] = {}
        """By number of the sheet, from 1."""
        left = {"align": "left", "indent": 1}
        self.bold: Format = book.add_format({"bold": True, "valign": "top"})
        self.title: Format = book.add_format({"bold": True, "font_size": 16})
        self.soft: Format = book.add_format({"font_color": "#565E6E"})
        self.head: Format = book.add_format(
            {"bold": True, "bg_color": "#E8ECF4", "bottom": 1, "valign": "top", "indent": 1}
        )
        self.link: Format = book.add_format({"font_color": "#3457B1", "underline": 1, "valign": "top"})
        looks = {"whole": "#,##0", "number": "0.000", "share": "0%", "time": "yyyy-mm-dd hh:mm", "day": "yyyy-mm-dd"}
        self.look: Mapping[str, Format] = {
            **{name: book.add_format({"num_format": form, "valign": "top"}) for name, form in looks.items()},
            "plain": book.add_format({"valign": "top"}),
            "text": book.add_format({"text_wrap": True, "valign": "top", **left}),
            "risky": book.add_format({"text_wrap": True, "valign": "top", **left, "quote_prefix": True}),
        }

    def add(self, sheet: Sheet) -> Table:
        table = Table(sheet_name(sheet.name, list(self.tables)), sheet)
        page = self.page(table.name)
        page.freeze_panes(1, 0)
        page.repeat_rows(0)
        page.autofilter(0, 0, max(len(table.rows), 1), len(table.columns) - 1)
        page.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})  # a rating is an answer before it is a number
        self.tables[sheet.name] = table
        head = table.rows[:_LOOKED_AT].rows() if isinstance(table.rows, pl.DataFrame) else table.rows[:_LOOKED_AT]
        widths = [_width(title, [row[column] for row in head]) for column, title in enumerate(table.columns)]
        page.fit_to_pages(1 + sum(widths) // _PAGE, 0)
        for column, title in enumerate(table.columns):
            page.write_string(0, column, cell_text(title), self.head)
            page.set_column(column, column, widths[column])
        if len(table.rows) > _LONG:
            self._stream(page, table, sheet.shares)
            return table
        rows = table.rows.rows() if isinstance(table.rows, pl.DataFrame) else table.rows
        for number, row in enumerate(rows, start=1):
            if (lines := max(map(_lines, row, widths))) > 1:
                page.set_row(number, 15 * min(lines, 27))  # Excel's highest row has 409 points
            for column, value in enumerate(row):
                if table.columns[column] in sheet.links and number <= _MOST_LINKS and _is_address(value):
                    page.write_url(number, column, str(value), self.link, str(value))
                else:
                    self.write(page, number, column, value, share=table.columns[column] in sheet.shares)
        return table

    def page(self, name: str) -> Worksheet:
        """An empty sheet that prints well."""
        page = self.book.add_worksheet(name)
        page.set_landscape()
        page.set_paper(9)
        page.fit_to_pages(1, 0)
        page.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
        page.set_footer("&L&A&RPage &P of &N")
        return page

    def write(self, page: Worksheet, row: int, column: int, value: Cell, *, share: bool = False) -> None:
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            page.write_blank(row, column, None)
        elif isinstance(value, bool):
            page.write_boolean(row, column, value, self.look["plain"])
        elif isinstance(value, int | float):
            look = "share" if share else "number" if isinstance(value, float) else "whole"
            page.write_number(row, column, value, self.look[look])
        elif isinstance(value, datetime):
            page.write_datetime(row, column, value, self.look["time" if value.time() > time.min else "day"])
        else:
            text = cell_text(value)
            page.write_string(row, column, text, self.look["risky" if is_risky(text) else "text"])

    def _stream(self, page: Worksheet, table: Table, shares: Sequence[str]) -> None:
        """The second and third row tell `long_sheets.fill` the formats: of ordinary cells, and of risky text."""
        for column, (name, kind) in enumerate(table.frame.schema.items()):
            look = "plain"
            if kind.is_temporal():
                look = "time"
            elif kind.is_numeric():
                look = "share" if name in shares else "number" if kind.is_float() else "plain"
            page.write_blank(1, column, None, self.look[look])
            page.write_blank(2, column, None, self.look["risky"])
        self.streamed[len(self.book.worksheets())] = table


def _is_address(value: Cell) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"https?://\S{1,2000}", value))


def _lines(value: Cell, width: int) -> int:
    """How many a cell takes, about."""
    return sum(1 + len(line) // width for line in value.split("\n")) if isinstance(value, str) else 1


def _width(title: str, values: Sequence[Cell]) -> int:
    texts = (f"{value:.3f}" if isinstance(value, float) else str(value) for value in values if value is not None)
    longest = max((len(line) for text in texts for line in text[:2_000].split("\n")), default=0)
    return min(max(min(longest, _WIDEST), len(title) + 3) + 2, _WIDEST)
