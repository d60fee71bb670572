"""The console when something is away, hangs or is huge: each panel says so, and predictions go on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from rq import Retry, Worker

from ml_backend.console.panels import MOST_PROJECTS, PANELS, reports
from ml_backend.console.state import FRESH_SECONDS, State
from ml_backend.encoder import Encoder
from ml_backend.hints import Hints
from ml_backend.labeling.errors import StudioUnreachable
from ml_backend.model_files import ModelFiles
from ml_backend.model_registry import ModelRegistry
from ml_backend.project_list import MOST, keep_problem
from ml_backend.queues import TRAIN_QUEUE, Jobs
from ml_backend.settings import Settings
from ml_backend.valkey import Valkey
from sdk_scripts.monitoring.findings_store import FindingsStore
from tests.unit.monitoring.inspections import after, finding, inspection
from tests.unit.serving import console_content
from tests.unit.serving.console_content import KEY, REVIEWS, add_findings, add_report, list_projects, listed
from tests.unit.serving.running import SENTIMENT, eventually, free_port, serving, work_off

GUARDED = {"backend_user": "ana", "backend_password": SecretStr("pass")}
STORED = {name for name, it in PANELS.items() if it.where == "storage"}
QUEUED = {name for name, it in PANELS.items() if it.where == "redis"}


@pytest.fixture
def guarded(queue_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for where in ("redis", "storage"):
        monkeypatch.setitem(FRESH_SECONDS, where, 0.0)
    monkeypatch.setattr("ml_backend.console.state.REST", 0.0)
    return queue_settings.model_copy(update=GUARDED)


@pytest.fixture
def console(guarded: Settings, encoder: Encoder) -> Iterator[httpx.Client]:
    with serving(guarded, encoder) as client:
        client.auth = httpx.BasicAuth("ana", "pass")
        eventually(lambda: panels(client)["queues"]["data"], what="the queues")
        yield client


def panels(client: httpx.Client) -> dict[str, Any]:
    """As they are once nothing is late, which on a busy machine happens."""
    found: dict[str, Any] = {}

    def is_there() -> bool:
        found.update(panels_now(client))
        return not any("has not answered" in (it["problem"] or {}).get("what", "") for it in found.values())

    eventually(is_there, what="an answer of every source")
    return found


def panels_now(client: httpx.Client) -> dict[str, Any]:
    answer = client.get("/console/state.json")
    assert answer.status_code == 200
    return dict(answer.json()["panels"])


def predicts(client: httpx.Client) -> bool:
    body = {"tasks": [{"id": 1, "data": {"text": "I love it"}}], "project": KEY, "label_config": SENTIMENT}
    return bool(client.post("/predict", json=body).json()["results"][0]["result"])


def test_without_redis_its_panels_say_so_and_the_others_are_there(guarded: Settings, encoder: Encoder) -> None:
    add_report(guarded)
    away = guarded.model_copy(update={"redis_url": SecretStr(f"redis://:secret@127.0.0.1:{free_port()}/0")})
    with serving(away, encoder) as client:
        client.auth = httpx.BasicAuth("ana", "pass")
        found = panels(client)
        assert all("TIEBREAK_REDIS_URL" in found[name]["problem"]["mend"] for name in QUEUED)
        assert all(found[name]["data"] is None for name in QUEUED)
        assert all(found[name]["problem"] is None for name in STORED)
        assert found["reports"]["data"]["rows"][0]["title"] == "Product reviews"
        assert "secret" not in json.dumps(found)
        assert predicts(client)
        assert 'tiebreak_source_up{source="redis"} 0.0' in client.get("/metrics").text


def test_what_was_known_before_redis_went_is_still_shown_and_dated(
    settings: Settings, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for where in ("redis", "storage"):
        monkeypatch.setitem(FRESH_SECONDS, where, 0.0)
    server = Valkey(tmp_path / "valkey")
    url = server.start().url
    own = settings.model_copy(update={**GUARDED, "redis_url": SecretStr(url)})
    with Jobs(own) as jobs:
        list_projects(jobs, REVIEWS)
    with serving(own, encoder) as client:
        client.auth = httpx.BasicAuth("ana", "pass")
        eventually(lambda: panels(client)["projects"]["data"], what="the projects")
        server.stop()
        eventually(lambda: panels(client)["projects"]["problem"], what="the problem")
        told = panels(client)["projects"]
        assert told["data"]["rows"][0]["title"] == "Product reviews"
        assert time.time() - 60 < told["as_of"] <= time.time()
        assert predicts(client)


def test_without_the_storage_its_panels_say_so_and_the_others_are_there(
    console: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.ls", away)
    found = panels(console)
    assert all("TIEBREAK_MODELS_URL" in found[name]["problem"]["mend"] for name in STORED)
    assert all(found[name]["problem"] is None for name in QUEUED)
    assert 'tiebreak_source_up{source="storage"} 0.0' in console.get("/metrics").text


def test_a_storage_that_hangs_costs_one_thread_however_many_look_and_predictions_go_on(
    console: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, go_on = [], threading.Event()

    def hang(*_: object) -> list[str]:
        waiting.append(threading.current_thread())
        go_on.wait(60)
        return []

    monkeypatch.setattr(ModelFiles, "folders", hang)
    try:
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: panels_now(console), range(10)))
        assert len(waiting) == 1
        assert all("has not answered" in it["versions"]["problem"]["what"] for it in answers)
        assert all(it["queues"]["problem"] is None for it in answers)
        assert predicts(console)
    finally:
        go_on.set()
    eventually(lambda: panels(console)["versions"]["problem"] is None, what="the storage")


def test_ten_consoles_cost_what_one_does(guarded: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setitem(FRESH_SECONDS, "storage", 60.0)
    monkeypatch.setitem(FRESH_SECONDS, "redis", 60.0)
    asked: list[str] = []
    for name, panel in PANELS.items():
        collect = panel.collect
        monkeypatch.setattr(panel, "collect", lambda given, name=name, it=collect: asked.append(name) or it(given))
    hints = Hints(guarded)
    hints.open()

    async def look() -> None:
        with ThreadPoolExecutor(4) as pool:
            state = State(guarded, ModelRegistry(guarded.models), hints, pool)
            await asyncio.gather(*(state.refreshed() for _ in range(10)))
            await state.refreshed()

    try:
        asyncio.run(look())
    finally:
        hints.close()
    assert sorted(asked) == sorted(PANELS)


def test_a_panel_that_breaks_takes_no_other_along_and_tells_only_an_id(
    console: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> dict[str, Any]:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(PANELS["workers"], "collect", broken)
    found = panels(console)
    assert "nobody foresaw" in found["workers"]["problem"]["what"]
    assert "secret of the house" not in json.dumps(found)
    assert found["queues"]["problem"] is None


def test_label_studio_away_is_told_beside_what_it_last_listed(console: httpx.Client, guarded: Settings) -> None:
    with Jobs(guarded) as jobs:
        list_projects(jobs, REVIEWS)
        assert panels(console)["projects"]["data"]["studio"] is None
        keep_problem(jobs.redis, StudioUnreachable("Label Studio does not answer.", mend="Start it."))
        told = panels(console)["projects"]["data"]
        assert told["studio"] == {"what": "Label Studio does not answer.", "mend": "Start it."}
        assert told["rows"][0]["title"] == "Product reviews"
        assert 'tiebreak_source_up{source="studio"} 0.0' in console.get("/metrics").text
        list_projects(jobs, REVIEWS)
        assert panels(console)["projects"]["data"]["studio"] is None


def test_before_a_worker_has_looked_it_says_what_is_missing(console: httpx.Client) -> None:
    assert "tiebreak worker" in panels(console)["projects"]["data"]["studio"]["mend"]


def test_a_project_that_is_being_trained_says_so(console: httpx.Client, guarded: Settings) -> None:
    with Jobs(guarded) as jobs:
        list_projects(jobs, REVIEWS)
        assert [row["training"] for row in panels(console)["projects"]["data"]["rows"]] == [False]
        with jobs.state(KEY).working() as ours:
            assert ours
            assert [row["training"] for row in panels(console)["projects"]["data"]["rows"]] == [True]


def test_workers_are_shown_with_what_they_do(console: httpx.Client, guarded: Settings) -> None:
    with Jobs(guarded) as jobs:
        worker = Worker([jobs.queue(TRAIN_QUEUE)], connection=jobs.redis, name="worker-of-a-test")
        worker.register_birth()
        [row] = panels(console)["workers"]["data"]["rows"]
        assert (row["name"], row["state"], row["job"]) == ("worker-of-a-test", "starting", None)
        assert row["heartbeat"]
        worker.register_death()
        assert panels(console)["workers"]["data"]["rows"] == []


def test_a_job_is_shown_with_its_worker_while_it_runs_and_as_such_while_it_waits_to_be_tried_again(
    console: httpx.Client, guarded: Settings
) -> None:
    with Jobs(guarded) as jobs, ThreadPoolExecutor(1) as pool:
        list_projects(jobs, REVIEWS)
        queue = jobs.queue(TRAIN_QUEUE)
        function, again = f"{console_content.__name__}.wait_job", Retry(max=1, interval=3600)
        queue.enqueue(function, args=(KEY, 7, 0), job_id="waits", retry=again)

        def look() -> dict[str, Any]:
            try:
                eventually(lambda: panels(console)["workers"]["data"]["busy"], what="a busy worker")
                return panels(console)
            finally:
                jobs.redis.lpush("go", "on")

        looking = pool.submit(look)
        work_off(queue)
        found = looking.result()
        [worker] = found["workers"]["data"]["rows"]
        assert (worker["state"], worker["job"]) == ("busy", {"what": "wait", "project": KEY})
        [run] = found["runs"]["data"]["rows"]
        assert (run["state"], run["project"], run["seconds"]) == ("running", KEY, None)
        [run] = panels(console)["runs"]["data"]["rows"]
        assert run["state"] == "scheduled"
        assert "tried again" in run["came_to"]


def test_big_histories_are_bounded(console: httpx.Client, guarded: Settings) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    folder = Path(guarded.models) / "reports" / KEY
    for number in range(200):
        at = began + timedelta(hours=number)
        id = f"{at:%Y%m%dT%H%M%SZ}-abcdef"
        about = {"id": id, "made_at": at.isoformat(), "why": "schedule", "title": "t" * 5_000}
        (folder / id).mkdir(parents=True)
        (folder / id / "about.json").write_text(json.dumps(about))
    store = FindingsStore(guarded, KEY)
    many = [finding(f"person-{number}", message="m" * 5_000) for number in range(500)]
    store.keep(after(inspection(*many)))
    with Jobs(guarded) as jobs:
        queue = jobs.queue(TRAIN_QUEUE)
        for number in range(300):
            queue.enqueue("ml_backend.jobs.train_job", args=(KEY, 7, number), job_id=f"train-{number}")
        list_projects(jobs, REVIEWS, *(listed(100 + number, "p" * 5_000) for number in range(MOST_PROJECTS + 50)))
    add_report(guarded)
    eventually(lambda: panels(console)["projects"]["data"]["rows"], what="the projects")
    found = panels(console)
    assert len(found["projects"]["data"]["rows"]) == MOST_PROJECTS
    assert found["projects"]["data"]["more"] == 51
    assert len(found["runs"]["data"]["rows"]) <= 60
    assert {row["queue"]: row["waiting"] for row in found["queues"]["data"]["rows"]}[TRAIN_QUEUE] == 300
    assert len(console.get("/console/state.json").content) < 300_000


def test_reports_and_findings_of_a_project_are_the_newest_and_weightiest(
    console: httpx.Client, guarded: Settings
) -> None:
    kept = [add_report(guarded) for _ in range(8)]
    many = [finding(f"person-{number}", weight=float(number)) for number in range(60)]
    FindingsStore(guarded, KEY).keep(after(inspection(*many)))
    found = panels(console)
    rows = found["reports"]["data"]["rows"]
    assert len(rows) == reports.MOST_EACH
    assert {row["id"] for row in rows} <= {it.id for it in kept}
    assert found["findings"]["data"]["rows"][0]["subject"] == "person-59"
    assert found["findings"]["data"]["projects"][KEY]["open"]["high"] == 60


def test_a_report_that_is_being_written_is_shown_once_it_is_whole(console: httpx.Client, guarded: Settings) -> None:
    kept = add_report(guarded)
    about = Path(guarded.models) / "reports" / KEY / kept.id / "about.json"
    content = about.read_bytes()
    about.unlink()
    assert panels(console)["reports"]["data"]["rows"] == []
    about.write_bytes(content)
    assert [row["id"] for row in panels(console)["reports"]["data"]["rows"]] == [kept.id]


def test_the_list_of_projects_is_bounded(guarded: Settings) -> None:
    with Jobs(guarded) as jobs:
        list_projects(jobs, *(listed(number, "p") for number in range(1, MOST + 20)))
        kept = json.loads(jobs.redis.get("tiebreak:project-list"))["projects"]
    assert len(kept) == MOST
    assert kept[0]["id"] == MOST + 19


def test_damaged_files_leave_the_rest(console: httpx.Client, guarded: Settings) -> None:
    add_findings(guarded)
    kept = add_report(guarded)
    models = Path(guarded.models)
    (models / "reports" / KEY / kept.id / "report.json").write_bytes(b'{"hard_cases": ')
    (models / KEY / "few-shot-1-0").mkdir(parents=True)
    (models / KEY / "few-shot-1-0" / "model.json").write_bytes(b"{}")
    (models / KEY / "live.json").write_bytes(b"[")
    found = panels(console)
    assert all(found[name]["problem"] is None for name in STORED)
    assert found["hard_cases"]["data"]["rows"] == []
    assert found["versions"]["data"]["rows"] == []
    assert found["findings"]["data"]["rows"]
