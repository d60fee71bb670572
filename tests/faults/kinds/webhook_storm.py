"""Thousands of webhooks in a few seconds; people meanwhile want answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx

from ml_backend.queues import TRAIN_QUEUE
from ml_backend.webhook_secrets import HEADER, WebhookSecrets
from tests.faults.estate import SECRET
from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene, storm_body

WEBHOOKS = 3_000
MOST_TRAININGS = 2
"""Of the project at once: one that runs and one that waits."""


@register("storm of webhooks")
class WebhookStorm(Fault):
    hold = (0.0, 0.0)

    def inflict(self, scene: Scene) -> None:
        body, url = storm_body(scene), f"http://127.0.0.1:{scene.estate.backend_port}"
        headers = {HEADER: WebhookSecrets(SECRET).of(scene.key)}
        with (
            httpx.Client(base_url=url, timeout=30, trust_env=False, headers=headers) as client,
            ThreadPoolExecutor(20) as pool,
        ):
            sent = [pool.submit(client.post, "/webhook", json=body) for _ in range(WEBHOOKS)]
            for place, one in enumerate(sent):
                answered = one.result().status_code
                if answered != 202:
                    scene.problems.append(f"a webhook got {answered}")
                if place % 300 == 0:
                    self._look(scene, client)

    def _look(self, scene: Scene, client: httpx.Client) -> None:
        if client.get("/health", timeout=1).status_code != 200:
            scene.problems.append("/health did not answer 200")
        queue = scene.jobs.queue(TRAIN_QUEUE)
        waiting = [*queue.job_ids, *queue.scheduled_job_registry.get_job_ids(cleanup=False)]
        if len(waiting) > MOST_TRAININGS:
            scene.problems.append(f"{len(waiting)} trainings wait")
