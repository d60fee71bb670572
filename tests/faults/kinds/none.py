"""Nothing happens: how long settling takes anyhow."""

from __future__ import annotations

from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene


@register("(none)")
class Nothing(Fault):
    def inflict(self, scene: Scene) -> None:
        pass
