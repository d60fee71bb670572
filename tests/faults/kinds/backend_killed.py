"""The backend dies under load and is started again."""

from __future__ import annotations

from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene


@register("kill -9 backend")
class BackendKilled(Fault):
    def inflict(self, scene: Scene) -> None:
        scene.estate.kill("backend")

    def mend(self, scene: Scene) -> None:
        scene.estate.start("backend")
