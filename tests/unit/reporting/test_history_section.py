"""The section that shows how headline figures went from report to report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastexcel
import pytest
from pydantic import RootModel

from ml_backend.report_history import ReportHistory
from ml_backend.settings import Settings
from sdk_scripts.evidence import Evidence
from sdk_scripts.report.excel import workbook
from sdk_scripts.report.html import page
from sdk_scripts.report.model import Report
from sdk_scripts.report.sections import Given
from sdk_scripts.report.sections.history import History, HistoryPart
from sdk_scripts.sources import Dataset
from tests.unit.reporting.made import KEY, dataset, file


def collected(core: Report, settings: Settings, data: Dataset | None = None, **parts: Any) -> HistoryPart | None:
    """What the section says of a report with these figures, with this history behind it."""
    given = Given(Evidence.collect(data or dataset(), settings), settings, core, [], parts=parts)
    return History().collect(given)


def keep(history: ReportHistory, why: str = "schedule", **figures: Any) -> None:
    history.add({"report.json": b"{}"}, why=why, figures=figures)


def trends(core: Report, settings: Settings, **parts: Any) -> dict[str, list[float | None]]:
    part = collected(core, settings, **parts)
    assert part is not None
    return {it.figure: it.values for it in part.trends}


def test_a_first_report_and_a_file_have_no_trend(core: Report, settings: Settings, history: ReportHistory) -> None:
    assert collected(core, settings) is None
    keep(history, labeled=2)
    assert collected(core, settings, file()) is None


def test_a_trend_goes_from_the_oldest_report_to_this_one(
    core: Report, settings: Settings, history: ReportHistory
) -> None:
    keep(history, labeled=2, judgements=4, **{"alpha:sentiment": 0.25})
    assert trends(core, settings) == {
        "labeled": [2, 4],
        "judgements": [4, 7],
        "alpha:sentiment": [0.25, pytest.approx(4 / 9)],
    }


def test_figures_that_only_one_report_says_are_no_trend(
    core: Report, settings: Settings, history: ReportHistory
) -> None:
    keep(history, labeled=2, live_accuracy=0.8, **{"alpha:gone": 0.3})
    assert set(trends(core, settings)) == {"labeled"}


def test_findings_of_this_report_are_counted(core: Report, settings: Settings, history: ReportHistory) -> None:
    keep(history, findings_high=2)
    found = RootModel({"findings": [{"severity": "high"}, {"severity": "low"}]})
    assert trends(core, settings, inspection=found)["findings_high"] == [2, 1]


def test_the_last_thirty_are_shown(core: Report, settings: Settings, history: ReportHistory) -> None:
    for number in range(34):
        keep(history, labeled=number)
    assert len(trends(core, settings)["labeled"]) == 30


def test_a_report_that_does_not_say_a_figure_breaks_its_line(
    core: Report, settings: Settings, history: ReportHistory
) -> None:
    keep(history, labeled=1)
    part = collected(core, settings)
    assert part is not None
    trend = part.trends[0].model_copy(update={"values": [1, 2, None, 3, None, 5, 4]})
    drawn = History().charts(part.model_copy(update={"trends": [trend]}))[trend.figure]
    assert (drawn.count("<polyline"), drawn.count("<path")) == (2, 1)
    level = History().charts(part.model_copy(update={"trends": [trend.model_copy(update={"values": [3, 3]})]}))
    assert "nan" not in level[trend.figure]


def test_the_page_and_the_workbook_show_every_report(core: Report, settings: Settings, history: ReportHistory) -> None:
    hostile = '<script>alert(1)</script>"=1+1'
    for _ in range(2):
        keep(history, why=hostile, labeled=1234, judgements=None)
    part = collected(core, settings)
    assert part is not None
    report = core.model_copy(update={"sections": {"history": part}})
    shown = page(report)
    section = shown[shown.index('<section id="history">') :]
    section = section[: section.index("</section>")]
    assert section.count("<svg") == 1
    assert 'aria-label="labeled tasks, from 1,234 to 4"' in section
    assert "<script" not in shown
    assert section.count("<tr>") == 2 + 1 + 3
    sheet = fastexcel.read_excel(workbook(report)).load_sheet("From report to report").to_polars()
    assert sheet["labeled tasks"].to_list() == [1234, 1234, 4]
    assert sheet["why"].to_list() == [hostile, hostile, "this report"]


@pytest.mark.parametrize(
    "torn",
    [
        {"made_at": "yesterday"},
        {"made_at": None},
        {"figures": None},
        {"figures": {"labeled": "many", "judgements": float("nan"), "annotators": True, "quality": [1]}},
    ],
)
def test_what_was_edited_in_the_history_harms_no_report(
    core: Report, settings: Settings, history: ReportHistory, torn: dict[str, Any]
) -> None:
    kept = history.add({"report.json": b"{}"}, why="schedule", figures={"labeled": 2})
    path = Path(settings.models) / "reports" / KEY / kept.id / "about.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **torn}))
    keep(history, labeled=3)
    assert 3 in trends(core, settings)["labeled"]
