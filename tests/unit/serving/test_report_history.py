"""Reports are kept whole or not at all, the newest first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ml_backend.labeling.errors import InputError
from ml_backend.report_history import ReportHistory
from ml_backend.settings import Settings

FILES = {"report.html": b"<p>", "report.xlsx": b"PK", "report.json": b'{"title": "Reviews"}'}


@pytest.fixture
def history(settings: Settings) -> ReportHistory:
    return ReportHistory(settings, "7.1764144000000000")


def test_what_is_added_is_listed_and_read(history: ReportHistory) -> None:
    kept = history.add(FILES, why="command", title="Reviews", figures={"alpha": 0.5})
    assert history.kept() == [kept]
    assert history.newest() == (kept, {"title": "Reviews"})
    assert {name: history.read(kept.id, name) for name in FILES} == FILES


def test_a_report_killed_while_it_was_written_is_not_there(history: ReportHistory, settings: Settings) -> None:
    kept = history.add(FILES, why="command")
    (Path(settings.models) / "reports" / history.project_key / kept.id / "about.json").unlink()
    assert history.kept() == []
    assert history.newest() is None


@pytest.mark.parametrize("torn", [{"figures": [1]}, {"made_at": 5}, {"why": None}, {"more": 1}, {"id": "another"}])
def test_a_report_whose_file_was_edited_is_left_out(
    history: ReportHistory, settings: Settings, torn: dict[str, object]
) -> None:
    kept = history.add(FILES, why="command")
    whole = history.add(FILES, why="schedule")
    path = Path(settings.models) / "reports" / history.project_key / kept.id / "about.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **torn}))
    assert history.kept() == [whole]


def test_no_more_are_listed_than_asked_for(history: ReportHistory) -> None:
    ids = [history.add(FILES, why="command").id for _ in range(3)]
    assert [it.id for it in history.kept(2)] == sorted(ids)[:0:-1]


def test_names_from_outside_reach_no_other_file(history: ReportHistory) -> None:
    kept = history.add(FILES, why="command")
    for id, name in [(kept.id, "../../../secret"), (f"../{kept.id}", "report.html"), (kept.id, "about.json")]:
        with pytest.raises(InputError):
            history.read(id, name)
    with pytest.raises(InputError):
        ReportHistory(Settings(home=Path()), "../7")


def test_only_the_newest_are_left(history: ReportHistory) -> None:
    ids = sorted(history.add(FILES, why="schedule").id for _ in range(4))
    history.prune(2)
    assert [it.id for it in history.kept()] == [*reversed(ids)][:2]


def test_unfinished_reports_go_with_those_before_them(history: ReportHistory, settings: Settings) -> None:
    folder = Path(settings.models) / "reports" / history.project_key
    (folder / "20200101T000000Z-abcdef").mkdir(parents=True)
    (folder / "20200101T000000Z-abcdef" / "report.html").write_bytes(b"<p>")
    kept = history.add(FILES, why="schedule")
    history.prune(2)
    assert [path.name for path in folder.iterdir()] == [kept.id]
