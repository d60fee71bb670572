"""Reports are kept with their headline figures, compared with the one before, and made whatever the history does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from unit.analysis import exports

from ml_backend.labeling.errors import InputError, ModelUnavailable
from ml_backend.model_files import ModelFiles
from ml_backend.report_history import ReportHistory
from ml_backend.settings import Settings
from sdk_scripts.cli import app, reports
from sdk_scripts.report import MadeReport, make_report
from sdk_scripts.report.kept import Before, before_of, chosen_before, figures, most_kept
from tests.unit.reporting.made import KEY, PROJECT, URL, dataset, file, saying


def test_the_headline_figures_are_those_of_the_labels(first: MadeReport) -> None:
    found = figures(first.document)
    assert [found[name] for name in ("labeled", "judgements", "annotators", "findings_high")] == [4, 7, 2, 0]
    assert found["median_seconds"] == 4.5
    assert found["alpha:sentiment"] == pytest.approx(1 - (2 / 6) / (18 / 30))  # coincidences: 2 of 6 pairs differ
    assert found["live_accuracy"] is None


def test_figures_of_a_live_model_and_of_high_findings_are_counted(first: MadeReport) -> None:
    live = {"live": True, "metrics": {"sentiment": {"accuracy": 0.9}, "stars": {"accuracy": 0.7}, "why": {}}}
    older = {"live": False, "metrics": {"sentiment": {"accuracy": 0.1}}}
    found = [{"severity": "high"}, {"severity": "low"}, {"severity": "high"}]
    counted = figures({**first.document, "versions": [older, live], "inspection": {"findings": found}})
    assert counted["live_accuracy"] == pytest.approx(0.8)
    assert counted["findings_high"] == 2
    assert figures({**first.document, "inspection": None})["findings_high"] is None


def test_a_kept_report_is_whole_and_carries_its_figures(
    first: MadeReport, settings: Settings, history: ReportHistory
) -> None:
    kept = first.keep(settings, why="batch")
    assert history.kept() == [kept]
    assert kept is not None
    assert (kept.why, kept.title, kept.url) == ("batch", "reviews", URL)
    assert kept.figures == figures(first.document)
    assert {name: history.read(kept.id, name) for name in first.files} == first.files


def test_a_report_that_is_killed_while_it_is_kept_is_not_there_and_is_kept_anew(
    first: MadeReport, settings: Settings, history: ReportHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = ModelFiles.write

    def dies(files: ModelFiles, name: str, content: bytes) -> None:
        if name.endswith("report.json"):
            raise RuntimeError("killed")
        write(files, name, content)

    with monkeypatch.context() as patch:
        patch.setattr(ModelFiles, "write", dies)
        with pytest.raises(RuntimeError):
            first.keep(settings, why="batch")
    assert history.kept() == []
    assert before_of(dataset(), settings) == Before()
    kept = first.keep(settings, why="batch")
    assert history.kept() == [kept]


def test_the_history_forgets_the_oldest(first: MadeReport, settings: Settings, history: ReportHistory) -> None:
    report = replace(first, dataset=dataset(line='tiebreak quality: {"reports": {"keep": 2}}'))
    ids = [kept.id for _ in range(4) if (kept := report.keep(settings, why="schedule"))]
    assert [it.id for it in history.kept()] == sorted(ids)[:1:-1]


def test_rules_that_cannot_be_read_keep_as_many_as_usual() -> None:
    assert most_kept(PROJECT | {"description": "tiebreak quality: {torn"}) == 30


@pytest.mark.parametrize("line", ['tiebreak satellite: {"source": "3.1"}', "tiebreak: hard-cases-of-3"])
def test_rounds_and_review_projects_have_no_history(first: MadeReport, settings: Settings, line: str) -> None:
    assert replace(first, dataset=dataset(line=line)).keep(settings, why="command") is None


def test_a_file_has_no_history(first: MadeReport, settings: Settings) -> None:
    assert replace(first, dataset=file()).keep(settings, why="command") is None


def test_a_report_is_compared_with_the_newest_of_the_history(
    first: MadeReport, settings: Settings, tmp_path: Path
) -> None:
    assert before_of(dataset(), settings) == Before()
    saying(first, 1).write(tmp_path)
    assert _labeled(before_of(dataset(), settings, tmp_path)) == 1
    kept = {it.id: labeled for labeled in (2, 3) if (it := saying(first, labeled).keep(settings, why="schedule"))}
    assert _labeled(before_of(dataset(), settings, tmp_path)) == kept[max(kept)]


def test_a_report_of_a_file_is_compared_with_the_one_it_replaces(
    first: MadeReport, settings: Settings, tmp_path: Path
) -> None:
    saying(first, 2, url=None).write(tmp_path)
    assert _labeled(before_of(file(), settings, tmp_path)) == 2


def test_what_another_project_left_in_the_folder_is_not_compared_with(
    first: MadeReport, settings: Settings, tmp_path: Path
) -> None:
    saying(first, 2, url="http://127.0.0.1:8080/projects/8/data").write(tmp_path)
    assert before_of(dataset(), settings, tmp_path) == before_of(file(), settings, tmp_path) == Before()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"title": "x"}', b"[" * 100_000, b"\xff"])
def test_a_damaged_report_before_is_told_of_and_no_error(settings: Settings, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "report.json").write_bytes(content)
    before = before_of(file(), settings, tmp_path)
    assert before.report is None
    assert "report.json is no report that can be compared with" in before.note


def test_a_damaged_history_is_a_note_of_the_report(
    first: MadeReport, settings: Settings, history: ReportHistory
) -> None:
    kept = first.keep(settings, why="schedule")
    assert kept is not None
    folder = Path(settings.models) / "reports" / KEY / kept.id
    (folder / "report.json").write_text("{}")
    before = before_of(dataset(), settings)
    assert before.report is None
    assert kept.id in before.note
    (folder / "about.json").write_text(json.dumps({"id": kept.id, "made_at": 5, "why": [], "figures": [1, 2]}))
    document = make_report(dataset(), settings, before).document
    assert before.note in document["notes"]
    assert "history" not in document


def test_an_earlier_report_of_another_shape_costs_no_report(settings: Settings) -> None:
    strange = {"overview": {}, "controls": [5], "annotators": [[]], "hard_cases": ["?"], "versions": [None], "url": URL}
    document = make_report(dataset(), settings, Before({**strange, "inspection": 3, "generated_at": None})).document
    assert document["overview"]["labeled"] == 4


def test_a_history_that_cannot_be_reached_is_a_note_and_nothing_is_kept(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "wall").write_text("no folder")
    away = settings.model_copy(update={"models_url": str(tmp_path / "wall" / "models")})
    report = make_report(dataset(), away, before_of(dataset(), away))
    assert report.document["overview"]["labeled"] == 4
    with pytest.raises(ModelUnavailable):
        report.keep(away, why="schedule")


def test_a_report_can_be_compared_with_any_that_somebody_names(
    first: MadeReport, settings: Settings, tmp_path: Path
) -> None:
    kept = saying(first, 2).keep(settings, why="schedule")
    saying(first, 3).keep(settings, why="schedule")
    assert kept is not None
    files = saying(first, 1).write(tmp_path / "out")
    for name, labeled in [(kept.id, 2), (str(files.json), 1), (str(tmp_path / "out"), 1)]:
        assert chosen_before(name, dataset(), settings)["overview"]["labeled"] == labeled
    for name in ("20260101T000000Z-abcdef", "../../etc/passwd", str(tmp_path)):
        with pytest.raises(InputError):
            chosen_before(name, dataset(), settings)
    with pytest.raises(InputError, match="none"):
        chosen_before(kept.id, file(), settings)


def test_the_command_compares_with_a_file_and_keeps_nothing_of_a_file(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIEBREAK_HOME", str(settings.home))
    export, config, out = tmp_path / "export.json", tmp_path / "config.xml", tmp_path / "out"
    export.write_text(json.dumps([exports.voted(1, "good", "positive", "positive")]))
    config.write_text(exports.SENTIMENT)

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, ["report", str(export), "--label-config", str(config), *words])

    made = run("--out", str(out), "--json")
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout) == {kind: str(out / f"report.{kind}") for kind in ("html", "xlsx", "json")}
    assert run("--out", str(tmp_path / "second"), "--against", str(out)).exit_code == 0
    assert isinstance(run("--out", str(out), "--against", "nothing.json").exception, InputError)
    assert not (Path(settings.models) / "reports").exists()


def test_the_command_keeps_a_projects_report_unless_told_not_to(
    settings: Settings, history: ReportHistory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIEBREAK_HOME", str(settings.home))
    monkeypatch.setattr(reports, "dataset_of", lambda *_: dataset())
    run = CliRunner().invoke(app, ["report", "7", "--out", str(tmp_path), "--no-keep"])
    assert run.stdout.split() == [str(tmp_path / f"report.{kind}") for kind in ("html", "xlsx", "json")]
    assert history.kept() == []
    kept = CliRunner().invoke(app, ["report", "7", "--out", str(tmp_path), "--json"])
    assert json.loads(kept.stdout)["kept"] == history.kept()[0].id
    assert history.kept()[0].why == "command"


def test_the_command_asks_where_to_write() -> None:
    asked = CliRunner().invoke(app, ["report", "7"])
    assert asked.exit_code == 2
    assert "--out" in asked.stderr


def _labeled(before: Before) -> int:
    assert before.report is not None
    return int(before.report["overview"]["labeled"])
