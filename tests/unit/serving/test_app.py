"""The HTTP face under a real uvicorn: who may ask, what is refused, and that nothing it is sent breaks it."""

from __future__ import annotations

import asyncio
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from select import select
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st
from pydantic import SecretStr

from ml_backend.app import create_app
from ml_backend.labeling.errors import ConfigError
from ml_backend.project_state import known_projects
from ml_backend.queues import TRAIN_QUEUE, Jobs
from ml_backend.settings import Settings
from ml_backend.webhook_secrets import WebhookSecrets
from tests.unit.serving.running import SENTIMENT, Serve, eventually

KEY = "7.1795381865"
SECRET = WebhookSecrets("s3cret").of(KEY)
PROJECT = {"id": 7, "created_at": "2026-11-22T21:11:05.953710Z", "label_config": SENTIMENT}


def predict(client: httpx.Client, tasks: list[Any], **changes: Any) -> dict[str, Any]:
    body = {"tasks": tasks, "project": KEY, "label_config": SENTIMENT, "params": {"context": None}, **changes}
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def text(content: Any, id: int = 1) -> dict[str, Any]:
    return {"id": id, "data": {"text": content}}


def test_health_answers_before_the_encoder_is_loaded(serve: Serve, queue_settings: Settings) -> None:
    with serve(queue_settings) as client:
        assert client.get("/health").json()["status"] == "UP"


def test_setup_names_the_version_that_predict_answers_with(backend: httpx.Client) -> None:
    body = {"project": KEY, "schema": SENTIMENT, "hostname": "http://x", "access_token": "t", "extra_params": None}
    version = backend.post("/setup", json=body).json()["model_version"]
    assert version.startswith("zero-shot-")
    answer = predict(backend, [text("I love it")])
    assert answer["model_version"] == version
    assert answer["results"][0]["model_version"] == version


def test_answers_are_as_many_as_tasks_and_a_bad_task_costs_only_its_own(backend: httpx.Client) -> None:
    bad: list[Any] = [None, 1, "x", [], {}, {"data": None}, text(None), text(""), text({"a": []}), {"data": {}}]
    results = predict(backend, [text("what a great thing"), *bad, text("what a bad thing", 2)])["results"]
    assert len(results) == len(bad) + 2
    assert results[0]["result"]
    assert results[-1]["result"]
    assert all(0 <= item["score"] <= 1 for item in results if item)
    assert results[1 : 1 + len(bad)] == [{}] * len(bad)


def test_no_tasks_are_no_answers(backend: httpx.Client) -> None:
    assert predict(backend, [])["results"] == []


@pytest.mark.parametrize("params", [None, {}, {"context": {}}, {"context": {"result": []}}, {"login": None}])
def test_params_may_be_anything_label_studio_sends(backend: httpx.Client, params: Any) -> None:
    assert predict(backend, [text("good")], params=params)["results"][0]["result"]


BAD = [
    ("/predict", b""),
    ("/predict", b"{"),
    ("/predict", b"[]"),
    ("/predict", b"null"),
    ("/predict", b'{"tasks": {}, "project": "7.1", "label_config": "<View/>"}'),
    ("/predict", b'{"tasks": [], "project": "../etc", "label_config": "<View/>"}'),
    ("/predict", b'{"tasks": [], "project": "7.1", "label_config": "<View>"}'),
    ("/predict", b'{"tasks": [], "project": "7.1", "label_config": "<!DOCTYPE a [<!ENTITY b \\"c\\">]><View/>"}'),
    ("/predict", b'{"tasks": [], "project": "7.1", "label_config": 5}'),
    ("/predict", b'{"tasks": [], "project": "7.1", "label_config": "<View/>", "params": 3}'),
    ("/predict", b'{"tasks": [], "project": "7.1", "label_config": "\\ud800"}'),
    ("/predict", b"[" * 100_000),
    ("/predict", b'{"tasks": ' + b"9" * 10_000 + b"}"),
    ("/predict", b"\xff\xfe"),
    ("/setup", b'{"project": 7, "schema": "<View/>"}'),
    ("/setup", b'{"project": "7.1", "schema": "<View><Choices name=\'a\' toName=\'nothing\'/></View>"}'),
    ("/webhook", b'{"project": {}}'),
    ("/webhook", b'{"action": "ANNOTATION_CREATED", "project": {"id": "x"}}'),
    ("/webhook", b'{"action": "START_TRAINING", "project": {"id": 7}}'),
    ("/train", b"{}"),
    ("/report", b"{}"),
]


