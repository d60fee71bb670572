"""Slack's incoming webhooks: Block Kit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sdk_scripts.monitoring.alert_formats import Line, Message, register

MOST = 2_900
"""Characters of a section; Slack's limit is 3,000."""
_SIGNS = {"high": ":red_circle:", "medium": ":large_orange_circle:", "low": ":white_circle:"}


@register("slack")
class Slack:
    """A section a finding. `&`, `<` and `>` are escaped, which leaves no mention and no link but ours, and `verbatim`
    keeps Slack from making links and mentions of plain words
    (docs.slack.dev/messaging/formatting-message-text)."""

    def payload(self, message: Message, secret: str, now: float) -> dict[str, Any]:
        return {"text": escaped(message.headline), "blocks": list(_blocks(message)), "unfurl_links": False}

    def refusal(self, answer: bytes) -> str:
        return ""


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _blocks(message: Message) -> Iterator[dict[str, Any]]:
    yield _section(f"*{escaped(message.headline)}*{_link(message.url, 'open the project')}")
    for it in message.found:
        yield _section(f"{_SIGNS.get(it.severity, '')} {_words(it)}\n_{escaped(f'{it.severity}, {it.cause}')}_")
    for it in message.cleared:
        yield _section(f":white_check_mark: cleared: {_words(it)}")
    yield {
        "type": "context",
        "elements": [_text(escaped(" ".join((*message.rest, f"{message.at}, message {message.id}"))))],
    }


def _words(it: Line) -> str:
    worse = "worse than when it was acknowledged: " if it.state == "worse" else ""
    return f"{escaped(worse + it.words)}{_link(it.url, 'see a task')}"


def _link(url: str, words: str) -> str:
    return f" <{escaped(url).replace('|', '%7C')}|{words}>" if url else ""


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(text)}


def _text(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text[:MOST], "verbatim": True}
