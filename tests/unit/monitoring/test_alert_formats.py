"""Payloads as their receivers ask for them, with the worst that annotators may write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sdk_scripts.monitoring.alert_formats import FORMATS
from sdk_scripts.monitoring.alert_formats.lark import signature
from sdk_scripts.monitoring.alerts import Told, due
from tests.unit.monitoring.inspections import KEY, START, after, finding, inspection

GOLDEN = Path(__file__).parent / "payloads"
NASTY = (
    "<!channel> <@U1> @here <at user_id='all'>all</at> <at>Everyone</at> [pay](https://evil.example) "
    '<https://evil.example|pay> {{DATE(2017-02-14T06:00:00Z)}} *bold* & "quoted" \\ \u202egnp'
)


def message(text: str = NASTY) -> Any:
    found = [finding("ana@example.com", message=text), finding("", "speed", severity="medium", evidence=())]
    standings = after(inspection(*found, finding("bob")))
    heard = due(KEY, after(inspection(finding("bob"))), {}, Told(), START.timestamp(), pause=0).after
    gone = after(inspection(finding("bob")), inspection(*found))
    assert standings.title == gone.title
    return due(KEY, gone, {}, heard, START.timestamp() + 3600, pause=0).message


def payload(name: str, text: str = NASTY, secret: str = "") -> dict[str, Any]:
    return FORMATS[name].payload(message(text), secret, 1_700_000_000.0)


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_payload_is_the_recorded_one(name: str) -> None:
    file = GOLDEN / f"{name}.json"
    assert json.loads(json.dumps(payload(name))) == json.loads(file.read_text("utf-8"))


@pytest.mark.parametrize("name", list(FORMATS))
def test_nobody_is_pinged_and_the_only_links_lead_to_label_studio(name: str) -> None:
    document = payload(name)
    strings = list(texts(document))
    for text in strings:
        addresses = [word for word in text.split() if "://" in word]
        ours = ("http://studio.example/", "<http://studio.example/", "http://adaptivecards.io/schemas/")
        assert all(word.startswith(ours) for word in addresses), text
        assert "@here" not in text
        if name != "json":
            assert not any(tag in text for tag in ("<!", "<@", "<at"))
        if name == "teams":
            assert "{{" not in text


@pytest.mark.parametrize("name", list(FORMATS))
def test_the_largest_message_is_below_every_receivers_limit(name: str) -> None:
    crowd = [finding(f"{n}{'ж' * 200}@example.com", message="&<測" * 500, rule="r" * 60) for n in range(40)]
    first = due(KEY, after(inspection(*crowd, measured=["r" * 60])), {}, Told(), START.timestamp(), pause=0)
    others = [finding(f"{n}{'ж' * 200}@example.org", message="&<測" * 500, rule="r" * 60) for n in range(40)]
    later = after(inspection(*crowd, measured=["r" * 60]), inspection(*others, measured=["r" * 60]))
    both = due(KEY, later, {}, first.after, START.timestamp() + 3600, pause=0).message
    assert both is not None
    assert (both.more, both.cleared_more) == (30, 30)
    document = FORMATS[name].payload(both, "secret", 0.0)
    assert len(json.dumps(document, ensure_ascii=False).encode()) < 28_000
    if name == "lark":
        assert len(json.dumps(document, ensure_ascii=False).encode()) < 20_000
    if name == "slack":
        assert len(document["blocks"]) <= 50
        assert all(len(block["text"]["text"]) < 3_000 for block in document["blocks"] if "text" in block)


def test_lark_is_signed_as_its_guide_says() -> None:
    """By `printf '' | openssl dgst -sha256 -hmac $'1700000000\\na-secret' -binary | base64`."""
    signed = payload("lark", secret="a-secret")
    assert signed["timestamp"] == "1700000000"
    assert signed["sign"] == signature("1700000000", "a-secret") == "7VnVSxcHzG9u6Q1HqIxSPqR/C8dqDm1K8F475SuJ6b8="
    assert "sign" not in payload("lark")


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        (b'{"code":0,"msg":"success","data":{}}', True),
        (b'{"StatusCode":0,"StatusMessage":"success"}', True),
        (b'{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}', False),
        (b"", False),
        (b"[1]", False),
        (b"<html>", False),
    ],
)
def test_lark_refuses_with_status_200(answer: bytes, taken: bool) -> None:
    assert (FORMATS["lark"].refusal(answer) == "") == taken


def texts(value: Any) -> Any:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for it in value.values():
            yield from texts(it)
    elif isinstance(value, list | tuple):
        for it in value:
            yield from texts(it)
