"""Half-written files: the live version, what was noted of the project, snapshots and the cache of vectors are cut off
somewhere while nobody runs, as a disk may leave them after a power cut."""

from __future__ import annotations

from tests.faults.estate import WORKERS, until
from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene

WAIT_SECONDS = 40.0


@register("half-written files")
class FilesCut(Fault):
    may_go_back = True

    def inflict(self, scene: Scene) -> None:
        until(lambda: scene.registry.live(scene.key), seconds=WAIT_SECONDS)
        for name in ("backend", *WORKERS):
            scene.estate.kill(name)
        cut_files(scene)

    def mend(self, scene: Scene) -> None:
        for name in ("backend", *WORKERS):
            scene.estate.start(name)


def cut_files(scene: Scene) -> None:
    scene.note_promoted()
    home = scene.estate.direct.home
    models = home / "models" / scene.key
    torn = scene.draw.choice(("arrays.safetensors", "model.json"))
    live = models / (scene.registry.live(scene.key) or "none")
    for file in (live / torn, models / "brief.json", *home.rglob("*.sqlite*"), *home.rglob("index.json")):
        if file.exists():
            with file.open("r+b") as content:
                content.truncate(scene.draw.randrange(1 + file.stat().st_size // 2))
