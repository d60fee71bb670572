"""Valkey dies and comes back with nothing: no queue, no job, no project is known any more."""

from __future__ import annotations

import shutil

from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene


@register("kill -9 Redis, all its data lost")
class RedisLost(Fault):
    def inflict(self, scene: Scene) -> None:
        scene.estate.kill_valkey()
        shutil.rmtree(scene.estate.valkey.folder / "appendonlydir")

    def mend(self, scene: Scene) -> None:
        scene.estate.start_valkey()
