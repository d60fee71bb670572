"""Model versions of each project, on any fsspec URL that the workers share: saved, promoted, rolled back, read.

    <project>/<version>/arrays.safetensors    the heads' arrays
    <project>/<version>/model.json            everything else, with the hash of both; written last: it makes the version
    <project>/live.json                       which version answers, which did before, and which were withdrawn

Files are replaced, never rewritten, so a reader sees an old or a new one and no half of either. What does not match its
hash is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import structlog
from filelock import FileLock

from ml_backend.labeling.errors import InputError, ModelUnavailable, UnknownName
from ml_backend.model_files import ModelFiles
from ml_backend.model_format import Model, StoredHead, VersionInfo, pack, read_info, unpack

__all__ = ["Model", "ModelRegistry", "Pointer", "StoredHead", "VersionInfo"]

log = structlog.stdlib.get_logger()

KEPT = 30
"""Versions a project keeps: the newest, and whatever is or was live of late."""
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class Pointer:
    """What live.json says. `version` is empty where no trained version answers."""

    version: str = ""
    before: tuple[str, ...] = ()
    """Versions that were live, latest first."""
    withdrawn: tuple[str, ...] = ()
    """Versions rolled back: training does not promote them again."""


class ModelRegistry:
    """Thread-safe, and safe with other processes on the same URL. Every method raises InputError for a project key or
    version that could leave its folder, and ModelUnavailable where the storage does not answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._files = ModelFiles(url)

    def save(self, project: str, model: Model) -> str:
        """Store a version; it is not live yet. Saving it again changes nothing, or mends it where it is damaged."""
        version = model.info.version
        folder = self._folder(project, version)
        with suppress(UnknownName, ModelUnavailable):
            self.load(project, version)
            return version
        arrays, document = pack(model)
        self._files.write(f"{folder}/arrays.safetensors", arrays)
        self._files.write(f"{folder}/model.json", document)
        self._prune(project)
        return version

    def load(self, project: str, version: str) -> Model:
        """Raises UnknownName, or ModelUnavailable where its files are torn or were changed."""
        folder = self._folder(project, version)
        document = self._files.read(f"{folder}/model.json")
        if document is None:
            raise UnknownName("model version", version, self._names(project))
        arrays = self._files.read(f"{folder}/arrays.safetensors")
        try:
            return unpack(document, arrays or b"")
        except (ValueError, KeyError, TypeError) as error:
            raise ModelUnavailable(
                f"Model version {version} of project {project} is damaged ({error}): {self.url}/{folder}.",
                mend="Promote another version, or delete that folder and train again.",
            ) from error

    def versions(self, project: str) -> list[VersionInfo]:
        """Newest first. Versions whose description cannot be read are left out, with a warning in the log."""
        live = self.live(project)
        found = []
        for name in self._names(project):
            document = self._files.read(f"{self._folder(project, name)}/model.json")
            try:
                info = read_info(json.loads(document or b""))
            except (ValueError, KeyError, TypeError) as error:
                log.warning("damaged model version", project=project, version=name, why=str(error))
                continue
            found.append(replace(info, live=info.version == live))
        return sorted(found, key=lambda info: (info.created_at, info.version), reverse=True)

    def live(self, project: str) -> str | None:
        """The version that answers; None where there is no trained one."""
        return self.pointer(project).version or None

    def pointer(self, project: str) -> Pointer:
        content = self._files.read(f"{_safe('project key', project)}/live.json")
        if content is None:
            return Pointer()
        try:
            read = json.loads(content)
            names = [read["version"], *read["before"], *read["withdrawn"]]
            if not all(isinstance(name, str) and (not name or _SAFE.fullmatch(name)) for name in names):
                raise ValueError("a version name is not one")
            return Pointer(read["version"], tuple(read["before"]), tuple(read["withdrawn"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ModelUnavailable(
                f"{self.url}/{project}/live.json cannot be read: {error}.",
                mend="Promote a version again: `tiebreak models promote`.",
            ) from error

    def mark(self, project: str) -> Hashable:
        """Changes whenever the live version may have; cheap where models are on a local disk."""
        return self._files.mark(f"{_safe('project key', project)}/live.json")

    @property
    def mark_seconds(self) -> float:
        """How long a mark may be trusted: none at all on a local disk, where looking is a matter of microseconds."""
        return 0.0 if self._files.local else 2.0

    def promote(self, project: str, version: str) -> None:
        """Make a version the one that answers, from the next request on. Raises as `load` does, changing nothing."""
        self.load(project, version)
        with self._alone(project):
            try:
                now = self.pointer(project)
            except ModelUnavailable:  # a damaged pointer is mended by this very call
                now = Pointer()
            if now.version == version:
                return
            before = tuple(name for name in (now.version, *now.before) if name and name != version)
            self._point(project, Pointer(version, before[:KEPT], _without(now.withdrawn, version)))

    def rollback(self, project: str) -> str:
        """Go back to the version that was live before, and withdraw the present one. Versions that cannot be loaded
        are passed over. Raises InputError where there is none."""
        with self._alone(project):
            now = self.pointer(project)
            for i, version in enumerate(now.before):
                try:
                    self.load(project, version)
                except (ModelUnavailable, UnknownName) as error:
                    log.warning("cannot go back to", project=project, version=version, why=str(error))
                    continue
                withdrawn = (now.version, *_without(now.withdrawn, version))
                self._point(project, Pointer(version, now.before[i + 1 :], withdrawn[:KEPT]))
                return version
        raise InputError(
            f"Project {project} has no earlier version to go back to.",
            mend="`tiebreak models list` shows what there is to promote.",
        )

    def _point(self, project: str, pointer: Pointer) -> None:
        self._files.write(f"{project}/live.json", json.dumps(asdict(pointer), indent=1).encode())

    def _alone(self, project: str) -> AbstractContextManager[object]:
        """One writer of live.json at a time on this disk; elsewhere the last one wins."""
        folder = self._files.path(_safe("project key", project))
        if not self._files.local:
            return nullcontext()
        Path(folder).mkdir(parents=True, exist_ok=True)
        return FileLock(f"{folder}/live.lock", timeout=30)

    def _prune(self, project: str) -> None:
        pointer = self.pointer(project)
        kept = {pointer.version, *pointer.before[:KEPT]}
        for info in self.versions(project)[KEPT:]:
            if info.version not in kept:
                self._files.remove(self._folder(project, info.version))

    def _names(self, project: str) -> list[str]:
        names = self._files.folders(_safe("project key", project))
        return [
            name
            for name in names
            if _SAFE.fullmatch(name) and self._files.exists(f"{self._folder(project, name)}/model.json")
        ]

    def _folder(self, project: str, version: str) -> str:
        return f"{_safe('project key', project)}/{_safe('model version', version)}"


def _safe(what: str, name: str) -> str:
    if not isinstance(name, str) or not _SAFE.fullmatch(name) or ".." in name:
        raise InputError(
            f"{name!r} is no {what}.",
            mend="It takes letters, digits, '.', '_' and '-', starting with one of the first.",
        )
    return name


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(other for other in names if other != name)
