"""Everything that Tiebreak keeps is on a disk that is full: models, vectors, Valkey's file, logs of what was done."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tests.faults.estate import Estate
from tests.faults.kinds import Fault, register
from tests.faults.scene import Scene


@register("disk full")
class DiskFull(Fault):
    hold = (8.0, 12.0)

    def impossible(self, estate: Estate) -> str:
        small = estate.direct.home / "small-disk"
        return "" if small.exists() else "it takes a small file system of its own, and mounting one takes root"

    def inflict(self, scene: Scene) -> None:
        with self._file(scene).open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                with suppress(OSError):
                    while True:
                        file.write(b"\0" * size)

    def mend(self, scene: Scene) -> None:
        self._file(scene).unlink()

    def _file(self, scene: Scene) -> Path:
        return scene.estate.direct.home / "filler"
