"""One request to a real local endpoint that is slow, busy, broken, picky, or not what it should be."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tenacity import RetryCallState, Retrying

from ml_backend.labeling.errors import ConfigError
from ml_backend.large_model import endpoint as module
from ml_backend.large_model.endpoint import Endpoint, EndpointError, Outage, Refused, Said, Stopped, _seconds
from ml_backend.large_model.requests import MOST_OUTPUT, Request
from tests.large_model_server import Asked, Closed, LargeModelServer, Says, Slow, Status, Trouble

SCHEMA = {"type": "object", "properties": {"v": {"type": "string"}}, "required": ["v"], "additionalProperties": False}
REQUEST = Request(({"role": "user", "content": "Which?"},), SCHEMA)


def brain(asked: Asked) -> dict[str, str]:
    return {"v": "a"}


@pytest.fixture
def server() -> Iterator[LargeModelServer]:
    with LargeModelServer(brain) as server:
        yield server


def endpoint_of(server: LargeModelServer, *, key: str | None = None, **more: float) -> Endpoint:
    options = {"timeout": 5.0, "concurrency": 4, "pause": 0.001} | more
    concurrency = int(options.pop("concurrency"))
    return Endpoint(server.url, "test", server.key if key is None else key, concurrency=concurrency, **options)


def test_an_answer_comes_with_its_tokens_and_their_number(server: LargeModelServer) -> None:
    said = endpoint_of(server).ask(REQUEST)
    assert said.text == '{"v": "a"}'
    assert said.finish == "stop"
    assert "".join(it["token"] for it in said.logprobs["content"]) == said.text
    assert said.input_tokens is not None
    assert 0 < said.input_tokens <= REQUEST.most_tokens
    [body] = server.bodies
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
    }
    assert (body["temperature"], body["logprobs"], body["max_tokens"]) == (0.0, True, MOST_OUTPUT)


@pytest.mark.parametrize(
    "trouble",
    [Status(429, retry_after=0), Status(429), Status(500), Status(503), Status(502, retry_after="soon"), Closed()],
)
def test_what_passes_is_tried_again(server: LargeModelServer, trouble: Trouble) -> None:
    server.troubles = [trouble, trouble]
    assert endpoint_of(server).ask(REQUEST).text == '{"v": "a"}'
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (Status(429, message="slow down"), "asks for fewer requests (429): slow down"),
        (Status(500), "fails (500)"),
        (Closed(), "does not answer"),
    ],
)
def test_what_does_not_pass_is_an_outage(server: LargeModelServer, trouble: Trouble, says: str) -> None:
    server.always = trouble
    with pytest.raises(Outage) as caught:
        endpoint_of(server).ask(REQUEST)
    assert says in str(caught.value)
    assert len(server.asked) == module.ATTEMPTS


def test_a_slow_endpoint_is_an_outage_that_names_the_setting(server: LargeModelServer) -> None:
    server.always = Slow(0.5)
    with pytest.raises(Outage, match="TIEBREAK_LLM_TIMEOUT"):
        endpoint_of(server, timeout=0.05).ask(REQUEST)


def test_an_endpoint_that_is_not_there_is_an_outage_that_names_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(Outage, match="TIEBREAK_LLM_URL"):
            Endpoint(url, "test", pause=0.001).ask(REQUEST)


def test_a_trickle_does_not_outlast_the_time_limit(server: LargeModelServer) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.recv(100_000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(100):
            try:
                connection.sendall(b"x")
            except OSError:
                return
            time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=lambda: trickle(listening.accept()[0]), daemon=True).start()
        slow = Endpoint(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", "test", timeout=0.3, pause=0.001)
        with pytest.raises(Outage, match=r"within 0\.3 s"):
            slow._once(slow.manners.body("test", REQUEST))


def test_an_answer_that_never_ends_is_not_read_to_its_end(
    server: LargeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1_000_000)
    server.logprobs = False
    server.always = Says("x" * 1_100_000)
    with pytest.raises(Refused, match="over 1 MB"):
        endpoint_of(server).ask(REQUEST)


@pytest.mark.parametrize(
    ("status", "names"),
    [(401, "TIEBREAK_LLM_KEY"), (403, "TIEBREAK_LLM_KEY"), (404, "TIEBREAK_LLM_MODEL"), (302, "TIEBREAK_LLM_URL")],
)
def test_what_no_request_can_mend_is_asked_once_and_names_the_setting(
    server: LargeModelServer, status: int, names: str
) -> None:
    server.always = Status(status)
    with pytest.raises(Stopped, match=names):
        endpoint_of(server).ask(REQUEST)
    assert len(server.asked) == 1


def test_a_request_is_not_sent_on_to_another_address(server: LargeModelServer) -> None:
    with LargeModelServer(brain) as another:
        server.always = Status(307, location=f"{another.url}/chat/completions")
        with pytest.raises(Stopped, match="another address"):
            endpoint_of(server).ask(REQUEST)
    assert (len(server.asked), len(another.asked), another.turned_away) == (1, 0, 0)


def test_a_wrong_key_is_not_shown_even_where_the_endpoint_shows_it(server: LargeModelServer) -> None:
    with pytest.raises(Stopped) as caught:
        endpoint_of(server, key="sk-secret-of-mine").ask(REQUEST)
    assert server.turned_away == 1
    assert "sk-secret" not in str(caught.value)
    assert "(token)" in str(caught.value)
    assert "sk-secret" not in repr(endpoint_of(server, key="sk-secret-of-mine"))


@pytest.mark.parametrize("key", ["a b", "ключ", "a\nb"])
def test_what_cannot_be_a_key_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="TIEBREAK_LLM_KEY"):
        Endpoint("http://127.0.0.1:1/v1", "test", key)


def test_an_address_that_is_none_stops_everything() -> None:
    with pytest.raises(Stopped, match="TIEBREAK_LLM_URL"):
        Endpoint("ftp://127.0.0.1/v1", "test").ask(REQUEST)


def test_a_request_that_is_wrong_is_refused_once_with_what_the_endpoint_says(server: LargeModelServer) -> None:
    server.always = Status(400, message="maximum context length is 8192 tokens")
    with pytest.raises(Refused, match="maximum context length"):
        endpoint_of(server).ask(REQUEST)
    server.always = None
    endpoint_of(server).ask(REQUEST)
    assert "response_format" in server.bodies[-1]  # nothing was learned from it
    assert "logprobs" in server.bodies[-1]


@pytest.mark.parametrize(
    ("refuses", "left"),
    [
        ({"json_schema"}, {"response_format": {"type": "json_object"}, "logprobs": True}),
        ({"response_format"}, {"response_format": None, "logprobs": True}),
        ({"logprobs"}, {"logprobs": None}),
        ({"temperature"}, {"temperature": None, "logprobs": True}),
        ({"max_tokens"}, {"max_tokens": None, "max_completion_tokens": MOST_OUTPUT}),
        ({"response_format", "logprobs", "temperature", "max_tokens"}, {"response_format": None, "logprobs": None}),
        ({"anything more"}, {"response_format": None, "logprobs": None, "temperature": None}),
    ],
)
def test_what_an_endpoint_does_not_take_is_left_out_and_not_tried_again(
    server: LargeModelServer, refuses: set[str], left: dict[str, object]
) -> None:
    server.refuses = refuses
    assert endpoint_of(server).ask(REQUEST).text == '{"v": "a"}'
    assert {name: server.bodies[-1].get(name) for name in left} == left
    tries = len(server.asked)
    endpoint_of(server).ask(REQUEST)  # another of the same process
    assert len(server.asked) == tries + 1


def test_a_model_that_may_not_tell_its_tokens_is_asked_without(server: LargeModelServer) -> None:
    server.troubles = [Status(403, message="You are not allowed to request logprobs from this model")] * 2
    assert endpoint_of(server).ask(REQUEST).text == '{"v": "a"}'
    assert [body.get("top_logprobs") for body in server.bodies] == [20, 5, None]


def test_a_model_without_a_system_role_is_told_all_by_the_user(server: LargeModelServer) -> None:
    server.refuses = {"system"}
    request = Request(({"role": "system", "content": "Rules."}, {"role": "user", "content": "Which?"}), SCHEMA)
    assert endpoint_of(server).ask(request).text == '{"v": "a"}'
    assert server.bodies[-1]["messages"] == [{"role": "user", "content": "Rules.\n\nWhich?"}]


def test_no_more_requests_are_there_at_once_than_are_allowed(server: LargeModelServer) -> None:
    server.always = Slow(0.03)
    endpoint = endpoint_of(server, concurrency=2)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: endpoint.ask(REQUEST), range(8)))
    assert server.most_at_once == 2


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        (None, 0, 0),
        ("2.5", 2.5, 2.5),
        ("-1", 0, 0),
        ("86400", module.PATIENCE, module.PATIENCE),
        ("soon", 0, 0),
        ("inf", module.PATIENCE, module.PATIENCE),
        ("nan", 0, module.PATIENCE),
        (format_datetime(datetime.now(UTC) - timedelta(days=1)), 0, 0),
    ],
)
def test_retry_after_is_honoured_within_bounds(header: str | None, least: float, most: float) -> None:
    assert least <= _seconds(header) <= most


def test_who_is_asked_to_wait_waits_that_long_at_least(server: LargeModelServer) -> None:
    endpoint, outage = endpoint_of(server), Outage("busy")
    outage.retry_after = 7.0
    state = RetryCallState(Retrying(), None, (), {})
    state.set_exception((Outage, outage, None))
    assert endpoint._wait(state) == 7.0
    outage.retry_after = 0.0
    assert 0 <= endpoint._wait(state) < 1


def test_retry_after_may_be_a_date() -> None:
    assert 1 <= _seconds(format_datetime(datetime.now(UTC) + timedelta(seconds=25))) <= 25


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"choices": []}', b'{"choices": [{"message": null}]}', b"[" * 100_000]
)
def test_an_endpoint_of_another_kind_is_told_apart(server: LargeModelServer, body: bytes) -> None:
    with pytest.raises(EndpointError, match="OpenAI-compatible"):
        endpoint_of(server)._said(body)


def test_an_endpoint_that_counts_no_tokens_and_says_nothing_is_read(server: LargeModelServer) -> None:
    said = endpoint_of(server)._said(b'{"choices": [{"message": {"content": null, "refusal": "no"}}]}')
    assert said == Said("", "None", None, None, None)
