"""The workbook, read by an independent reader, with texts as hostile as annotated data can be."""

from __future__ import annotations

import html
import re
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO

import fastexcel
import polars as pl
import pytest
from unit.report.hostile import HOSTILE, huge, report
from xlsxwriter import Workbook

from sdk_scripts.report import sheets
from sdk_scripts.report.excel import workbook
from sdk_scripts.report.long_sheets import fill
from sdk_scripts.report.model import Report
from sdk_scripts.report.sections import Sheet
from sdk_scripts.report.sheets import cell_text, sheet_name

REFERENCE = re.compile("<c:f>(.*?)</c:f>", re.DOTALL)


def parts(book: bytes) -> dict[str, str]:
    with zipfile.ZipFile(BytesIO(book)) as file:
        return {name: file.read(name).decode() for name in file.namelist()}


def sheet(book: bytes, name: str) -> pl.DataFrame:
    return fastexcel.read_excel(book).load_sheet(name).to_polars()


def xml_of(book: bytes, name: str) -> str:
    names = fastexcel.read_excel(book).sheet_names
    return parts(book)[f"xl/worksheets/sheet{names.index(name) + 1}.xml"]


def summary(book: bytes) -> dict[str, tuple[str, str]]:
    """Figure -> (formula, the value kept with it)."""
    text = xml_of(book, "Summary")
    strings = re.findall(r"<si><t[^>]*>(.*?)</t></si>", parts(book)["xl/sharedStrings.xml"], re.DOTALL)
    row = r'<c r="A\d+"[^>]*><v>(\d+)</v></c><c r="B\d+"[^>]*><f[^>]*>([^<]*)</f><v>([^<]*)</v>'
    return {strings[int(name)]: (html.unescape(formula), value) for name, formula, value in re.findall(row, text)}


