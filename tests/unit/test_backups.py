"""Backups are kept, told and read again; what cannot be restored is refused before anything is made."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from ml_backend.labeling.errors import ConfigError, InputError
from ml_backend.studio import Studio
from sdk_scripts.backup import KEPT, back_up
from sdk_scripts.restore import restore

PROJECT = {"id": 7, "title": "Reviews", "label_config": "<View/>", "description": ""}
ANNOTATION = {"id": 1, "result": [], "completed_by": 4}


def studio(people: dict[int, str]) -> Studio:
    """Of a Label Studio with these people and one task; whatever changes something is refused."""

    def answer(request: httpx.Request) -> httpx.Response:
        said: dict[str, Any] = {
            "/api/projects/7/": PROJECT,
            "/api/projects/": {"count": 0, "results": [], "next": None},
            "/api/users/": [{"id": id, "email": email} for id, email in people.items()],
            "/api/version": {"release": "1.23.2"},
            "/api/dm/views/": [],
            "/api/tasks/": {
                "tasks": [{"id": 5, "data": {}, "annotations": [ANNOTATION], "predictions": []}],
                "total": 1,
            },
        }
        if request.method != "GET":
            return httpx.Response(403, json={"detail": "read only"})
        return httpx.Response(200, json=said[request.url.path])

    return Studio("http://studio", "f" * 40, pause=0.0, transport=httpx.MockTransport(answer))


def test_the_newest_backups_of_a_project_stay(tmp_path: Path) -> None:
    other = tmp_path / "project-70-20200101T000000000000Z"
    other.mkdir()
    made = [back_up(studio({}), 7, tmp_path) for _ in range(KEPT + 2)]
    assert sorted(tmp_path.iterdir()) == sorted([other, *made[2:]])
    assert made[-1].stat().st_mode & 0o077 == 0


def test_a_backup_that_cannot_be_written_leaves_nothing_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gzip, "open", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        back_up(studio({}), 7, tmp_path)
    assert not list(tmp_path.iterdir())


def test_people_are_found_by_their_email_and_unknown_ones_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    backup = back_up(studio({4: "a@example.com"}), 7, tmp_path)
    planned = restore(studio({9: "A@example.com"}), backup / "tasks.json.gz")
    assert (planned.tasks, planned.annotations, planned.project) == (1, 1, None)
    with pytest.raises(ConfigError, match=r"user 4, a@example\.com"):
        restore(studio({4: "somebody.else@example.com"}), backup, apply=True)


@pytest.mark.parametrize("spoil", ["project.json", "tasks.json.gz"])
def test_a_backup_that_is_not_whole_is_refused(tmp_path: Path, spoil: str) -> None:
    backup = back_up(studio({4: "a@example.com"}), 7, tmp_path)
    (backup / spoil).write_bytes((backup / spoil).read_bytes()[:30])
    with pytest.raises(InputError, match=r"backup|cannot be read"):
        restore(studio({4: "a@example.com"}), backup, apply=True)


def test_what_is_no_backup_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no backup"):
        restore(studio({}), tmp_path)
    (tmp_path / "project.json").write_text(json.dumps([1]))
    with pytest.raises(InputError, match="is no backup"):
        restore(studio({}), tmp_path)
