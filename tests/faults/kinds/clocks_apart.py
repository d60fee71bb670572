"""The machines' clocks are hours apart, and then set right while everything runs, as by NTP."""

from __future__ import annotations

import os
import signal

from tests.faults.estate import WORKERS, until
from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene

HOUR = 3600.0


@register("clocks hours apart")
class ClocksApart(Fault):
    hold = (8.0, 12.0)

    def inflict(self, scene: Scene) -> None:
        signs = scene.draw.sample((1, 1, -1), 3)
        for name, sign in zip(("backend", *WORKERS), signs, strict=True):
            scene.estate.kill(name)
            scene.estate.start(name, clock=sign * scene.draw.uniform(1, 5) * HOUR)
        until(lambda: scene.estate.serves() and scene.jobs.workers(), seconds=60)

    def mend(self, scene: Scene) -> None:
        for name in ("backend", *WORKERS):
            os.kill(scene.estate.pid(name), signal.SIGUSR1)

    def afterwards(self, scene: Scene) -> None:
        for name in ("backend", *WORKERS):
            scene.estate.kill(name)
            scene.estate.start(name)
