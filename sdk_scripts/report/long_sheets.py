"""Long tables, streamed into a finished workbook: a million rows in seconds and without a Python object a cell.

Office Open XML, ECMA-376 part 1, 18.3: a row is `<row r="2">`, a cell `<c r="A2" s="STYLE" t="TYPE">`.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import polars as pl
from xlsxwriter.utility import xl_col_to_name

from sdk_scripts.report.sheets import cell_text, is_risky

if TYPE_CHECKING:
    from sdk_scripts.report.sheets import Table

_AT_ONCE = 50_000
_LEVEL = 1  # a higher one takes three times as long and saves a quarter
_DAY_MS = 86_400_000
_EPOCH = 25_569  # 1970-01-01 as Excel counts days
_ROWS = re.compile(r'(<row r="2".*</row>)(?=</sheetData>)', re.DOTALL)
_ESCAPED = re.compile(r"(?=_x[0-9a-fA-F]{4}_)")  # Excel would read a character in it


def fill(book: bytes, tables: Mapping[int, Table]) -> bytes:
    """The workbook with the rows of its long tables, by number of the sheet; its second and third row give the styles
    and are replaced."""
    if not tables:
        return book
    file = io.BytesIO()
    places = {f"xl/worksheets/sheet{number}.xml": table for number, table in tables.items()}
    with (
        zipfile.ZipFile(io.BytesIO(book)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as new,
        ThreadPoolExecutor(1) as beside,  # compresses a part while the next is made
    ):
        for entry in old.infolist():
            if entry.filename not in places:
                new.writestr(entry, old.read(entry))
                continue
            with new.open(entry.filename, "w", force_zip64=True) as out:
                writing: Future[int] | None = None
                for part in _sheet(old.read(entry).decode(), places[entry.filename].frame):
                    if writing is not None:
                        writing.result()
                    writing = beside.submit(out.write, part.encode())
                if writing is not None:
                    writing.result()
    return file.getvalue()


def _sheet(xml: str, frame: pl.DataFrame) -> Iterator[str]:
    start, pattern, end = _ROWS.split(xml)
    styles = re.findall(r'<c r="[A-Z]+[23]"( s="\d+")?', pattern)
    last = f"{xl_col_to_name(frame.width - 1)}{frame.height + 1}"
    yield re.sub(r'<dimension ref="[^"]*"', f'<dimension ref="A1:{last}"', start)
    for first in range(0, frame.height, _AT_ONCE):
        yield _rows(frame.slice(first, _AT_ONCE), first + 2, styles[: frame.width], styles[frame.width :])
    yield end


def _rows(frame: pl.DataFrame, first: int, ordinary: list[str], risky: list[str]) -> str:
    numbers = pl.Series(range(first, first + frame.height)).cast(pl.String)
    row = '<row r="' + numbers + '">'
    for place, column in enumerate(frame):
        address = f'<c r="{xl_col_to_name(place)}' + numbers + '"'
        row += (address + _cell(column, ordinary[place], risky[place])).fill_null("")
    return "".join(row + "</row>")


def _cell(column: pl.Series, ordinary: str, risky: str) -> pl.Series:
    """Each cell's XML after its address; null where there is none."""
    kind = column.dtype
    if kind == pl.Boolean:
        return f'{ordinary} t="b"><v>' + column.cast(pl.Int8).cast(pl.String) + "</v></c>"
    if kind.is_temporal():
        days = column.cast(pl.Datetime("ms")).cast(pl.Int64) / _DAY_MS + _EPOCH
        days = days.round(9)  # a millisecond is 1.2e-8
        return f"{ordinary}><v>" + days.cast(pl.String) + "</v></c>"
    if kind.is_numeric():
        finite = column.set(~column.is_finite(), None) if kind.is_float() else column
        return f"{ordinary}><v>" + finite.cast(pl.String) + "</v></c>"
    texts = column.cast(pl.String).unique().drop_nulls()
    return column.cast(pl.String).replace_strict(texts, [_text(it, ordinary, risky) for it in texts], default=None)


def _text(text: str, ordinary: str, risky: str) -> str:
    shown = _ESCAPED.sub("_x005F", cell_text(text))
    style = risky if is_risky(shown) else ordinary
    return f'{style} t="inlineStr"><is><t xml:space="preserve">{escape(shown)}</t></is></c>'
