"""Microsoft Teams: a workflow that posts what its webhook receives ("When a Teams webhook request is received")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sdk_scripts.monitoring.alert_formats import Message, register


@register("teams")
class Teams:
    """An Adaptive Card of RichTextBlocks, which know no Markdown; a mention would need an `entities` list, which there
    is not, and `<at>` and `{{DATE(…)}}` are broken up besides
    (learn.microsoft.com/adaptive-cards/authoring-cards/text-features)."""

    def payload(self, message: Message, secret: str, now: float) -> dict[str, Any]:
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": list(_body(message)),
        }
        kind = "application/vnd.microsoft.card.adaptive"
        return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}

    def refusal(self, answer: bytes) -> str:
        return ""


def _body(message: Message) -> Iterator[dict[str, Any]]:
    head = _run(message.headline, weight="Bolder", size="Medium")
    yield _block(head, *_link(message.url, "open the project"))
    for it in message.found:
        worse = "worse than when it was acknowledged: " if it.state == "worse" else ""
        about = _run(f"{it.severity}, {it.cause}: ", weight="Bolder")
        yield _block(about, _run(f"{worse}{it.words}"), *_link(it.url, "see a task"))
    for it in message.cleared:
        yield _block(_run("cleared: ", weight="Bolder"), _run(it.words))
    yield _block(_run(" ".join((*message.rest, f"{message.at}, message {message.id}")), isSubtle=True, size="Small"))


def _block(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **style: Any) -> dict[str, Any]:
    broken = text.replace("<", "‹").replace(">", "›").replace("{{", "{ {")
    return {"type": "TextRun", "text": broken, **style}


def _link(url: str, words: str) -> list[dict[str, Any]]:
    if not url:
        return []
    return [_run(" "), {**_run(words), "selectAction": {"type": "Action.OpenUrl", "url": url}}]
