"""The worker that pushes predictions dies, and Label Studio goes on storing what it was sent."""

from __future__ import annotations

import time

from tests.faults.estate import WORKERS, until, worker_of
from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene

WAIT_SECONDS = 40.0


@register("kill -9 worker while it pushes")
class WorkerKilledPushing(Fault):
    killed = WORKERS[0]

    def inflict(self, scene: Scene) -> None:
        note = f"tiebreak:pushing:{scene.key}"
        until(lambda: scene.jobs.redis.exists(note), seconds=WAIT_SECONDS, pause=0.005)
        time.sleep(scene.draw.uniform(0, 0.1))
        self.killed = worker_of(scene.jobs, scene.estate, "shard-") or scene.draw.choice(WORKERS)
        scene.estate.kill(self.killed)

    def mend(self, scene: Scene) -> None:
        scene.estate.start(self.killed)
