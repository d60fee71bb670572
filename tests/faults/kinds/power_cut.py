"""Everything but Label Studio dies in the middle of a training, files are half-written, and Redis has forgotten all."""

from __future__ import annotations

import shutil
import time

from tests.faults.estate import WORKERS, until, worker_of
from tests.faults.kinds import Fault, register
from tests.faults.kinds.files_cut import cut_files
from tests.faults.scene import Scene

WAIT_SECONDS = 40.0


@register("power cut while it trains, Redis' data lost, files half-written")
class PowerCut(Fault):
    may_go_back = True

    def inflict(self, scene: Scene) -> None:
        until(lambda: scene.registry.live(scene.key), seconds=WAIT_SECONDS)
        until(lambda: worker_of(scene.jobs, scene.estate, "train-"), seconds=WAIT_SECONDS)
        time.sleep(scene.draw.uniform(0, 0.5))
        for name in (*WORKERS, "backend"):
            scene.estate.kill(name)
        scene.estate.kill_valkey()
        shutil.rmtree(scene.estate.valkey.folder / "appendonlydir")
        cut_files(scene)

    def mend(self, scene: Scene) -> None:
        scene.estate.start_valkey()
        for name in ("backend", *WORKERS):
            scene.estate.start(name)
