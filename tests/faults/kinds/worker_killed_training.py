"""The worker that trains dies, with its job; another one has to notice."""

from __future__ import annotations

import time

from tests.faults.estate import WORKERS, until, worker_of
from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene

WAIT_SECONDS = 40.0


@register("kill -9 worker while it trains")
class WorkerKilledTraining(Fault):
    job = "train-"
    killed = WORKERS[0]

    def inflict(self, scene: Scene) -> None:
        until(lambda: worker_of(scene.jobs, scene.estate, self.job), seconds=WAIT_SECONDS)
        time.sleep(scene.draw.uniform(0, 0.5))
        self.killed = worker_of(scene.jobs, scene.estate, self.job) or scene.draw.choice(WORKERS)
        scene.estate.kill(self.killed)

    def mend(self, scene: Scene) -> None:
        scene.estate.start(self.killed)
