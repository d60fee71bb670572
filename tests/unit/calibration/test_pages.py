"""Calibration in the report's page and workbook, with labels and texts as hostile as they can be."""

from __future__ import annotations

import json
from dataclasses import replace

import fastexcel
from unit.calibration.made import PEOPLE
from unit.calibration.test_report import differing, told
from unit.report.test_pages import report

from ml_backend.labeling.results import Task
from sdk_scripts.report.excel import workbook
from sdk_scripts.report.html import page
from sdk_scripts.report.sections.calibration import CalibrationPart

EVIL = '=HYPERLINK("https://evil.example","<script>alert(1)</script>")'


def test_a_round_stands_in_the_page_and_the_workbook_as_text() -> None:
    answers = differing()
    tasks = {item: Task(item, {"text": EVIL}, it.annotations) for item, it in answers.tasks.items()}
    found = told(replace(answers, tasks=tasks))
    whole = report("Reviews").model_copy(update={"sections": {"calibration": CalibrationPart(found)}})
    html = page(whole)
    assert '<section id="calibration">' in html
    assert "<script>" not in html
    assert "negative / neutral" in html
    assert f"{PEOPLE[2]} gives negative" in html
    book = workbook(whole)
    confused = fastexcel.read_excel(book).load_sheet("Confused labels").to_polars()
    assert confused.select("one", "other", "tasks").rows() == [("negative", "neutral", 7), ("negative", "positive", 6)]
    assert confused["example"][0].startswith("=HYPERLINK")
    rounds = fastexcel.read_excel(book).load_sheet("Calibration").to_polars()
    assert rounds["alpha"].to_list() == [found["alpha"]]
    assert json.loads(json.dumps(whole.to_json()))["calibration"]["round"] == "round-1"


def test_a_project_without_rounds_has_no_such_section() -> None:
    assert 'id="calibration"' not in page(report("Reviews"))
