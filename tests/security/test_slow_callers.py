"""Who opens a connection and then says nothing, or nearly nothing, does not keep it."""

from __future__ import annotations

import socket

import httpx
import pytest

from ml_backend.guards import BodyLimit
from ml_backend.http_heads import LimitedHeads
from ml_backend.settings import Settings
from tests.unit.serving.running import SENTIMENT, Serve

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LimitedHeads, "SECONDS", 0.3)
    monkeypatch.setattr(BodyLimit, "SECONDS", 0.3)


def until_the_end(client: httpx.Client, *sent: bytes) -> bytes:
    """What the backend says, until it hangs up; the parts are sent one after an answer to the other."""
    said = b""
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=60) as sock:
        for part in sent[:-1]:
            sock.sendall(part)
            said += sock.recv(65_536)
        sock.sendall(sent[-1])
        while more := sock.recv(65_536):
            said += more
    return said


def test_a_connection_without_a_whole_head_is_ended(serve: Serve, settings: Settings) -> None:
    with serve(settings) as client:
        assert until_the_end(client, b"") == b""
        assert until_the_end(client, b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ") == b""
        assert until_the_end(client, HEALTH, b"GET /health HTTP/1.1\r\n").count(b"200 OK") == 1
        assert client.get("/health").status_code == 200


def test_a_body_that_stands_still_is_refused(serve: Serve, settings: Settings) -> None:
    with serve(settings) as client:
        assert until_the_end(client, HEAD + b"{").startswith(b"HTTP/1.1 408")
        assert client.get("/health").status_code == 200


def test_an_answer_may_take_longer_than_a_caller_may(serve: Serve, settings: Settings) -> None:
    body = {"project": "7.1", "label_config": SENTIMENT, "tasks": [{"data": {"text": f"text {n}"}} for n in range(300)]}
    with serve(settings) as client:
        assert client.post("/predict", json=body, timeout=60).status_code == 200
