"""Label Studio dies in the middle of requests, and is started again."""

from __future__ import annotations

from tests.faults.estate import Estate
from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene


@register("kill -9 Label Studio")
class StudioKilled(Fault):
    hold = (0.0, 0.0)

    def impossible(self, estate: Estate) -> str:
        return "" if estate.restart_studio else "this Label Studio is others', too"

    def inflict(self, scene: Scene) -> None:
        if scene.estate.restart_studio:
            scene.estate.restart_studio()
