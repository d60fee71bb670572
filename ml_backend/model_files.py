"""Small files on any fsspec URL; on a local disk each is written whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

from ml_backend.labeling.errors import ConfigError, ModelUnavailable

T = TypeVar("T")

LOOKS = 100
"""How often a folder that changes while it is listed is listed again."""


class ModelFiles:
    """Paths are relative to the URL. Raises ModelUnavailable where the storage does not answer."""

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        try:
            self._fs, self._root = url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise ConfigError(
                f"TIEBREAK_MODELS_URL: {error}.", mend="Name a folder, or a URL whose fsspec package is installed."
            ) from error
        self.url = url
        protocol = self._fs.protocol
        self.local = "file" in (protocol if isinstance(protocol, tuple | list) else (protocol,))

    def path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def read(self, name: str) -> bytes | None:
        """None where there is no such file."""
        try:
            if self.local:
                return Path(self.path(name)).read_bytes()
            return self._ask(lambda: self._fs.cat_file(self.path(name)))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unavailable(error) from error

    def write(self, name: str, content: bytes) -> None:
        try:
            if self.local:
                _replace(Path(self.path(name)), content)
            else:  # object stores show an object once it is complete; readers of others must do with half of one
                self._ask(lambda: self._fs.pipe_file(self.path(name), content))
        except OSError as error:
            raise self._unavailable(error) from error

    def exists(self, name: str) -> bool:
        return bool(self._ask(lambda: self._fs.exists(self.path(name))))

    def folders(self, name: str) -> list[str]:
        """Names of the folders in a folder; none where there is no such folder."""
        return self._list(name, "directory")

    def files(self, name: str) -> list[str]:
        """Names of the files in a folder, sorted; none where there is no such folder."""
        return self._list(name, "file")

    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there."""
        try:
            self._ask(lambda: self._fs.rm(self.path(name), recursive=True))
        except FileNotFoundError:
            return

    def mark(self, name: str) -> Hashable:
        """Differs whenever the file's content does; None where there is no such file."""
        if not self.local:
            return self.read(name)
        try:
            found = os.stat(self.path(name))  # noqa: PTH116  # asked for with every prediction: half the time of Path
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _list(self, name: str, sort: str) -> list[str]:
        self._fs.invalidate_cache()  # other machines write here too
        try:
            listed: list[dict[str, Any]] = self._ask(lambda: self._fs.ls(self.path(name), detail=True, refresh=True))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(item["name"].rstrip("/").rsplit("/", 1)[-1] for item in listed if item["type"] == sort)

    def _ask(self, question: Callable[[], T]) -> T:
        for _ in range(LOOKS):
            try:
                return question()
            except (FileNotFoundError, NotADirectoryError):
                raise
            except KeyError as error:  # fsspec's memory, where a file goes while its folder is listed
                missed = error
            except Exception as error:  # each file system has errors of its own
                raise self._unavailable(error) from error
        raise self._unavailable(missed) from missed

    def _unavailable(self, error: Exception) -> ModelUnavailable:
        return ModelUnavailable(
            f"The models at {shown(self.url)} cannot be reached: {error}.",
            mend="Check TIEBREAK_MODELS_URL and its rights.",
        )


def shown(url: str) -> str:
    """An address without the name and the password that may be in it."""
    scheme, mark, rest = url.rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"


def _replace(path: Path, content: bytes) -> None:
    """Write beside and rename, so that no reader ever sees half a file, not even after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
