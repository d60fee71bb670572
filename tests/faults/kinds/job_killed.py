"""The process of a job dies (the kernel's out-of-memory killer, say), its worker lives."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import psutil

from tests.faults.estate import WORKERS, until
from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene

WAIT_SECONDS = 40.0


@register("kill -9 a job's process")
class JobKilled(Fault):
    def inflict(self, scene: Scene) -> None:
        def one() -> bool:
            for name in scene.draw.sample(WORKERS, len(WORKERS)):
                for child in psutil.Process(scene.estate.pid(name)).children():
                    with suppress(ProcessLookupError):  # it ended meanwhile
                        if os.getpgid(child.pid) == child.pid:  # and not the worker's scheduler
                            os.kill(child.pid, signal.SIGKILL)
                            return True
            return False

        until(one, seconds=WAIT_SECONDS)
