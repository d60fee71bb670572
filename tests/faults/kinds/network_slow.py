"""Every chunk of bytes between the parts is late, both ways; nothing is lost."""

from __future__ import annotations

from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene


@register("slow network")
class NetworkSlow(Fault):
    hold = (8.0, 12.0)

    def inflict(self, scene: Scene) -> None:
        for wire in scene.estate.wires:
            wire.delay = scene.draw.uniform(0.05, 0.3)

    def mend(self, scene: Scene) -> None:
        for wire in scene.estate.wires:
            wire.delay = 0.0
