"""Lark's and Feishu's custom bots: a rich text (`post`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

from sdk_scripts.monitoring.alert_formats import Line, Message, register


@register("lark")
class Lark:
    """Words and links are elements of their own, so nothing in the words is markup; `<` is written `‹` all the same, as
    `<at …>` is a mention elsewhere in Lark. The answer has status 200 also where `code` says that nothing was posted.
    With a secret the message is signed as the bot's settings ask for: base64 of HMAC-SHA256 over nothing, with
    "<timestamp>\\n<secret>" as its key (open.larksuite.com, custom bot usage guide)."""

    def payload(self, message: Message, secret: str, now: float) -> dict[str, Any]:
        post = {"title": _plain(message.headline), "content": list(_lines(message))}
        document: dict[str, Any] = {"msg_type": "post", "content": {"post": {"en_us": post}}}
        if secret:
            stamp = str(int(now))
            document |= {"timestamp": stamp, "sign": signature(stamp, secret)}
        return document

    def refusal(self, answer: bytes) -> str:
        try:
            said = json.loads(answer)
            code = said.get("code", said.get("StatusCode"))
        except (ValueError, AttributeError, RecursionError):
            return "its answer is not Lark's"
        return "" if code == 0 else f"Lark's code {code!r:.20}"


def signature(stamp: str, secret: str) -> str:
    digest = hmac.new(f"{stamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _lines(message: Message) -> Iterator[list[dict[str, str]]]:
    for it in message.found:
        worse = "worse than when it was acknowledged: " if it.state == "worse" else ""
        yield [_text(f"[{it.severity}, {it.cause}] {worse}{it.words} "), *_link(it)]
    for it in message.cleared:
        yield [_text(f"[cleared] {it.words} ")]
    for sentence in message.rest:
        yield [_text(sentence)]
    yield [_text(f"{message.at}, message {message.id} "), *_address(message.url, "open the project")]


def _text(text: str) -> dict[str, str]:
    return {"tag": "text", "text": _plain(text)}


def _link(it: Line) -> list[dict[str, str]]:
    return _address(it.url, "see a task")


def _address(url: str, words: str) -> list[dict[str, str]]:
    return [{"tag": "a", "text": words, "href": url}] if url else []


def _plain(text: str) -> str:
    return text.replace("<", "‹").replace(">", "›")
