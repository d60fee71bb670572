"""Somebody deletes the webhook: no label is told of any more, and polling has to find them."""

from __future__ import annotations

from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene


@register("webhook deleted")
class WebhooksLost(Fault):
    hold = (4.0, 8.0)

    def inflict(self, scene: Scene) -> None:
        studio = scene.estate.studio
        for hook in studio.webhooks(scene.project):
            studio.delete_webhook(hook["id"])