def judged(rows: int) -> pl.DataFrame:
    start = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
    answers = [*HOSTILE[:5], "a & b <c>", "", None, "4"] * rows
    return pl.DataFrame(
        {
            "task": range(rows),
            "answer": answers[:rows],
            "judged at": [start + timedelta(minutes=it) if it % 7 else None for it in range(rows)],
            "seconds": [it / 8 if it % 3 else float("nan") for it in range(rows)],
            "from a prediction": [it % 2 == 0 for it in range(rows)],
        },
        schema_overrides={"judged at": pl.Datetime("ms", "UTC")},
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_no_formula_link_or_name_comes_from_the_data(text: str) -> None:
    hostile, harmless = parts(workbook(report(text))), parts(workbook(report("plain")))
    formulas = {name: re.findall(r"<f[ >].*?</f>", xml) for name, xml in hostile.items()}
    assert formulas == {name: re.findall(r"<f[ >].*?</f>", xml) for name, xml in harmless.items()}
    for name, xml in hostile.items():
        if name.startswith("xl/charts/chart"):  # what a chart is drawn from, its titles among it, is cells of ours
            assert REFERENCE.findall(xml) == REFERENCE.findall(harmless[name])
        if name.endswith(".rels"):
            assert "evil.example" not in xml
    names = re.compile("<definedName.*?</definedName>")
    assert names.findall(hostile["xl/workbook.xml"]) == names.findall(harmless["xl/workbook.xml"])


@pytest.mark.parametrize("text", [*HOSTILE[:3], "-2+3", "\t=1+1", "\n=1+1"])
def test_text_that_looks_like_a_formula_stays_text_when_its_cell_is_edited(text: str) -> None:
    book = workbook(report(text))
    styles = re.search("<cellXfs.*?</cellXfs>", parts(book)["xl/styles.xml"], re.DOTALL)
    assert styles
    quoted = [number for number, it in enumerate(re.findall("<xf .*?>", styles[0])) if 'quotePrefix="1"' in it]
    used = re.search(r'<c r="A2" s="(\d+)" t="s">', xml_of(book, "Agreement"))
    assert used
    assert int(used[1]) in quoted


def test_the_only_links_are_those_to_tasks() -> None:
    links = [xml for name, xml in parts(workbook(report("plain"))).items() if "worksheets/_rels" in name]
    targets = re.findall(r'Target="(http[^"]*)"', "".join(links))
    assert targets == ["https://studio.example/7"] * 5  # four findings and a hard case


def test_an_independent_reader_finds_the_tidy_data() -> None:
    found = sheet(workbook(report("=1+1")), "Judgements")
    assert found.columns == ["task", "answer", "seconds"]
    assert found["answer"].to_list() == ["=1+1", None, "plain"]
    assert found["seconds"].to_list() == [1.5, None, 2.0]


def test_an_independent_reader_finds_the_findings() -> None:
    found = sheet(workbook(report("=1+1")), "Inspection")
    assert found["state"].to_list() == ["new", "continuing", "acknowledged", "cleared"]
    assert found["message"].to_list() == ["=1+1"] * 4
    assert found["tasks"].to_list() == ["7, 8"] * 4


@pytest.mark.parametrize("rows", [40, 5_400])
def test_dates_numbers_and_truths_are_what_they_are_in_a_short_sheet_and_in_a_streamed_one(rows: int) -> None:
    given = judged(rows)
    found = sheet(workbook(report("plain").model_copy(update={"judgements": given})), "Judgements")
    assert found.dtypes == [pl.Float64, pl.String, pl.Datetime("ms"), pl.Float64, pl.Boolean]
    wanted = given.with_columns(
        pl.col("task").cast(pl.Float64),
        pl.col("answer").replace({"": None}),
        pl.col("judged at").dt.replace_time_zone(None),
        pl.col("seconds").fill_nan(None),
    )
    assert found.with_columns(pl.col("answer").replace({"": None})).equals(wanted)


def test_a_streamed_sheet_has_formats_a_filter_and_says_how_big_it_is() -> None:
    xml = xml_of(workbook(report("plain").model_copy(update={"judgements": judged(5_400)})), "Judgements")
    assert '<dimension ref="A1:E5401"/>' in xml
    assert '<autoFilter ref="A1:E5401"/>' in xml
    plain, time = (re.search(rf'<c r="{cell}" s="(\d+)"', xml) for cell in ("A5400", "C5400"))
    assert plain
    assert time
    assert plain[1] != time[1]
    assert xml.count("<row ") == 5_401


def test_every_table_is_frozen_filtered_and_prints_with_its_header() -> None:
    book = workbook(report("plain"))
    names = fastexcel.read_excel(book).sheet_names
    assert names[:2] == ["Summary", "Charts"]
    for name in names[2:]:
        xml = xml_of(book, name)
        assert '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>' in xml, name
        assert "<autoFilter" in xml, name
        assert 'orientation="landscape"' in xml, name
        assert 'fitToHeight="0"' in xml, name
    printed = parts(book)["xl/workbook.xml"].count("_xlnm.Print_Titles")
    assert printed == len(names) - 2


def test_every_headline_figure_is_a_formula_and_its_value_what_the_sheets_give() -> None:
    whole: Report = report("plain")
    book = workbook(whole)
    tasks, people, control = (sheet(book, name) for name in ("Tasks", "Annotators", "Agreement"))
    findings, models = sheet(book, "Inspection"), sheet(book, "Models")
    worked_out = {
        "Tasks": tasks["tasks"].sum(),
        "Labeled": tasks.filter(pl.col("annotators") >= 1)["tasks"].sum(),
        "By two people or more": tasks.filter(pl.col("annotators") >= 2)["tasks"].sum(),
        "With a prediction": tasks["with a prediction"].sum(),
        "Skipped": tasks["skipped"].sum(),
        "Judgements": sheet(book, "Judgements").height,
        "Annotators": people.height,
        "Median seconds a task, of the middle annotator": people["median seconds"].median(),
        "Lowest alpha": control["alpha"].min(),
        "Hard cases": sheet(book, "Hard cases").height,
        "Findings of high severity that are open": findings.filter(
            pl.col("severity") == "high", pl.col("state").is_in(["new", "continuing"])
        ).height,
        "The live model is right on (weakest control)": models.filter(pl.col("live"))["accuracy"].min(),
    }
    found = summary(book)
    assert {name: float(value) for name, (_, value) in found.items()} == worked_out
    assert all("!$" in formula for formula, _ in found.values())
    assert worked_out["Tasks"] == whole.overview.tasks
    assert worked_out["Labeled"] == whole.overview.labeled


def test_figures_without_data_are_a_dash_and_still_formulas() -> None:
    empty = {"controls": [], "annotators": [], "hard_cases": [], "versions": [], "days": []}
    bare = report("plain").model_copy(update={**empty, "judgements": pl.DataFrame(schema={"task": pl.Int64})})
    found = summary(workbook(bare))
    assert found["Lowest alpha"][1] == "–"
    assert found["The live model is right on (weakest control)"][1] == "–"
    assert found["Judgements"][1] == "0"


def test_rows_beyond_excels_limit_are_left_out_and_the_first_sheet_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_ROWS", 2)
    book = workbook(report("plain"))
    assert sheet(book, "Judgements").height == 2
    assert "The sheet Judgements holds the first" in parts(book)["xl/sharedStrings.xml"]
    # a figure over a sheet that is cut would be wrong: another one gives it
    assert summary(book)["Judgements"][0] == "SUM('Annotators'!$B$2:$B$2)"


def test_the_workbook_of_a_project_as_big_as_they_come_opens() -> None:
    book = workbook(huge())
    assert sheet(book, "Labels").height == 8_000
    assert sheet(book, "Hard cases").height == 6_000
    assert sheet(book, "Annotators").height == 2_000
    assert sum(name.startswith("xl/charts/chart") for name in parts(book)) <= 24


def test_charts_are_native_and_say_in_words_what_they_show() -> None:
    found = parts(workbook(report("plain")))
    assert sum(name.startswith("xl/charts/chart") for name in found) >= 5
    drawing = found["xl/drawings/drawing1.xml"]
    assert drawing.count(" descr=") == drawing.count("<xdr:graphicFrame ")


def test_a_cell_holds_no_more_than_excel_allows_also_of_characters_beyond_the_basic_plane() -> None:
    for text in ("x" * 50_000, "\U0001f600" * 20_000, "x" * 32_767):
        assert len(cell_text(text).encode("utf-16-le")) <= 2 * 32_767
    assert cell_text("x" * 32_767) == "x" * 32_767
    assert cell_text("a\u00a0b\u200dc\r\nd\x00\ud83d") == "a\u00a0b\u200dc\nd"


def test_names_of_sheets_are_short_allowed_and_all_different() -> None:
    names: list[str] = []
    for wanted in ["a/b:c" * 20, "a/b:c" * 20, "A b c" * 20, "History", "'=1+1'", "", "\U0001f600" * 40, "[x]"]:
        names.append(sheet_name(wanted, names))
    assert len({name.casefold() for name in names}) == len(names)
    assert all(0 < len(name.encode("utf-16-le")) <= 62 for name in names)
    assert not any(re.search(r"[\[\]:*?/\\]|^'|'$", name) or name.casefold() == "history" for name in names)


def test_a_sheet_of_a_section_can_have_any_name_and_header() -> None:
    file = BytesIO()
    with Workbook(file) as book:
        made = sheets.Sheets(book)
        table = made.add(Sheet("it's a [long] name, longer than Excel allows", ["=1+1", "n"], [["@x", 1]]))
        book.get_worksheet_by_name(table.name).write_formula(5, 0, f"=SUM({table.range('n')})", None, 1)
    found = fastexcel.read_excel(file.getvalue())
    assert found.load_sheet(0).to_polars().columns == ["=1+1", "n"]
    assert table.range("n").startswith("'it''s a long name")


def test_a_long_table_of_a_section_may_have_numbers_words_and_gaps_in_one_column() -> None:
    rows = [[1, None, None], [2.5, "a", datetime(2026, 1, 1, tzinfo=UTC)], [None, 3, None], ["x", "=1", None]] * 2_000
    file = BytesIO()
    with Workbook(file, {"remove_timezone": True}) as book:
        made = sheets.Sheets(book)
        made.add(Sheet("Long", ["n", "text", "at"], rows))  # type: ignore[arg-type]
    found = sheet(fill(file.getvalue(), made.streamed), "Long")
    assert found["n"].to_list()[:4] == ["1", "2.5", None, "x"]
    assert found["text"].to_list()[:4] == [None, "a", "3", "=1"]
    assert found["at"].to_list()[:2] == [None, datetime(2026, 1, 1)]
    assert found.height == 8_000
