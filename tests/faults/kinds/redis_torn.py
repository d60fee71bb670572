"""Valkey dies in the middle of a write: its append-only file ends in half a command."""

from __future__ import annotations

from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene


@register("Redis' append-only file cut off in a command")
class RedisTorn(Fault):
    def inflict(self, scene: Scene) -> None:
        scene.estate.kill_valkey()
        file = max((scene.estate.valkey.folder / "appendonlydir").glob("*.incr.aof"))
        size = file.stat().st_size
        with file.open("r+b") as content:
            content.truncate(size - min(size // 2, scene.draw.randint(1, 400)))

    def mend(self, scene: Scene) -> None:
        scene.estate.start_valkey()
