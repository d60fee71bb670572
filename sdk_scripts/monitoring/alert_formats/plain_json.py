"""Every field, for receivers of your own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sdk_scripts.monitoring.alert_formats import Message, register


@register("json")
class PlainJson:
    """The message as it is: `id`, `kind`, `project`, `at`, `headline`, `found`, `more`, `cleared`, `cleared_more`,
    `still_open`. A receiver that has seen an `id` has seen the message."""

    def payload(self, message: Message, secret: str, now: float) -> dict[str, Any]:
        fields = asdict(message)
        project = {"title": fields.pop("title"), "url": fields.pop("url")}
        return {**fields, "headline": message.headline, "project": project}

    def refusal(self, answer: bytes) -> str:
        return ""
