"""Our backend, connected to a real Label Studio and used by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from ml_backend.encoder import Encoder
from ml_backend.labeling.results import project_key
from ml_backend.project_state import known_projects
from ml_backend.queues import TRAIN_QUEUE, Jobs
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.valkey import Valkey
from ml_backend.webhook_secrets import WebhookSecrets
from tests.unit.serving.running import SENTIMENT, eventually, serving


@dataclass
class Connected:
    project: dict[str, Any]
    backend: dict[str, Any]
    jobs: Jobs
    studio: httpx.Client

    @property
    def key(self) -> str:
        return project_key(self.project)

    def trainings(self) -> list[str]:
        queue = self.jobs.queue(TRAIN_QUEUE)
        return [*queue.job_ids, *queue.scheduled_job_registry.get_job_ids()]


@pytest.fixture
def connected(
    studio: Studio, studio_server: Any, studio_settings: Settings, valkey: Valkey, encoder: Encoder
) -> Iterator[Connected]:
    guarded = {
        "redis_url": SecretStr(valkey.url),
        "backend_user": "studio",
        "backend_password": SecretStr("a password"),
        "train_after_seconds": 3600.0,
    }
    settings = studio_settings.model_copy(update=guarded)
    project = studio.create_project({"title": "Backend", "label_config": SENTIMENT})
    with Jobs(settings) as jobs, serving(settings, encoder) as client:
        hint = {"action": "TASKS_CREATED", "tasks": [], "project": project}
        own = {"X-Tiebreak-Secret": WebhookSecrets("a password").of(project_key(project))}
        eventually(lambda: client.post("/webhook", json=hint, headers=own).json()["accepted"], what="queues")
        jobs.redis.flushdb()
        url = str(client.base_url).rstrip("/")
        credentials = {"basic_auth_user": "studio", "basic_auth_pass": "a password"}
        backend = studio.add_backend(
            project["id"], {"url": url, "title": "Tiebreak", "is_interactive": True, **credentials}
        )
        [hook] = studio.webhooks(project["id"])  # Label Studio's own, which sync gives the project's secret
        studio.update_webhook(hook["id"], {"headers": own})
        headers = {"Authorization": f"Token {studio_server.token}"}
        with httpx.Client(base_url=studio_server.url, headers=headers, timeout=120, trust_env=False) as as_admin:
            yield Connected(studio.project(project["id"]), backend, jobs, as_admin)
    studio.delete_project(project["id"])


def test_connecting_shows_the_version_and_makes_the_project_known(connected: Connected, studio: Studio) -> None:
    [backend] = studio.backends(connected.project["id"])
    assert backend["state"] == "CO"
    assert backend["model_version"].startswith("zero-shot-")
    eventually(lambda: known_projects(connected.jobs.redis) == [connected.key], what="the project")


def test_retrieve_predictions_stores_one_a_task(connected: Connected, studio: Studio) -> None:
    id = connected.project["id"]
    texts = ["I love it", "I hate it", "", "it is wonderful", "it broke"]
    studio.import_tasks(id, [{"data": {"text": text}} for text in texts])
    action = {
        "ordering": [],
        "selectedItems": {"all": True, "excluded": []},
        "filters": {"conjunction": "and", "items": []},
        "project": id,
    }
    url = f"/api/dm/actions?id=retrieve_tasks_predictions&project={id}"
    answer = connected.studio.post(url, json=action)
    assert answer.status_code == 200, answer.text
    stored = {task["data"]["text"]: task["predictions"] for task in studio.tasks(id)}
    assert [len(stored[text]) for text in texts] == [1, 1, 0, 1, 1]
    [prediction] = stored["I love it"]
    assert prediction["model_version"].startswith("zero-shot-")
    assert 0 <= prediction["score"] <= 1


def test_opening_a_task_asks_for_its_prediction(connected: Connected, studio: Studio) -> None:
    id = connected.project["id"]
    connected.studio.patch(f"/api/projects/{id}", json={"show_collab_predictions": True}).raise_for_status()
    studio.import_tasks(id, [{"data": {"text": "what a wonderful day"}}])
    [task] = studio.tasks(id)
    opened = connected.studio.get(f"/api/tasks/{task['id']}", params={"interaction": "timer"})
    assert opened.status_code == 200
    assert [p["model_version"][:9] for p in opened.json()["predictions"]] in ([], ["zero-shot"])


def test_an_annotation_reaches_the_queue_through_the_automatic_webhook(connected: Connected, studio: Studio) -> None:
    studio.import_tasks(connected.project["id"], [{"data": {"text": "fine"}}])
    [task] = studio.tasks(connected.project["id"])
    region = {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": ["positive"]}}
    studio.create_annotation(task["id"], {"result": [region]})
    eventually(lambda: connected.jobs.state(connected.key).pending().labels == 1, what="the label")
    assert len(connected.trainings()) == 1


def test_the_training_button_queues_a_training_now(connected: Connected) -> None:
    connected.studio.post(f"/api/ml/{connected.backend['id']}/train", json={}).raise_for_status()
    assert connected.jobs.queue(TRAIN_QUEUE).job_ids == connected.trainings() != []


def test_an_interactive_request_gets_a_result(connected: Connected, studio: Studio) -> None:
    studio.import_tasks(connected.project["id"], [{"data": {"text": "lovely"}}])
    [task] = studio.tasks(connected.project["id"])
    url = f"/api/ml/{connected.backend['id']}/interactive-annotating"
    answer = connected.studio.post(url, json={"task": task["id"], "context": {"result": []}})
    assert answer.status_code == 200, answer.text
    assert "data" in answer.json(), answer.text
    assert answer.json()["data"]["result"][0]["from_name"] == "sentiment"


def test_the_list_of_versions_is_taken(connected: Connected) -> None:
    answer = connected.studio.get(f"/api/ml/{connected.backend['id']}/versions")
    assert answer.status_code == 200
    assert answer.json()["versions"] == []
