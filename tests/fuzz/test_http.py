"""The backend under a real uvicorn: requests made from its OpenAPI, those that fit it and those that do not, and what a
real Label Studio sent with places spoilt. Every answer has a status that is listed here; a refusal says what is wrong
and what to do; nothing is ever our error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from unit.analysis import exports
from unit.serving.running import SENTIMENT, eventually, serving

from ml_backend.app import PredictRequest, create_app
from ml_backend.encoder import Encoder
from ml_backend.settings import load_settings
from ml_backend.valkey import Valkey
from tests.fuzz.mutations import RECORDED, spoilt_bytes, spoilt_json
from tests.fuzz.settling import fuzzing

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: `make install-dev`")

ENGINE = "schemathesis"
ACCOUNT = ("studio", "password")
ANSWERS = {
    "/health": {200},
    "/version": {200},
    "/versions": {200, 400},
    "/metrics": {200},
    "/setup": {200, 400, 413},
    "/predict": {200, 400, 413},
    "/webhook": {200, 201, 202, 400, 413},
    "/train": {201, 400, 413},
    "/report": {201, 400, 413},
    "/console": {200, 307},
    "/console/": {200},
    "/console/state.json": {200, 304},
    "/console/reports/{project}/{id}/{name}": {200, 400, 404},
    "/console/{name}": {200, 307, 400, 404},
}
SENT = [
    (item["path"] if item["path"] in ANSWERS else "/webhook", item["body"])
    for document in RECORDED.values()
    for item in (document if isinstance(document, list) else [document])
    if isinstance(item, dict) and item.get("method") == "POST" and isinstance(item.get("body"), dict)
]


@dataclass(frozen=True)
class Backend:
    url: str
    session: requests.Session
    """Signed in."""


@pytest.fixture(scope="module")
def backend(_valkey: Valkey, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    home, (user, password) = tmp_path_factory.mktemp("fuzzed"), ACCOUNT
    settings = load_settings(
        home=home, redis_url=SecretStr(_valkey.url), backend_user=user, backend_password=SecretStr(password)
    )
    with serving(settings, encoder) as client, requests.Session() as session:
        session.trust_env, session.auth = False, ACCOUNT
        it = Backend(str(client.base_url).rstrip("/"), session)
        hint = {"action": "TASKS_CREATED", "tasks": [], "project": {"id": 1, "created_at": "2026-01-01T00:00:00Z"}}
        eventually(lambda: session.post(f"{it.url}/webhook", json=hint).json().get("accepted"), what="queues")
        yield it


def schema() -> dict[str, Any]:
    """The backend's OpenAPI, and the routes that FastAPI does not see."""
    known: dict[str, Any] = create_app(load_settings(), encoder=None).openapi()
    predict = PredictRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    known["components"]["schemas"] |= predict.pop("$defs", {})
    task = {"type": "object", "properties": {"id": {"type": "integer"}, "data": {"type": "object"}}}
    predict["properties"] |= {
        "label_config": {"enum": [SENTIMENT, exports.EVERY_KIND]},
        "project": {"type": "string", "pattern": r"^[1-9][0-9]{0,5}\.[1-9][0-9]{0,9}$"},
        "tasks": {"type": "array", "maxItems": 3, "items": task},
    }
    body = {"required": True, "content": {"application/json": {"schema": predict}}}
    known["paths"]["/predict"] = {"post": {"requestBody": body, "responses": {"200": {"description": "answers"}}}}
    for path in ANSWERS:
        if path.startswith("/console"):
            names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
            given = [{"name": it, "in": "path", "required": True, "schema": {"type": "string"}} for it in names]
            known["paths"][path] = {"get": {"parameters": given, "responses": {"200": {"description": "it"}}}}
    return known


def cases() -> st.SearchStrategy[Any]:
    operations = [it.ok() for it in schemathesis.openapi.from_dict(schema()).get_all_operations()]
    assert {it.path for it in operations} == set(ANSWERS)
    return st.one_of(
        [it.as_strategy(generation_mode=mode) for it in operations for mode in schemathesis.GenerationMode]
    )


def check(path: str, answer: requests.Response) -> None:
    assert answer.status_code in ANSWERS[path], (answer.status_code, answer.text)
    if answer.status_code >= 400:
        assert set(answer.json()) == {"detail", "mend"}
        assert answer.json()["detail"]
        assert answer.json()["mend"]


@fuzzing(40)
@given(data=st.data())
def test_requests_made_from_the_openapi(backend: Backend, data: st.DataObject) -> None:
    case = data.draw(CASES)
    check(case.path, case.call(base_url=backend.url, session=backend.session))


CASES = st.deferred(cases)


@fuzzing(80)
@given(data=st.data())
def test_requests_of_label_studio_spoilt(backend: Backend, data: st.DataObject) -> None:
    path, body = data.draw(st.sampled_from(SENT))
    made = spoilt_json([body], most=8).map(lambda it: json.dumps(it).encode())
    content = data.draw(made | spoilt_bytes([json.dumps(body).encode()]))
    headers = {"content-type": "application/json"}
    check(path, backend.session.post(f"{backend.url}{path}", data=content, headers=headers))


@fuzzing(40)
@given(st.text(max_size=40), st.sampled_from(["", ".", "console/", "console/reports/", "console/../", "versions?a="]))
def test_addresses_nobody_asked_for(backend: Backend, path: str, before: str) -> None:
    address = f"{backend.url}/{before}{quote(path, safe='/.%?', errors='replace')}"
    assert backend.session.get(address, allow_redirects=False).status_code < 500
