"""Connections between the parts are reset again and again, and refused for a while."""

from __future__ import annotations

import time

from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene

SECONDS = 10.0


@register("flapping network")
class NetworkFlapping(Fault):
    hold = (0.0, 0.0)

    def inflict(self, scene: Scene) -> None:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            wire = scene.draw.choice(scene.estate.wires)
            wire.dead = scene.draw.random() < 0.5
            wire.cut()
            time.sleep(scene.draw.uniform(0.1, 1.0))
            wire.dead = False
