"""The command, and the report's section."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from unit.analysis import exports
from unit.bottlenecks.simulated import Simulation

from ml_backend.labeling.judgements import judgements
from sdk_scripts.bottlenecks import bottlenecks
from sdk_scripts.bottlenecks.model import Bottlenecks, TimeBin
from sdk_scripts.bottlenecks.work import work_of
from sdk_scripts.cli import app
from sdk_scripts.report.html import FILTERS, template
from sdk_scripts.report.sections.bottlenecks import Process

HOSTILE = "<img src=x onerror=alert(1)>\u202e"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("TIEBREAK_HOME", str(tmp_path / "home"))
    (tmp_path / "export.json").write_text(json.dumps(Simulation(days=7, second=0.5, review=4.0).tasks()))
    (tmp_path / "config.xml").write_text(exports.SENTIMENT)
    return [str(tmp_path / "export.json"), "--label-config", str(tmp_path / "config.xml")]


@pytest.fixture(scope="module")
def part() -> Bottlenecks:
    tasks = Simulation(days=21, second=0.5, review=4.0).tasks()
    for task in tasks[:10]:
        given = exports.annotation(task["id"] * 10 + 9, HOSTILE, exports.choice("sentiment", HOSTILE), lead_time=9.0)
        task["annotations"].append(given)
    dataset = exports.dataset(tasks)
    return bottlenecks(work_of(dataset, judgements(dataset.tasks, dataset.config)))


def tiebreak(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["bottlenecks", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_the_command_prints_one_document_with_every_part(source: list[str]) -> None:
    found = json.loads(tiebreak(*source, "--json", "--hourly-cost", "20", "--currency", "EUR", "--clear-in", "3"))
    assert set(found) == set(Bottlenecks.model_fields)
    assert found["costs"]["money_per_label"]["value"] == pytest.approx(
        found["costs"]["seconds_per_label"]["value"] / 180
    )
    assert found["capacity"]["clear_in"] == 3
    assert Bottlenecks.model_validate(found).said == found["said"]


def test_the_command_tells_people_what_is_slow_and_what_would_help(source: list[str]) -> None:
    text = tiebreak(*source, "--hourly-cost", "20", "--currency", "EUR", "--days", "5")
    for words in (
        "Most working time goes into the first label",
        "EUR",
        "last 5 days",
        "money saved",
        "second annotator",
    ):
        assert words in text


def test_without_a_cost_no_money_is_said(source: list[str]) -> None:
    assert "money" not in tiebreak(*source)


def section(part: Bottlenecks) -> str:
    made = template("sections/bottlenecks.html", **FILTERS)
    return made.render(part=part, report=None, charts=Process().charts(part))


def test_the_section_shows_names_and_labels_as_text(part: Bottlenecks) -> None:
    html = section(part)
    assert "onerror=alert" in html
    assert "<img" not in html


def test_each_chart_of_the_section_stands_beside_a_table_with_its_numbers(part: Bottlenecks) -> None:
    assert set(Process().charts(part)) == {"work", "waiting", "times", "weeks"}
    html = section(part)
    for week in part.throughput.weeks:
        assert f"{week.since:%Y-%m-%d}" in html
    for it in (*part.lead_times.histogram, *part.throughput.weeks):
        assert (it.seconds if isinstance(it, TimeBin) else f"{it.annotations:,}") in html
    for step in part.steps:
        assert step.time in html


def test_sheets_have_a_column_for_every_cell(part: Bottlenecks) -> None:
    sheets = list(Process().sheets(part))
    assert len({sheet.name for sheet in sheets}) == 4
    for sheet in sheets:
        assert sheet.rows
        assert {len(row) for row in sheet.rows} == {len(sheet.columns)}
        assert set(sheet.shares) <= set(sheet.columns)