@pytest.mark.parametrize(("path", "body"), BAD)
def test_a_malformed_body_gets_a_reason_and_what_to_do(backend: httpx.Client, path: str, body: bytes) -> None:
    answer = backend.post(path, content=body, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert set(answer.json()) == {"detail", "mend"}
    assert answer.json()["detail"]
    assert "Traceback" not in answer.text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "tasks": json_values | st.lists(st.builds(lambda value: {"data": {"text": value}}, json_values), max_size=3),
        "project": json_values | st.just(KEY) | st.just(PROJECT),
        "label_config": json_values | st.just(SENTIMENT),
        "schema": json_values | st.just(SENTIMENT),
        "params": json_values,
        "action": json_values | st.sampled_from(["ANNOTATION_CREATED", "ANNOTATIONS_DELETED", "TASKS_CREATED"]),
        "annotation": json_values,
        "annotations": json_values,
    },
)


@trying(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(["/predict", "/setup", "/webhook", "/train", "/report"]), body=bodies | json_values)
def test_whatever_is_sent_is_never_our_error(backend: httpx.Client, path: str, body: Any) -> None:
    answer = backend.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code < 500, answer.text
    answer.json()


def test_an_announced_body_that_is_too_long_is_refused_unread(serve: Serve, queue_settings: Settings) -> None:
    with serve(queue_settings.model_copy(update={"max_body_bytes": 1000})) as client:
        answer = client.post("/predict", content=b"x" * 1001)
        assert answer.status_code == 413
        assert "TIEBREAK_MAX_BODY_BYTES" in answer.json()["mend"]


def test_a_body_that_never_ends_is_cut_off(serve: Serve, queue_settings: Settings) -> None:
    with serve(queue_settings.model_copy(update={"max_body_bytes": 100_000})) as client:
        sock = socket.create_connection((client.base_url.host, client.base_url.port), timeout=30)
        with sock:
            head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            sock.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(11):
                sock.sendall(b"2800\r\n" + b"x" * 0x2800 + b"\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 413")
        assert client.get("/health").status_code == 200


def test_more_bodies_at_once_than_there_is_room_for_are_refused(serve: Serve, queue_settings: Settings) -> None:
    with serve(queue_settings.model_copy(update={"max_body_bytes": 100_000})) as client, ExitStack() as open_ones:
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n"
        address = (client.base_url.host, client.base_url.port)
        waiting = [open_ones.enter_context(socket.create_connection(address, timeout=30)) for _ in range(5)]
        for sock in waiting:
            sock.sendall(head + b"x" * 89_999)
        refused = next(sock for sock in select(waiting, [], [], 30)[0])
        assert refused.recv(100).startswith(b"HTTP/1.1 503")
        open_ones.close()  # nobody's error
        eventually(lambda: client.post("/predict", content=b"x" * 90_000).status_code == 400, what="room again")
        assert 'status="500"' not in client.get("/metrics").text


def test_a_body_of_more_values_than_memory_can_hold_is_refused_unread(backend: httpx.Client) -> None:
    answer = backend.post(
        "/predict", content=b'{"tasks":[' + b"[]," * 700_000 + b"[]]}", headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400  # no project
    answer = backend.post(
        "/predict", content=b'{"tasks":[' + b"[]," * 1_000_001 + b"[]]}", headers={"content-type": "application/json"}
    )
    assert answer.status_code == 413
    assert "fewer tasks" in answer.json()["mend"]


@pytest.mark.parametrize("start", [b"GET /health HTTP/1.1\r\nX: ", b"GET /"], ids=["header", "address"])
def test_a_head_that_never_ends_is_cut_off(backend: httpx.Client, start: bytes) -> None:
    with socket.create_connection((backend.base_url.host, backend.base_url.port), timeout=30) as sock:
        sock.sendall(start)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):  # the server has hung up
            sock.sendall(b"a" * 100_000_000)
    assert backend.get("/health", headers={"x-long": "a" * 20_000}).status_code == 200


