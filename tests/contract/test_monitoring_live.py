"""A project is watched by two real workers, on a real Label Studio and Valkey: bad labels come, people hear of it once
though their receiver was down, review tasks are made once, the labels are mended, and people hear of that, too."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner
from unit.analysis.exports import SENTIMENT, choice

from ml_backend.jobs import JOB_SETTINGS
from ml_backend.labeling.errors import TiebreakError
from ml_backend.labeling.results import project_key
from ml_backend.queues import INSPECTING, Jobs
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.valkey import Valkey
from sdk_scripts.cli import app
from sdk_scripts.monitoring.findings_store import FindingsStore
from sdk_scripts.monitoring.jobs import inspect_job
from sdk_scripts.project_jobs import BUSY
from sdk_scripts.quality import Quality
from sdk_scripts.rules import RULES
from tests.unit.monitoring.receiver import receiving
from tests.unit.serving.running import environment, eventually, free_port

WORKER = "import sdk_scripts.monitoring.alerts as it; it.RETRIES = (2.0,); from sdk_scripts.cli import main; main()"
"""Which tries again soon."""
ONE_RULE = {name: name == "gold_failures" for name in RULES}
QUALITY = Quality(automatic=True, review=True, rules=ONE_RULE).line()
TASKS, WRONG = 40, 24
ANA = "ana@monitoring.example"


@pytest.fixture
def project(studio: Studio) -> Iterator[dict[str, Any]]:
    """Forty tasks that a review has decided."""
    made = studio.create_project(
        {"title": "<!channel> Watched", "label_config": SENTIMENT, "description": f"tiebreak quality: {QUALITY}"}
    )
    decided = choice("sentiment", "positive") | {"meta": {"tiebreak": {"review": {"task": 1}}}}
    studio.import_tasks(
        made["id"],
        [
            {"data": {"text": f"I like number {n}"}, "annotations": [{"result": [decided], "ground_truth": True}]}
            for n in range(TASKS)
        ],
    )
    yield made
    for it in studio.projects():
        if it["id"] == made["id"] or f"hard-cases-of-{made['id']}" in (it["description"] or ""):
            studio.delete_project(it["id"])


def test_people_hear_once_of_bad_labels_and_of_their_mending(
    studio: Studio,
    project: dict[str, Any],
    studio_settings: Settings,
    valkey: Valkey,
    tmp_path: Path,
) -> None:
    port = free_port()
    settings = studio_settings.model_copy(
        update={
            "redis_url": SecretStr(valkey.url),
            "alert_url": SecretStr(f"http://127.0.0.1:{port}/hook/a-secret-path"),
            "alert_format": "slack",
            "alert_seconds": 0.0,
            "inspect_after_seconds": 0.0,
            "reconcile_seconds": 1.0,
            "train_after_labels": 100_000,
            "train_after_seconds": 36_000.0,
        }
    )
    key, id = project_key(project), project["id"]
    given = label(studio, id)
    tasks = list(given)
    store, log = FindingsStore(settings, key), tmp_path / "worker.log"
    with Jobs(settings) as jobs, log.open("ab") as output:
        jobs.remember(key)  # as the first webhook does; the reconciler finds the rest
        command = [sys.executable, "-c", WORKER, "worker"]
        workers = [subprocess.Popen(command, env=environment(settings), stdout=output, stderr=output) for _ in range(2)]

        def inspected(since: float) -> bool:
            return jobs.changes(INSPECTING, key).ended() > since and not jobs.changes(INSPECTING, key).busy()

        try:
            eventually(lambda: store.told().get("failures", 0) >= 1, seconds=240, what="an alert nobody takes")
            assert [it.subject for it in store.standings().open.values()] == [ANA]
            with receiving(port) as receiver:
                eventually(lambda: receiver.came, seconds=120, what="the alert")
                reviews = review_tasks(studio, id)
                assert Counter(it["data"]["source_task"] for it in reviews) == dict.fromkeys(tasks[:WRONG], 1)

                before = jobs.changes(INSPECTING, key).ended()
                studio.create_annotation(tasks[-1], {"result": [choice("sentiment", "positive")]})
                eventually(lambda: inspected(before), seconds=120, what="another inspection")
                [alert] = receiver.came
                said = " ".join(block["text"]["text"] for block in alert["blocks"] if "text" in block)
                assert f"gold_failures, {ANA}: 16 of 40 known items right" in said
                assert f"<{studio.public_url}/projects/{id}/data?task=" in said
                assert "&lt;!channel&gt;" in said
                assert "<!channel>" not in said
                assert len(review_tasks(studio, id)) == WRONG
                assert store.standings().open[f"gold_failures|{ANA}|sentiment"].times >= 2

                for task in tasks[:WRONG]:
                    studio.update_annotation(given[task], {"result": [choice("sentiment", "positive")]})
                eventually(lambda: len(receiver.came) == 2, seconds=120, what="that it is cleared")
                assert "1 cleared in" in receiver.came[1]["text"]
                assert store.standings().open == {}
                before = jobs.changes(INSPECTING, key).ended()
                studio.create_annotation(tasks[-2], {"result": [choice("sentiment", "positive")]})
                eventually(lambda: inspected(before), seconds=120, what="a last inspection")
                assert len(receiver.came) == 2
        finally:
            for worker in workers:
                worker.kill()
                worker.wait(30)
    assert "a-secret-path" not in log.read_text()


def test_an_inspection_that_died_after_its_reviews_is_done_again_without_doubling(
    studio: Studio,
    project: dict[str, Any],
    studio_settings: Settings,
    valkey: Valkey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    label(studio, project["id"])
    key, id = project_key(project), project["id"]

    def dies(*_: object) -> None:
        raise RuntimeError("killed")

    with receiving() as receiver:
        telling = {"redis_url": SecretStr(valkey.url), "alert_url": SecretStr(receiver.url)}
        settings = studio_settings.model_copy(update=telling)
        token = JOB_SETTINGS.set(settings)
        try:
            with monkeypatch.context() as patch:
                patch.setattr(FindingsStore, "keep", dies)
                with pytest.raises(RuntimeError):
                    inspect_job(key, id, 0)
            assert len(review_tasks(studio, id)) == WRONG
            outcome = inspect_job(key, id, 0)
            assert inspect_job(key, id, 1)["new"] == 0
            with Jobs(settings) as jobs, jobs.changes(INSPECTING, key).working():
                assert inspect_job(key, id, 2) is BUSY
        finally:
            JOB_SETTINGS.reset(token)
    assert (outcome["new"], outcome["reviews"], outcome["alert"]) == (1, 0, "sent")
    assert len(review_tasks(studio, id)) == WRONG
    assert len(receiver.came) == 1


def label(studio: Studio, project: int) -> dict[int, int]:
    """Ana labels, most of it wrong; task -> her annotation, in order."""
    ana, given = studio.add_annotator(ANA), {}
    for n, task in enumerate(list(studio.tasks(project))):
        result = [choice("sentiment", "negative" if n < WRONG else "positive")]
        given[int(task["id"])] = studio.create_annotation(task["id"], {"result": result, "completed_by": ana})["id"]
    return given


def review_tasks(studio: Studio, source: int) -> list[dict[str, Any]]:
    name = f"tiebreak: hard-cases-of-{source}"
    return [task for it in studio.projects() if name in (it["description"] or "") for task in studio.tasks(it["id"])]


def test_the_command_keeps_acknowledges_and_writes_nothing_by_itself(
    studio: Studio, project: dict[str, Any], studio_environment: None, studio_settings: Settings
) -> None:
    id = project["id"]
    label(studio, id)
    store = FindingsStore(studio_settings, project_key(project))

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, ["inspect", str(id), *words])

    dry = run()
    assert dry.exit_code == 1
    assert "Nothing is written" in dry.stdout
    assert not store.standings().at
    assert review_tasks(studio, id) == []

    done = run("--apply")
    assert "24 review tasks made; alert: off" in done.stdout, done.stdout
    assert "[new]" in done.stdout
    assert len(review_tasks(studio, id)) == WRONG

    [key] = store.standings().open
    assert isinstance(run("--ack", key).exception, TiebreakError)
    assert run("--ack", key, "--why", "She has just begun.").exit_code == 0
    known = run()
    assert known.exit_code == 0
    assert "She has just begun." in known.stdout
