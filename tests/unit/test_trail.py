"""Whatever is asked of Label Studio stands in the trail once, without a word of what people wrote."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from ml_backend.labeling.errors import StudioRefused
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.studio.trail import BY, Trail
from sdk_scripts.cli import app


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    return Trail(tmp_path / "audit")


def studio(trail: Trail, status: int = 200, body: Any = None) -> Studio:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=body))
    return Studio("http://studio", "f" * 40, pause=0.0, transport=transport, trail=trail)


def test_a_change_is_noted_with_what_was_made_and_without_a_text(trail: Trail) -> None:
    region = {"from_name": "label", "value": {"text": ["a secret of somebody's"]}}
    body = {"id": 12, "result": [region], "unique_id": "x", "ground_truth": False, "was_cancelled": False}
    with pytest.raises(StudioRefused):  # it was not stored as it was sent, which is another matter
        studio(trail, body=body).create_annotation(7, {"result": [region], "lead_time": 3})
    [entry] = trail.entries()
    assert entry["call"] == "POST /api/tasks/7/annotations/"
    assert entry["outcome"] == {"ok": True, "id": 12}
    assert entry["sent"] == {"fields": ["ground_truth", "lead_time", "result", "unique_id"]}
    assert "secret" not in json.dumps(entry)


def test_what_was_refused_is_noted_as_such(trail: Trail) -> None:
    with pytest.raises(StudioRefused):
        studio(trail, 403, {"detail": "no"}).delete_view(3)
    [entry] = trail.entries()
    assert (entry["call"], entry["outcome"]) == (
        "DELETE /api/dm/views/3/",
        {"ok": False, "error": "StudioRefused"},
    )


def test_reading_is_not_noted(trail: Trail) -> None:
    studio(trail, body={"release": "1.23.2"}).version()
    studio(trail).validate_config("<View/>")
    assert not list(trail.entries())


def test_entries_are_found_by_project_and_time(trail: Trail) -> None:
    for project in (7, 70):
        studio(trail, body={"id": project}).update_project(project, {})
    trail.note("POST", "/api/dm/views/", None, {"project": 7, "data": {}}, {"id": 1})
    calls = [entry["call"] for entry in trail.entries(project=7)]
    assert calls == ["PATCH /api/projects/7/", "POST /api/dm/views/"]
    assert len(list(trail.entries())) == 3
    assert not list(trail.entries(since="2999-01-01"))


def test_threads_do_not_mix_their_lines_and_a_cut_one_is_passed_over(trail: Trail) -> None:
    def write() -> None:
        for number in range(50):
            trail.note("DELETE", f"/api/predictions/{number}/", None, {"fields": "x" * 2000}, None)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [file] = trail.folder.iterdir()
    with file.open("a") as lines:
        lines.write('{"at": "2026')
    assert len(list(trail.entries())) == 200


def test_a_trail_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("in the way")
    assert studio(Trail(tmp_path / "audit"), body={"id": 7}).update_project(7, {})["id"] == 7


def test_a_job_is_named_instead_of_the_worker(trail: Trail) -> None:
    token = BY.set("job train-7-1")
    try:
        trail.note("PATCH", "/api/projects/7/", None, {}, None)
    finally:
        BY.reset(token)
    assert [entry["by"] for entry in trail.entries()] == ["job train-7-1"]


def test_the_command_shows_them(home: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    Trail(home / "audit").note("PATCH", "/api/projects/7/", None, {"title": "x"}, {"id": 7})
    monkeypatch.setenv("TIEBREAK_HOME", str(home))
    shown = CliRunner().invoke(app, ["audit", "--project", "7", "--json"])
    assert json.loads(shown.stdout)["changes"][0]["outcome"] == {"ok": True, "id": 7}
    assert "PATCH /api/projects/7/" in CliRunner().invoke(app, ["audit"]).stdout
    assert json.loads(CliRunner().invoke(app, ["audit", "--project", "8", "--json"]).stdout) == {"changes": []}