def test_with_credentials_everything_but_health_asks_for_them(serve: Serve, queue_settings: Settings) -> None:
    guarded = {"backend_user": "studio", "backend_password": SecretStr("pässword")}
    with serve(queue_settings.model_copy(update=guarded)) as client:
        assert client.get("/health").status_code == 200
        for path in ["/predict", "/setup", "/train", "/report", "/versions"]:
            answer = client.request("GET" if path == "/versions" else "POST", path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic")
        for path in ["/metrics", "/version", "/nowhere"]:
            assert client.get(path).status_code == 401
        assert client.get("/version", auth=("studio", "wrong")).status_code == 401
        assert client.get("/version", headers={"authorization": "Basic !!!"}).status_code == 401
        good = httpx.BasicAuth(b"studio", "pässword".encode())
        assert client.get("/version", auth=good).status_code == 200


def test_a_webhook_needs_its_secret_or_the_credentials(serve: Serve, queue_settings: Settings) -> None:
    guarded = {
        "backend_user": "studio",
        "backend_password": SecretStr("password"),
        "webhook_secret": SecretStr("s3cret"),
    }
    body = {"action": "ANNOTATION_CREATED", "annotation": {}, "project": PROJECT}
    with serve(queue_settings.model_copy(update=guarded)) as client:
        ready(client)
        refused = client.post("/webhook", json=body)
        assert refused.status_code == 401
        assert "sync" in refused.json()["mend"]
        assert client.post("/webhook", json=body, headers={"x-tiebreak-secret": "wrong"}).status_code == 401
        assert client.post("/webhook", json=body, headers={"x-tiebreak-secret": "s3cret"}).status_code == 401
        assert client.post("/webhook", json=body, headers={"x-tiebreak-secret": SECRET}).status_code == 202
        assert client.post("/webhook", json=body, auth=("studio", "password")).status_code == 202


def test_basic_auth_set_by_half_is_a_clear_error(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="TIEBREAK_BACKEND_PASSWORD"):
        create_app(settings.model_copy(update={"backend_user": "studio"}))


@pytest.mark.parametrize("action", ["TASKS_DELETED", "PROJECT_UPDATED", "PROJECT_DELETED", "LABEL_LINK_CREATED", "?"])
def test_other_actions_are_accepted_and_ignored(backend: httpx.Client, action: str) -> None:
    answer = backend.post("/webhook", json={"action": action, "project": PROJECT})
    assert answer.status_code == 200
    assert answer.json()["accepted"] is False


def ready(client: httpx.Client) -> None:
    """The queues are connected in the background."""
    hint = {"action": "TASKS_CREATED", "tasks": [], "project": PROJECT}
    headers = {"x-tiebreak-secret": SECRET}
    eventually(lambda: client.post("/webhook", json=hint, headers=headers).json().get("accepted"), what="queues")


def test_setup_and_webhooks_make_a_project_known(serve: Serve, queue_settings: Settings) -> None:
    with Jobs(queue_settings) as jobs, serve(queue_settings) as client:
        ready(client)
        client.post("/setup", json={"project": "12.1795381865", "schema": SENTIMENT})
        eventually(lambda: set(known_projects(jobs.redis)) == {KEY, "12.1795381865"})


def test_a_storm_of_webhooks_is_answered_and_queues_one_training(serve: Serve, queue_settings: Settings) -> None:
    body = {"action": "ANNOTATION_CREATED", "annotation": {"id": 1, "result": []}, "project": PROJECT}
    with Jobs(queue_settings) as jobs, serve(queue_settings) as client:
        ready(client)
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: client.post("/webhook", json=body), range(300)))
        assert {answer.status_code for answer in answers} == {202}
        accepted = sum(answer.json()["accepted"] for answer in answers)
        assert jobs.state(KEY).pending().labels >= accepted > 200  # one that timed out may still have counted
        queue = jobs.queue(TRAIN_QUEUE)
        assert len(queue.job_ids) + len(queue.scheduled_job_registry.get_job_ids()) == 1


def test_the_training_button_queues_a_training_and_names_it(serve: Serve, queue_settings: Settings) -> None:
    with Jobs(queue_settings) as jobs, serve(queue_settings) as client:
        ready(client)
        answer = client.post("/webhook", json={"action": "START_TRAINING", "project": PROJECT})
        assert answer.status_code == 201
        assert jobs.queue(TRAIN_QUEUE).job_ids == [answer.json()["job"]]
        assert client.post("/train", json={"project": KEY}).json() == answer.json()


