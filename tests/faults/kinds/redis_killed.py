"""Valkey dies and comes back with its append-only file."""

from __future__ import annotations

from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene


@register("kill -9 Redis, append-only file kept")
class RedisKilled(Fault):
    def inflict(self, scene: Scene) -> None:
        scene.estate.kill_valkey()

    def mend(self, scene: Scene) -> None:
        scene.estate.start_valkey()
