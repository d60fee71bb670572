"""Storage that is no local disk: slow, without locks or renames, where half-written files show."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import fsspec

PIECES = 3
STEP_SECONDS = 0.0005
"""What each step takes, so that others come in between."""


class SlowStore(fsspec.AbstractFileSystem):
    """Files of this process's memory, which grow piece by piece while others read them."""

    protocol = "slow"
    contents: ClassVar[dict[str, bytes]] = {}

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        time.sleep(STEP_SECONDS)
        prefix = f"{self._strip_protocol(path)}/"
        below = [name.removeprefix(prefix) for name in list(self.contents) if name.startswith(prefix)]
        if not below:
            raise FileNotFoundError(path)
        found = {rest.split("/")[0]: "directory" if "/" in rest else "file" for rest in below}
        return [{"name": prefix + name, "type": sort, "size": 0} if detail else name for name, sort in found.items()]

    def exists(self, path: str, **_: Any) -> bool:
        time.sleep(STEP_SECONDS)
        return self._strip_protocol(path) in self.contents

    def cat_file(self, path: str, **_: Any) -> bytes:
        time.sleep(STEP_SECONDS)
        try:
            return self.contents[self._strip_protocol(path)]
        except KeyError:
            raise FileNotFoundError(path) from None

    def pipe_file(self, path: str, value: bytes, **_: Any) -> None:
        for piece in range(PIECES + 1):
            self.contents[self._strip_protocol(path)] = value[: len(value) * piece // PIECES]
            time.sleep(STEP_SECONDS)

    def rm(self, path: str, recursive: bool = False, **_: Any) -> None:
        path = self._strip_protocol(path)
        for name in [name for name in list(self.contents) if name == path or name.startswith(f"{path}/")]:
            time.sleep(STEP_SECONDS)
            self.contents.pop(name, None)


fsspec.register_implementation("slow", SlowStore, clobber=True)