def test_without_redis_predictions_and_hints_are_answered(serve: Serve, settings: Settings) -> None:
    down = settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    with serve(down) as client:
        assert client.post("/setup", json={"project": KEY, "schema": SENTIMENT}).status_code == 200
        assert predict(client, [text("fine")])["results"][0]["result"]
        hint = client.post("/webhook", json={"action": "ANNOTATION_UPDATED", "annotation": {}, "project": PROJECT})
        assert (hint.status_code, hint.json()["accepted"]) == (202, False)
        assert "reconciler" in hint.json()["note"]
        for path in ("/train", "/report"):
            asked = client.post(path, json={"project": KEY})
            assert asked.status_code == 503
            assert "TIEBREAK_REDIS_URL" in asked.json()["mend"]


def test_a_redis_that_never_answers_holds_up_nothing(serve: Serve, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with serve(settings.model_copy(update={"redis_url": SecretStr(url)})) as client:
            hint = {"action": "ANNOTATION_UPDATED", "annotation": {}, "project": PROJECT}
            answers = [client.post("/webhook", json=hint, timeout=1.0) for _ in range(5)]
            assert {answer.status_code for answer in answers} == {202}
            setup = client.post("/setup", json={"project": KEY, "schema": SENTIMENT}, timeout=3.0)
            assert setup.json()["model_version"].startswith("zero-shot-")


def test_without_a_redis_url_the_bundled_valkey_is_started_and_stopped(serve: Serve, settings: Settings) -> None:
    with serve(settings) as client:
        ready(client)
        client.post("/train", json={"project": KEY}).raise_for_status()
    with Jobs(settings) as jobs:
        assert len(jobs.queue(TRAIN_QUEUE).job_ids) == 1


def test_ten_projects_share_a_backend_and_nothing_else(backend: httpx.Client) -> None:
    def ask(id: int) -> list[str]:
        labels = [f"colour {id}", f"animal {id}"]
        choices = "".join(f'<Choice value="{label}"/>' for label in labels)
        config = f'<View><Text name="t" value="$text"/><Choices name="c{id}" toName="t">{choices}</Choices></View>'
        answer = predict(backend, [text("red"), text("dog")], project=f"{id}.1", label_config=config)
        for item in answer["results"]:
            [region] = item["result"]
            assert region["from_name"] == f"c{id}"
            assert region["value"]["choices"][0] in labels
        return [answer["model_version"]]

    with ThreadPoolExecutor(10) as pool:
        versions = list(pool.map(ask, range(1, 11)))
    assert len({version for [version] in versions}) == 10


def test_metrics_count_requests_by_path_and_nothing_a_caller_chooses(backend: httpx.Client) -> None:
    backend.get("/health")
    backend.get("/made-up-by-a-scanner")
    metrics = backend.get("/metrics").text
    assert 'tiebreak_requests_total{path="/health",status="200"}' in metrics
    assert "scanner" not in metrics


def test_versions_are_a_list_and_unknown_paths_json(backend: httpx.Client) -> None:
    assert backend.get("/versions").json() == {"versions": []}
    assert backend.get("/versions", params={"project": KEY}).json()["versions"] == []
    assert backend.get("/versions", params={"project": "../../etc"}).status_code == 400
    assert backend.get("/nowhere").json()["detail"] == "Not Found"
    assert backend.get("/version").json()["version"]


def test_the_faces_token_and_host_reach_neither_disk_nor_redis(serve: Serve, queue_settings: Settings) -> None:
    body = {"project": KEY, "schema": SENTIMENT, "hostname": "http://evil.test", "access_token": "t0ken-of-a-user"}
    with Jobs(queue_settings) as jobs, serve(queue_settings) as client:
        client.post("/setup", json=body).raise_for_status()
        eventually(lambda: known_projects(jobs.redis))
        kept = [jobs.redis.dump(key) for key in jobs.redis.scan_iter()]
    kept += [path.read_bytes() for path in Path(queue_settings.home).rglob("*") if path.is_file()]
    assert not any(b"t0ken-of-a-user" in content or b"evil.test" in content for content in kept)


def test_an_error_nobody_foresaw_is_told_as_an_id(queue_settings: Settings) -> None:
    app = create_app(queue_settings)

    @app.get("/breaks")
    def breaks() -> None:
        raise ZeroDivisionError("a secret detail")

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            return await client.get("/breaks")

    answer = asyncio.run(ask())
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "error " in answer.json()["detail"]
