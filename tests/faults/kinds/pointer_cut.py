"""The file that says which version answers is cut off in the middle."""

from __future__ import annotations

from tests.faults.estate import until
from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene

WAIT_SECONDS = 40.0


@register("half-written pointer to the live version")
class PointerCut(Fault):
    may_go_back = True

    def inflict(self, scene: Scene) -> None:
        until(lambda: scene.registry.live(scene.key), seconds=WAIT_SECONDS)
        scene.note_promoted()
        scene.estate.kill("backend")
        file = scene.estate.direct.home / "models" / scene.key / "live.json"
        with file.open("r+b") as content:
            content.truncate(scene.draw.randrange(file.stat().st_size // 2))

    def mend(self, scene: Scene) -> None:
        scene.estate.start("backend")
