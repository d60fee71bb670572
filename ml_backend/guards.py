"""What stands before every request: who asks, how much is sent, and what is told when something breaks. Plain ASGI."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
import time
from collections.abc import Collection
from hmac import compare_digest
from typing import Any

import structlog
from fastapi import HTTPException
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ml_backend.webhook_secrets import HEADER, WebhookSecrets

log = structlog.stdlib.get_logger()

SECRET_HEADER = HEADER.lower().encode()


async def refuse(send: Send, status: int, body: dict[str, Any], *extra: tuple[bytes, bytes]) -> None:
    content = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


WEBHOOK_PROJECT = "tiebreak.webhook_project"
"""In the scope of a webhook that bears a project's secret: the key of that project, the only one it may speak of."""
NO_SECRET = {
    "detail": "This backend asks webhooks for their project's secret in X-Tiebreak-Secret.",
    "mend": "`tiebreak sync --apply` gives it to the webhook, from TIEBREAK_WEBHOOK_SECRET.",
}
_SAFE = ("GET", "HEAD", "OPTIONS")


class Doorkeeper:
    """401 to who may not ask. `credentials` is "user:password"; None asks for nothing.

    /health is open. /webhook takes the credentials, or a project's own secret; it is open where there are no `secrets`.
    A page of another site that has a signed-in browser send something is refused (403): our own pages send nothing.
    """

    def __init__(self, app: ASGIApp, credentials: str | None, secrets: WebhookSecrets | None) -> None:
        self.app = app
        self.credentials = credentials
        self.secrets = secrets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # there are none
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["method"] not in _SAFE and _header(scope, b"origin") is not None:
            body = {
                "detail": "Pages in a browser cannot send anything here.",
                "mend": "Send it from a program, or use the commands.",
            }
            await refuse(send, 403, body)
        elif self._may(scope):
            await self.app(scope, receive, send)
        elif scope["path"] == "/webhook":
            await refuse(send, 401, NO_SECRET)
        else:
            body = {
                "detail": "This backend asks for a user and a password.",
                "mend": "Give the ML backend in Label Studio TIEBREAK_BACKEND_USER and TIEBREAK_BACKEND_PASSWORD.",
            }
            await refuse(send, 401, body, (b"www-authenticate", b'Basic realm="tiebreak"'))

    def _may(self, scope: Scope) -> bool:
        if scope["path"] == "/health":
            return True
        known = self.credentials is not None and _same(_basic(scope), self.credentials)
        if scope["path"] == "/webhook" and not known:
            if self.secrets is None:
                return True
            scope[WEBHOOK_PROJECT] = self.secrets.project_of(_header(scope, SECRET_HEADER) or b"")
            return scope[WEBHOOK_PROJECT] is not None
        return known or self.credentials is None


class BodyLimit:
    """413 as soon as a body is known to be longer than `most` bytes, also where no Content-Length announces it; 503
    where the bodies of all requests together are longer than HELD such; 408 where a body stands still for SECONDS."""

    HELD = 4
    SECONDS = 30.0

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self.most = most
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = _header(scope, b"content-length") or b"0"
        if announced.isdigit() and int(announced[:20]) > self.most:
            await refuse(send, 413, self._body(), (b"connection", b"close"))
            return
        seen, whole = 0, False

        async def counted() -> Message:
            nonlocal seen, whole
            if whole:  # what it waits for now is that the caller hangs up
                return await receive()
            try:
                async with asyncio.timeout(self.SECONDS):
                    message = await receive()
            except TimeoutError:
                body = {"detail": "The rest of the body does not come.", "mend": "Send it anew."}
                raise HTTPException(408, body, {"connection": "close"}) from None
            whole = not message.get("more_body", False)
            length = len(message.get("body", b""))
            seen += length
            self._held += length
            if seen > self.most:
                raise HTTPException(413, self._body(), {"connection": "close"})
            if self._held > self.HELD * self.most:
                body = {"detail": "Too much is being sent at the same time.", "mend": "Try again in a moment."}
                raise HTTPException(503, body, {"connection": "close", "retry-after": "5"})
            return message

        try:
            await self.app(scope, counted, send)
        finally:
            self._held -= seen

    def _body(self) -> dict[str, Any]:
        return {
            "detail": f"The body is over {self.most} bytes.",
            "mend": "Send fewer tasks at once, or raise TIEBREAK_MAX_BODY_BYTES.",
        }


class Watch:
    """Counts, times and logs requests. An error nobody expected is logged with an id, and only the id is told."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry, paths: Collection[str]) -> None:
        self.app = app
        self.paths = paths
        self.requests = Counter("tiebreak_requests", "Requests.", ["path", "status"], registry=registry)
        self.seconds = Histogram(
            "tiebreak_request_seconds",
            "Time to the end of the answer.",
            ["path"],
            registry=registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 10, 30, 100),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except ClientDisconnect:
            log.info("hung up in the middle of a request", path=scope["path"])
        except Exception:
            id = secrets.token_hex(6)
            log.exception("unexpected error", id=id, path=scope["path"])
            if not status:
                body = {
                    "detail": f"Something went wrong that nobody foresaw (error {id}).",
                    "mend": f"Look for {id} in the backend's log.",
                }
                await refuse(noted, 500, body)
        finally:
            took = time.perf_counter() - began
            path = scope["path"] if scope["path"] in self.paths else "other"
            self.requests.labels(path, str(status)).inc()
            self.seconds.labels(path).observe(took)
            log.debug("request", method=scope["method"], path=path, status=status, seconds=round(took, 4))


def _header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)


def _same(given: bytes | None, expected: str) -> bool:
    """Compared in constant time."""
    return given is not None and compare_digest(given, expected.encode())


def _basic(scope: Scope) -> bytes | None:
    """`user:password` of the Authorization header, or None."""
    scheme, _, encoded = (_header(scope, b"authorization") or b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        return None
