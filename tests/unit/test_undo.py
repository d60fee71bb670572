"""What Tiebreak changed is taken back, unless somebody has changed it since: by the trail that real calls leave."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ml_backend.labeling.errors import InputError
from ml_backend.studio import Studio, kept_values
from ml_backend.studio.trail import _READING, Trail
from sdk_scripts.undo import Chosen, Undone, undo
from sdk_scripts.undo.ways import WAYS

ROOT = Path(__file__).parents[2]


class Stored:
    """Objects by their address, changed by PATCH and DELETE and made by POST, as Label Studio's API does."""

    def __init__(self, folder: Path) -> None:
        self.things: dict[str, dict[str, Any]] = {}
        self.writes: list[str] = []
        self.trail = Trail(folder / "audit")
        self.backups = folder / "backups"
        self.studio = Studio(
            "http://studio", "f" * 40, pause=0.0, transport=httpx.MockTransport(self.answer), trail=self.trail
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, method = request.url.path, request.method
        if method != "GET":
            self.writes.append(f"{method} {path}")
        if method == "POST":
            id = 100 + len(self.things)
            base = "/api/annotations/" if path.endswith("/annotations/") else path.rstrip("/") + "/"
            at = f"{base}{id}" if path == "/api/ml" else f"{base}{id}/"
            self.things[at] = {"id": id, **json.loads(request.content)}
            return httpx.Response(201, json=self.things[at])
        if path not in self.things:
            return httpx.Response(404, json={"detail": "Not found."})
        if method == "DELETE":
            del self.things[path]
            return httpx.Response(204)
        if method == "PATCH":
            self.things[path] |= json.loads(request.content)
        return httpx.Response(200, json=self.things[path])

    def undo(self, *entries: str, apply: bool = True, **chosen: Any) -> Undone:
        wanted = Chosen(entries, **chosen) if entries or chosen else Chosen(since="2000")
        return undo(self.studio, self.trail, wanted, self.backups, apply=apply)


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    return Stored(tmp_path)


def states(undone: Undone) -> list[tuple[str, str]]:
    return [(step.state, step.why) for step in undone.steps]


def make_view(stored: Stored) -> int:
    return int(stored.studio.create_view(7, {"title": "Ours"})["id"])


def annotate(stored: Stored) -> int:
    return int(stored.studio.create_annotation(5, {"result": [{"value": {"choices": ["a"]}}]})["id"])


@pytest.mark.parametrize("make", [make_view, annotate])
def test_what_was_made_goes_and_a_second_run_finds_nothing(stored: Stored, make: Callable[[Stored], int]) -> None:
    make(stored)
    before = dict(stored.things)
    planned = stored.undo(apply=False)
    assert [step.state for step in planned.steps] == ["undo"]
    assert planned.open
    assert stored.things == before
    assert not stored.undo().open
    assert not stored.things
    writes = list(stored.writes)
    assert states(stored.undo()) == [("undone", "it is not there any more")]
    assert stored.writes == writes


def test_a_changed_field_is_put_back_and_the_others_are_left(stored: Stored) -> None:
    stored.things["/api/projects/7/"] = {"id": 7, "title": "Before", "color": "#fff", "description": "d"}
    stored.studio.update_project(7, {"title": "After", "color": "#fff"})
    stored.things["/api/projects/7/"]["description"] = "somebody's"
    undone = stored.undo()
    assert [step.what for step in undone.steps] == ["project 7: title"]
    assert stored.things["/api/projects/7/"] == {
        "id": 7, "title": "Before", "color": "#fff", "description": "somebody's",
    }  # fmt: skip


def test_changes_one_after_the_other_are_taken_back_in_one_plan(stored: Stored) -> None:
    stored.things["/api/projects/7/"] = {"id": 7, "title": "one"}
    for title in ("two", "three"):
        stored.studio.update_project(7, {"title": title})
    assert [step.state for step in stored.undo(apply=False).steps] == ["undo", "undo"]
    assert not stored.undo(project=7).open
    assert stored.things["/api/projects/7/"]["title"] == "one"


def test_what_somebody_changed_since_is_left_alone(stored: Stored) -> None:
    stored.things["/api/annotations/3/"] = {"id": 3, "task": 5, "project": 7, "result": ["theirs"]}
    stored.studio.update_annotation(3, {"result": ["ours"]})
    view = make_view(stored)
    stored.things["/api/annotations/3/"]["result"] = ["somebody's"]
    stored.things[f"/api/dm/views/{view}/"]["data"] = {"title": "Renamed", "type": "list", "target": "tasks"}
    undone = stored.undo()
    assert states(undone) == [("cannot", "somebody changed data since"), ("cannot", "somebody changed result since")]
    assert undone.open
    assert stored.things["/api/annotations/3/"]["result"] == ["somebody's"]


def test_what_was_deleted_is_made_again_once(stored: Stored) -> None:
    was = {"id": 3, "task": 5, "project": 7, "result": ["r"], "completed_by": 2, "ground_truth": True, "lead_time": 1.5}
    stored.things["/api/annotations/3/"] = was
    stored.studio.delete_annotation(3)
    stored.undo()
    [again] = stored.things.values()
    assert {name: again[name] for name in ("result", "completed_by", "ground_truth", "lead_time")} == {
        "result": ["r"], "completed_by": 2, "ground_truth": True, "lead_time": 1.5,
    }  # fmt: skip
    assert states(stored.undo()) == [("undone", "it was made again")]
    assert len(stored.things) == 1


def test_what_was_made_and_deleted_in_between_stays_gone(stored: Stored) -> None:
    stored.studio.delete_annotation(annotate(stored))
    assert [step.state for step in stored.undo().steps] == ["undone", "undone"]
    assert not stored.things


def test_a_webhook_with_a_secret_is_not_made_again_and_one_without_is(stored: Stored) -> None:
    hook = {"id": 1, "project": 7, "url": "http://b/hook", "actions": ["B", "A"], "headers": {}, "is_active": True}
    stored.things["/api/webhooks/1/"] = hook
    stored.things["/api/webhooks/2/"] = {**hook, "id": 2, "headers": {"X-Tiebreak-Secret": "hush"}}
    stored.studio.delete_webhook(1)
    stored.studio.delete_webhook(2)
    secret, plain = stored.undo().steps
    assert (secret.state, plain.state) == ("cannot", "undo")
    assert "secret" in secret.why
    assert [it["url"] for it in stored.things.values()] == ["http://b/hook"]


def test_secrets_are_kept_nowhere_and_only_the_owner_may_read_the_rest(stored: Stored) -> None:
    hidden = {"headers": {"X": "hush"}, "basic_auth_pass": "hush", "url": "http://u:hush@host/", "title": "t"}
    stored.things["/api/projects/7/"] = {"id": 7, "title": "Before", "task_data_password": "hush"}
    stored.studio.update_project(7, {"title": "After", "task_data_password": "hush2"})
    stored.trail.note("POST", "/api/ml", None, hidden, {"id": 1}, {"before": hidden})
    [file] = stored.trail.values.folder.iterdir()
    assert "hush" not in file.read_text()
    assert "Before" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0


def test_what_is_kept_has_bounds(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = stored.trail.values
    kept.folder.mkdir(parents=True)
    (kept.folder / "2020-01-01.jsonl").write_text("{}")
    monkeypatch.setattr(kept_values, "ENTRY_BYTES", 300)
    monkeypatch.setattr(kept_values, "DAY_BYTES", 500)
    assert not kept.keep("a" * 12, {"before": {"text": "x" * 400}})
    assert [kept.keep(f"{number:012}", {"before": {"text": "x" * 150}}) for number in range(3)] == [True, True, False]
    assert set(kept.of({f"{number:012}" for number in range(3)})) == {"000000000000", "000000000001"}
    assert not (kept.folder / "2020-01-01.jsonl").exists()


def test_an_entry_of_an_older_tiebreak_is_told_apart_and_cannot_be_undone(stored: Stored) -> None:
    stored.trail.folder.mkdir(parents=True)
    old = {
        "at": "2026-10-01T00:00:00.000+00:00", "by": "tiebreak sync", "host": "h", "pid": 1,
        "call": "PATCH /api/projects/7/", "params": {}, "sent": {"fields": ["title"]}, "outcome": {"ok": True, "id": 7},
    }  # fmt: skip
    (stored.trail.folder / "2026-10.jsonl").write_text(json.dumps(old) + "\n")
    stored.things["/api/projects/7/"] = {"id": 7, "title": "t"}
    [step] = stored.undo(project=7).steps
    assert step.state == "cannot"
    assert "not kept" in step.why
    assert step.entry.id == next(stored.trail.entries())["id"]


def test_nothing_is_done_to_another_label_studio_or_a_project_made_since(stored: Stored) -> None:
    stored.things["/api/projects/7/"] = {"id": 7, "title": "Before", "created_at": "2026-01-01T00:00:00Z"}
    stored.studio.update_project(7, {"title": "After"})
    stored.things["/api/projects/7/"]["created_at"] = "2999-01-01T00:00:00Z"  # a new database, say
    assert states(stored.undo()) == [("cannot", "project 7 is another one than then: it was made since")]
    stored.studio.url = "http://elsewhere"
    assert states(stored.undo()) == [("cannot", "it was done to another Label Studio, http://studio")]
    assert stored.things["/api/projects/7/"]["title"] == "After"


def test_nothing_is_undone_without_a_choice_and_unknown_entries_are_told(stored: Stored) -> None:
    with pytest.raises(InputError, match="what to undo"):
        undo(stored.studio, stored.trail, Chosen(), stored.backups)
    with pytest.raises(InputError, match="no entry nonsense"):
        stored.undo("nonsense")


def test_an_undo_is_in_the_trail_and_can_be_taken_back_by_its_name(stored: Stored) -> None:
    stored.things["/api/projects/7/"] = {"id": 7, "title": "Before"}
    stored.studio.update_project(7, {"title": "After"})
    [first] = stored.trail.entries()
    stored.undo(first["id"])
    *_, last = stored.trail.entries()
    assert last["undoes"] == first["id"]
    assert len(stored.undo(project=7).steps) == 1
    stored.undo(last["id"])
    assert stored.things["/api/projects/7/"]["title"] == "After"


def test_a_refused_step_is_told_and_the_others_are_done(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    stored.things["/api/projects/7/"] = {"id": 7, "title": "Before"}
    stored.studio.update_project(7, {"title": "After"})
    annotate(stored)
    planned, answer = stored.undo(apply=False), Stored.answer

    def refuse(self: Stored, request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, json={"detail": "no"}) if request.method == "DELETE" else answer(self, request)

    stored.studio._transport = httpx.MockTransport(lambda request: refuse(stored, request))
    stored.studio.close()
    undone = stored.undo()
    assert [step.state for step in planned.steps] == ["undo", "undo"]
    assert [step.state for step in undone.steps] == ["failed", "undo"]
    assert stored.things["/api/projects/7/"]["title"] == "Before"


def _calls() -> set[str]:
    """Every method and address that `ml_backend.studio` changes something with, ids being 1."""
    found: set[str] = set()
    for file in (ROOT / "ml_backend" / "studio").glob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            names = dict(_named(function))
            for node in ast.walk(function):
                called = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
                if called == "_create":
                    found.add(f"POST {_text(node.args[0])}")
                elif called == "_call" and (method := _text(node.args[0])):
                    path = node.args[1]  # a parameter's is `_create`'s, whose callers are found above
                    text = names.get(path.id, "") if isinstance(path, ast.Name) else _text(path)
                    found |= {f"{method} {text}"} if text else set()
    return {call for call in found if not call.startswith("GET ")}


def _named(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """The variables of a function that are texts."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            both = (
                (target.elts, value.elts)
                if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
                else ([target], [value])
            )
            yield from (
                (name.id, _text(it)) for name, it in zip(*both, strict=True) if isinstance(name, ast.Name) and _text(it)
            )


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "1" for part in node.values)
    return ""


def test_every_change_that_tiebreak_makes_has_a_row_in_the_table() -> None:
    calls = {call for call in _calls() if not _READING.fullmatch(call.partition(" ")[2])}
    assert len(calls) > 20
    assert not {call for call in calls if not any(pattern.fullmatch(call) for pattern, _ in WAYS)}


ELSEWHERE = {
    "ml_backend/large_model/endpoint.py": "a large model",
    "ml_backend/large_model/schema.py": "nobody: the SDK's check of label configs",
    "sdk_scripts/demo_project.py": "our backend",
    "sdk_scripts/doctor/checks/large_model.py": "a large model",
    "sdk_scripts/doctor/patient.py": "our backend",
    "sdk_scripts/embedded.py": "our backend",
    "sdk_scripts/monitoring/alert_delivery.py": "whom alerts go to",
    "sdk_scripts/studio_server.py": "Label Studio, whether it is up, which changes nothing",
}
SPEAKS = re.compile(
    r"^\s*(import|from) (httpx|requests|aiohttp|urllib\.request|urllib3|http\.client|label_studio_sdk)\b", re.MULTILINE
)


def test_nothing_but_the_one_connection_calls_label_studio() -> None:
    """Who else speaks HTTP, by what it speaks to: add to ELSEWHERE what is not Label Studio."""
    files = [file for folder in ("ml_backend", "sdk_scripts") for file in (ROOT / folder).rglob("*.py")]
    speaking = {file.relative_to(ROOT).as_posix() for file in files if SPEAKS.search(file.read_text("utf-8"))}
    assert speaking - set(ELSEWHERE) == {
        f"ml_backend/studio/{name}.py" for name in ("connection", "files", "snapshots")
    }
