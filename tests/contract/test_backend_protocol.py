"""The requests Label Studio 1.23.2 really sent, recorded, against our backend."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from ml_backend.encoder import Encoder
from ml_backend.labeling.config import parse
from ml_backend.labeling.results import project_key
from ml_backend.settings import load_settings
from ml_backend.studio.predictions import prediction_problems
from ml_backend.valkey import Valkey
from tests.unit.serving.running import eventually, serving

RECORDED = Path(__file__).parent / "recorded"
WEBHOOKS = sorted(path.stem for path in RECORDED.glob("webhook_*.json"))


@pytest.fixture(scope="module")
def backend(_valkey: Valkey, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = load_settings(home=tmp_path_factory.mktemp("protocol"), redis_url=SecretStr(_valkey.url))
    with serving(settings, encoder) as client:
        hint = {"action": "TASKS_CREATED", "tasks": [], "project": {"id": 1, "created_at": "2026-11-22T21:11:05Z"}}
        eventually(lambda: client.post("/webhook", json=hint).json()["accepted"])
        yield client


def recorded(name: str) -> list[dict[str, Any]]:
    content = json.loads((RECORDED / f"{name}.json").read_text())
    return content if isinstance(content, list) else [content]


def send(client: httpx.Client, request: dict[str, Any]) -> httpx.Response:
    path = "/webhook" if request["path"].startswith("/hook") else request["path"]
    kept = {"user-agent", "accept", "content-type"}
    headers = {key: value for key, value in request["headers"].items() if key.lower() in kept}
    body = None if request["body"] is None else json.dumps(request["body"]).encode()
    return client.request(request["method"], path, content=body, headers=headers)


def check(answer: httpx.Response, request: dict[str, Any]) -> None:
    """What Label Studio stores an answer by (see `Predictions` in its `ml/models.py`)."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    config = parse(request["body"]["label_config"])
    assert len(body["results"]) == len(request["body"]["tasks"])
    for item in body["results"]:
        assert isinstance(item, dict)
        if item:
            assert isinstance(item["score"], float)
            assert math.isfinite(item["score"])
            assert 0 <= item["score"] <= 1
            assert item["model_version"] == body["model_version"]
            assert prediction_problems({"task": 1, **item}, config) == []


def test_connecting_gets_a_health_and_a_version(backend: httpx.Client) -> None:
    for request in recorded("ml_connect_requests"):
        answer = send(backend, request)
        assert answer.status_code == 200
        if request["path"] == "/health":
            assert answer.json()["status"] == "UP"
        else:
            assert answer.json()["model_version"]


def test_a_batch_gets_an_answer_a_task(backend: httpx.Client) -> None:
    [request] = recorded("predict_batch_request_trimmed")
    check(send(backend, request), request)


def test_a_thousand_tasks_get_a_thousand_answers(backend: httpx.Client) -> None:
    [request] = recorded("predict_batch_request_trimmed")
    [first, *_] = request["body"]["tasks"]
    request["body"]["tasks"] = [{**first, "id": id, "data": {**first["data"], "title": str(id)}} for id in range(1000)]
    check(send(backend, request), request)


def test_a_single_task_gets_one_answer(backend: httpx.Client) -> None:
    [request] = recorded("predict_batch_request_trimmed")
    request["body"]["tasks"] = request["body"]["tasks"][:1]
    check(send(backend, request), request)


def test_an_interactive_request_gets_a_result_that_can_be_used_as_it_is(backend: httpx.Client) -> None:
    for request in recorded("interactive_predict_request"):
        answer = send(backend, request)
        check(answer, request)
        assert isinstance(answer.json()["results"][0], dict)


def test_spans_in_sight_get_the_other_mentions_of_the_newest(backend: httpx.Client) -> None:
    [request] = recorded("interactive_spans_request")
    answer = send(backend, request).json()
    [item] = answer["results"]
    assert [region["value"] for region in item["result"]] == [
        {"start": 41, "end": 47, "text": "Kanabi", "labels": ["Brand"]}
    ]
    assert item["model_version"] == answer["model_version"]
    request["body"]["params"]["context"]["result"] = []  # sent when the last span is gone
    assert send(backend, request).json()["results"][0]["result"] == []


def test_the_training_button_gets_a_job(backend: httpx.Client) -> None:
    [request] = recorded("train_request")
    answer = send(backend, request)
    assert answer.status_code == 201
    assert answer.json()["job"]


def test_versions_are_asked_for_without_a_project(backend: httpx.Client) -> None:
    [request] = recorded("versions_request")
    assert isinstance(send(backend, request).json()["versions"], list)


def test_every_kind_of_webhook_was_recorded() -> None:
    assert len(WEBHOOKS) == 9


@pytest.mark.parametrize("name", WEBHOOKS)
def test_a_webhook_is_taken(backend: httpx.Client, name: str) -> None:
    for request in recorded(name):
        answer = send(backend, request)
        told_of_labels = name not in ("webhook_PROJECT_UPDATED", "webhook_TASKS_DELETED")
        assert answer.status_code == (202 if told_of_labels else 200)
        assert answer.json()["accepted"] is told_of_labels


def test_the_key_in_setup_is_the_one_made_from_a_webhooks_project() -> None:
    setup = next(r for r in recorded("ml_connect_requests") if r["path"] == "/setup")
    [training] = recorded("train_request")
    assert project_key(training["body"]["project"]) == setup["body"]["project"]
