"""Reports of a real Label Studio's project by a real worker: when its batch is complete (people are told), when the
backend is asked, and by the command; each is kept, and says what became of the one before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner
from unit.analysis.exports import SENTIMENT, choice

from ml_backend.encoder import Encoder
from ml_backend.labeling.results import project_key
from ml_backend.queues import REPORTING, Jobs
from ml_backend.report_history import ReportHistory
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.valkey import Valkey
from sdk_scripts.cli import app
from tests.unit.monitoring.receiver import receiving
from tests.unit.serving.running import WorkerProcess, eventually, free_port, serving

ON_COMPLETION = 'tiebreak quality: {"reports": {"on_completion": true}}'
TASKS = 6


@pytest.fixture
def project(studio: Studio) -> Iterator[dict[str, Any]]:
    """Of its tasks the first is a gold question: decided, and open for annotators to come."""
    fields = {"title": "Reported", "label_config": SENTIMENT, "description": ON_COMPLETION}
    made = studio.create_project(fields)
    studio.import_tasks(made["id"], [{"data": {"text": f"I like number {n}"}} for n in range(TASKS)])
    gold = studio.newest_task(made["id"]) - TASKS + 1
    label(studio, gold, "positive", ground_truth=True)
    studio.raise_overlap(gold, 3)
    yield made
    studio.delete_project(made["id"])


def label(studio: Studio, task: int, answer: str, **more: Any) -> None:
    studio.create_annotation(task, {"result": [choice("sentiment", answer)], **more})


def test_a_project_is_reported_on_as_it_asks_and_each_report_says_what_changed(
    studio: Studio,
    project: dict[str, Any],
    studio_settings: Settings,
    studio_environment: None,
    valkey: Valkey,
    encoder: Encoder,
    tmp_path: Path,
) -> None:
    guarded = {"backend_user": "studio", "backend_password": SecretStr("a password")}
    later = {"reconcile_seconds": 1.0, "train_after_labels": 10_000, "train_after_seconds": 36_000.0}
    port = free_port()
    told = {"alert_url": SecretStr(f"http://127.0.0.1:{port}/hook")}
    settings = studio_settings.model_copy(update={"redis_url": SecretStr(valkey.url), **guarded, **later, **told})
    key, id = project_key(project), project["id"]
    history = ReportHistory(settings, key)

    def reports(number: int) -> list[dict[str, Any]]:
        """What they say, the newest first."""
        eventually(lambda: len(history.kept()) >= number, what=f"report {number}")
        kept = history.kept()
        assert len(kept) == number
        return [json.loads(history.read(it.id, "report.json") or b"") for it in kept]

    worker = WorkerProcess(settings, tmp_path / "worker.log")
    try:
        with Jobs(settings) as jobs, serving(settings, encoder) as client, receiving(port) as receiver:
            jobs.remember(key)  # as /setup does; no webhook is connected
            eventually(lambda: jobs.redis.hget(jobs.changes(REPORTING, key).key, "seen"), what="a first look")
            gold, *tasks = sorted(int(task["id"]) for task in studio.tasks(id))
            for task in tasks[:-1]:
                label(studio, task, "positive")
            assert history.kept() == []
            label(studio, tasks[-1], "negative")
            [first] = reports(1)
            assert history.kept()[0].why == "batch"
            assert first["overview"]["labeled"] == TASKS
            assert "history" not in first

            label(studio, gold, "negative", completed_by=studio.add_annotator("eve@reports.example"))
            assert client.post("/report", json={"project": key}).status_code == 401
            asked = client.post("/report", json={"project": key}, auth=("studio", "a password"))
            assert asked.status_code == 201, asked.text
            assert asked.json()["job"].startswith("report-")
            second, _ = reports(2)
            assert [it["headline"] for it in receiver.came] == ["Tiebreak: a new report on Reported"]
            assert history.kept()[0].why == "webhook"
            trends = {it["figure"]: it["values"] for it in second["history"]["trends"]}
            assert trends["judgements"] == [TASKS, TASKS + 1]
            assert second["changes"]["since"] == first["generated_at"][:16].replace("T", " ")
            assert f"Judgements {TASKS} → {TASKS + 1}" in second["changes"]["said"][0]["said"]
            assert history.read(history.kept()[0].id, "report.html")
    finally:
        worker.kill()

    def command(*words: str) -> Any:
        run = CliRunner().invoke(app, ["report", str(id), *words, "--json"])
        assert run.exit_code == 0, run.output
        return json.loads(run.stdout.splitlines()[-1])  # in a process of its own, logs go elsewhere

    listed = CliRunner().invoke(app, ["report", str(id), "--history"]).stdout
    assert all(it.id in listed for it in history.kept())
    newest, oldest = command("--history")["reports"]
    assert [newest["why"], oldest["why"]] == ["webhook", "batch"]
    assert oldest["figures"]["judgements"] == TASKS
    out = tmp_path / "out"
    written = command("--out", str(out), "--against", oldest["id"])
    assert written["kept"] == history.kept()[0].id
    assert len(json.loads((out / "report.json").read_text())["history"]["reports"]) == 3
