"""Nothing but /health answers who has no credentials; a webhook speaks for its own project only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from ml_backend.app import create_app
from ml_backend.encoder import Encoder
from ml_backend.guards import Doorkeeper
from ml_backend.settings import Settings
from ml_backend.webhook_secrets import WebhookSecrets
from tests.unit.serving.running import Serve, eventually

OPEN = {"/health"}
KEY = "7.1795381865"
PROJECT = {"id": 7, "created_at": "2026-11-22T21:11:05.953710Z"}
OTHER = {"id": 8, "created_at": "2026-11-22T21:11:05.953710Z"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


@pytest.fixture
def guarded(settings: Settings) -> Settings:
    return settings.model_copy(update={"backend_user": "studio", "backend_password": SecretStr("a password")})


def paths(routes: list[BaseRoute], under: str = "") -> Iterator[str]:
    """Every address of the app, also below what is mounted, each part that may be anything as `1`."""
    for route in routes:
        own = f"{under}{getattr(route, 'path', '')}"
        if isinstance(route, Mount):
            yield from paths(list(route.routes), own)
        while "{" in own:
            start, end = own.index("{"), own.index("}")
            own = f"{own[:start]}1{own[end + 1 :]}"
        yield own


def asked(app: Starlette, path: str, method: str = "GET", **headers: str) -> int:
    async def ask() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://backend") as client:
            return (await client.request(method, path, headers=headers)).status_code

    return asyncio.run(ask())


def test_no_route_answers_without_credentials_but_health(guarded: Settings, encoder: Encoder) -> None:
    app = create_app(guarded, encoder=encoder)
    found = set(paths(app.routes))
    assert {"/predict", "/metrics", "/console/state.json", "/console/reports/1/1/1", *OPEN} <= found
    besides = {
        "/",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/nowhere",
        "/health/",
        "//health",
        "/Health",
        "/health/../metrics",
    }
    for path in (found | besides) - OPEN:
        for method in METHODS:
            assert asked(app, path, method) in (401, 403), (method, path)
            assert asked(app, path, method, authorization="Basic c3R1ZGlvOg==") in (401, 403), (method, path)
    assert {asked(app, path) for path in OPEN} == {200}


def test_a_route_that_is_mounted_is_found_and_guarded_too() -> None:
    async def told(_: object) -> PlainTextResponse:
        return PlainTextResponse("told")

    app = Starlette(routes=[Mount("/a", routes=[Mount("/b", routes=[Route("/{c:path}", told)])])])
    app.add_middleware(Doorkeeper, credentials="a:b", secrets=None)
    assert "/a/b/1" in set(paths(app.routes))
    assert asked(app, "/a/b/1", authorization="Basic YTpi") == 200
    assert asked(app, "/a/b/1") == 401


def test_a_websocket_is_closed_before_anything_hears_of_it() -> None:
    async def heard(_: object) -> None:
        pytest.fail("it was let in")

    guard = Doorkeeper(Starlette(routes=[WebSocketRoute("/", heard)]), "a:b", None)
    sent: list[dict[str, object]] = []

    async def ask() -> None:
        async def receive() -> dict[str, object]:
            return {"type": "websocket.connect"}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        await guard({"type": "websocket", "path": "/", "headers": []}, receive, send)  # type: ignore[arg-type]

    asyncio.run(ask())
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "http://backend", "null"])
def test_a_page_in_a_signed_in_browser_cannot_send_anything(guarded: Settings, encoder: Encoder, origin: str) -> None:
    app = create_app(guarded, encoder=encoder)
    signed_in = "Basic c3R1ZGlvOmEgcGFzc3dvcmQ="
    for path in ("/train", "/report", "/webhook", "/setup", "/predict"):
        assert asked(app, path, "POST", authorization=signed_in) == 400  # no body
        assert asked(app, path, "POST", authorization=signed_in, origin=origin) == 403


def test_a_webhook_speaks_for_the_project_whose_secret_it_bears_and_no_other(
    serve: Serve, queue_settings: Settings
) -> None:
    secrets = WebhookSecrets("the secret")
    own = {"x-tiebreak-secret": secrets.of(KEY)}
    with serve(queue_settings.model_copy(update={"webhook_secret": SecretStr("the secret")})) as client:

        def told(project: dict[str, object], headers: dict[str, str], action: str = "ANNOTATION_CREATED") -> int:
            body = {"action": action, "annotation": {"id": 1}, "project": project}
            return client.post("/webhook", json=body, headers=headers).status_code

        eventually(lambda: told(PROJECT, own) == 202, what="the queues")
        assert told(OTHER, own) == 401
        assert told(OTHER, own, "START_TRAINING") == 401
        assert told({**PROJECT, "created_at": "2026-11-22T21:11:06Z"}, own) == 401  # deleted and made anew
        for forged in ("the secret", "", KEY, f"{KEY}:", secrets.of(KEY)[:-1], secrets.of(KEY).replace("7.", "8.", 1)):
            assert told(PROJECT, {"x-tiebreak-secret": forged}) == 401, forged
        assert told(PROJECT, {}) == 401


def test_with_a_password_alone_webhooks_are_not_open_either(serve: Serve, guarded: Settings) -> None:
    body = {"action": "?", "project": PROJECT}
    with serve(guarded) as client:
        assert client.post("/webhook", json=body).status_code == 401
        own = {"x-tiebreak-secret": WebhookSecrets("a password").of(KEY)}
        assert client.post("/webhook", json=body, headers=own).status_code == 200


def test_whatever_a_header_holds_is_a_projects_secret_or_nobodys() -> None:
    secrets = WebhookSecrets("the secret")
    for header in (b"", b":", b"\xff:\xff", b"7.1:\xc3\xa4", "7.1:ä".encode(), b"x" * 60_000):
        assert secrets.project_of(header) is None
    assert secrets.project_of(secrets.of(KEY).encode()) == KEY
