"""The three faces of a report, with texts as hostile as annotated data can be."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from html.parser import HTMLParser
from io import BytesIO

import fastexcel
import polars as pl
import pytest
from pydantic import ValidationError

from sdk_scripts.report.excel import workbook
from sdk_scripts.report.html import page
from sdk_scripts.report.model import (
    Action,
    Actions,
    AnnotatorRow,
    Bin,
    ControlRow,
    Day,
    HardCaseRow,
    LabelRow,
    OverlapRow,
    Overview,
    Report,
    ThresholdRow,
    VersionRow,
)
from sdk_scripts.report.sections.inspection import FindingRow, InspectionPart
from sdk_scripts.report.sections.working import WorkingPart, WorkingRow

HOSTILE = [
    '=HYPERLINK("https://evil.example","click")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "$\\frac{a}{b}$ \x00\x1b[31m \u202egnirts",
    "https://evil.example/" + "x" * 40_000,
]


def report(text: str) -> Report:
    return Report(
        title=text,
        url="http://127.0.0.1:8080/projects/1/data",
        generated_at=datetime(2026, 11, 22, 12, 0, tzinfo=UTC),
        headline=[text],
        overview=Overview(tasks=3, labeled=2, overlapped=1, judgements=3, annotators=2, skipped=0, predicted=3),
        controls=[
            ControlRow(
                control=text,
                kind="choices",
                items=1,
                judgements=3,
                percent=0.5,
                alpha=0.41,
                alpha_low=-0.2,
                alpha_high=0.8,
                note=text,
                labels=[LabelRow(label=text, count=3, share=1.0, alpha=None)],
            )
        ],
        annotators=[
            AnnotatorRow(
                annotator=text,
                judgements=3,
                quality=0.9,
                agreement=None,
                median_lead_time=12.5,
                prelabeled=1,
                changed=0.0,
            )
        ],
        hard_cases=[HardCaseRow(task=7, url="https://studio.example/7", text=text, score=0.8, reasons=[text])],
        versions=[
            VersionRow(
                version=text,
                created_at=datetime(2026, 11, 22, tzinfo=UTC),
                live=live,
                labels=2,
                metrics={text: {"accuracy": 0.8, "ece": None}},
                reliability={text: [Bin(confidence=0.7, accuracy=0.8, count=2)]},
                thresholds={
                    text: [
                        ThresholdRow(error=0.05, certainty=0.95, confidence=0.8, coverage=0.4),
                        ThresholdRow(error=0.01, certainty=0.95, confidence=None, coverage=0),
                    ]
                },
                reason=text,
            )
            for live in (False, True)
        ],
        days=[Day(day="2026-11-21", judgements=1), Day(day="2026-11-22", judgements=2)],
        notes=[text],
        sections={
            "actions": Actions([Action(what=text, why=text)]),
            "working": WorkingPart(
                said=[text],
                people=[
                    WorkingRow(
                        annotator=text,
                        shown=9,
                        accepted=0.8,
                        seeded=9,
                        stamped=1.0,
                        stamped_low=0.7,
                        stamped_high=1.0,
                        blind=3,
                        time_ratio=None,
                    )
                ],
                figures={text: text},
            ),
            "inspection": InspectionPart(
                findings=[finding(text, state) for state in ("new", "continuing", "acknowledged")],
                cleared=[finding(text, "cleared")],
                measured={"gold_failures": 3},
                dropped={"speed": text},
                tests=7,
                compared_with="2026-11-22T12:00:00+00:00",
            ),
        },
        overlap=[
            OverlapRow(annotators=0, tasks=1, predicted=1, skipped=0),
            OverlapRow(annotators=1, tasks=1, predicted=1, skipped=0),
            OverlapRow(annotators=2, tasks=1, predicted=1, skipped=0),
        ],
        judgements=pl.DataFrame({"task": [1, 2, 3], "answer": [text, None, "plain"], "seconds": [1.5, None, 2.0]}),
    )


def finding(text: str, state: str) -> FindingRow:
    return FindingRow(
        key=text,
        rule="gold_failures",
        dimension="reliability",
        severity="high",
        subject=text,
        control=text,
        state=state,
        since="2026-11-21T12:00:00+00:00",
        message=text,
        cause="annotator",
        cause_why=text,
        do=text,
        acknowledged_why=text,
        evidence=[7, 8],
        links=["https://studio.example/7", "https://studio.example/8"],
        value=0.4,
        threshold=0.8,
        n=40,
        adjusted_p=0.001,
    )


class Markup(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_the_data_becomes_markup(text: str) -> None:
    found, harmless = Markup(), Markup()
    found.feed(page(report(text)))
    harmless.feed(page(report("plain")))
    assert not found.handlers
    assert not {"script", "img", "iframe", "object"} & set(found.tags)
    # as many tags as with plain text: nothing was added (SVG texts may break into glyph runs)
    assert [tag for tag in found.tags if tag in ("a", "td", "th", "li", "p")] == [
        tag for tag in harmless.tags if tag in ("a", "td", "th", "li", "p")
    ]


def test_the_page_needs_no_network_and_runs_no_script() -> None:
    html = page(report("plain"))
    assert "default-src 'none'" in html
    assert "src=" not in html
    assert "@import" not in html
    assert "url(http" not in html


def test_a_link_is_only_ever_one_to_the_web() -> None:
    with pytest.raises(ValidationError):
        HardCaseRow(task=7, url="javascript:alert(1)", text="", score=0.8, reasons=[])


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_is_a_formula_that_came_from_the_data(text: str) -> None:
    book = zipfile.ZipFile(BytesIO(workbook(report(text))))
    for name in book.namelist():
        if name.startswith("xl/worksheets/sheet") and name != "xl/worksheets/sheet1.xml":
            assert b"<f>" not in book.read(name)
            assert b"<hyperlink" not in book.read(name)
    assert b"HYPERLINK" not in book.read("xl/worksheets/sheet1.xml")


def test_an_independent_reader_finds_the_tidy_data() -> None:
    found = fastexcel.read_excel(workbook(report("=1+1"))).load_sheet("Judgements").to_polars()
    assert found.columns == ["task", "answer", "seconds"]
    assert found["answer"].to_list() == ["=1+1", None, "plain"]
    assert found["seconds"].to_list() == [1.5, None, 2.0]


def test_an_independent_reader_finds_the_findings() -> None:
    found = fastexcel.read_excel(workbook(report("=1+1"))).load_sheet("Inspection").to_polars()
    assert found["state"].to_list() == ["new", "continuing", "acknowledged", "cleared"]
    assert found["message"].to_list() == ["=1+1"] * 4
    assert found["tasks"].to_list() == ["7, 8"] * 4


def test_the_headline_figures_are_live_formulas_with_their_values() -> None:
    book = zipfile.ZipFile(BytesIO(workbook(report("plain"))))
    summary = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>COUNTA(Judgements!A:A)-1</f><v>3</v>" in summary
    assert sum(name.startswith("xl/charts/chart") for name in book.namelist()) == 2


def test_the_json_has_no_nan_and_no_judgements() -> None:
    document = json.loads(json.dumps(report("plain").to_json(), allow_nan=False))
    assert document["overview"]["tasks"] == 3
    assert "judgements" not in document


def test_an_empty_project_has_a_report_too() -> None:
    empty = report("plain").model_copy(
        update={
            "controls": [],
            "annotators": [],
            "hard_cases": [],
            "versions": [],
            "days": [],
            "judgements": pl.DataFrame({"task": pl.Series([], dtype=pl.Int64)}),
        }
    )
    assert "Nobody has labeled anything yet" in page(empty)
    assert workbook(empty)
