"""Model versions of each project, on any fsspec URL that the workers share: saved, promoted, rolled back, read.

    <project>/<version>/arrays.safetensors    the heads' arrays, and what became of the out-of-fold opinions
    <project>/<version>/model.json            everything else, with the hash of both; written last: it makes the version
    <project>/live.json or live/              which version answers, which did before, and which were withdrawn
    <project>/brief.json                      what the predictor has to know of the project (`briefs`)
    <project>/trust.json                      how far its large model is trusted (`cascade`)

A version's files never change and its name says what is in them; what does not match its name or its hash is refused.
Switching is atomic, see `live_pointer`.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import replace

import structlog

from ml_backend.labeling.errors import UNREADABLE, InputError, ModelUnavailable, UnknownName
from ml_backend.live_pointer import NAME, Pointer, live_pointers
from ml_backend.model_files import ModelFiles
from ml_backend.model_format import Model, StoredHead, VersionInfo, pack, read_info, unpack

__all__ = ["Model", "ModelRegistry", "Pointer", "StoredHead", "VersionInfo"]

log = structlog.stdlib.get_logger()

KEPT = 30
"""Versions a project keeps: the newest, and whatever is or was live of late."""


class ModelRegistry:
    """Thread-safe, and safe with other processes on the same URL. Every method raises InputError for a project key or
    version that could leave its folder, and ModelUnavailable where the storage does not answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._files = ModelFiles(url)
        self._pointers = live_pointers(self._files)

    def save(self, project: str, model: Model) -> str:
        """Store a version under the name of its content, and return that; it is not live yet. Saving the same content
        again changes nothing, or mends it where it is damaged."""
        arrays, document, model = pack(model)
        version = model.info.version
        folder = self._folder(project, version)
        with suppress(UnknownName, ModelUnavailable):
            self.load(project, version)
            return version
        self._files.write(f"{folder}/arrays.safetensors", arrays)
        self._files.write(f"{folder}/model.json", document)
        self._prune(project)
        return version

    def load(self, project: str, version: str) -> Model:
        """Raises UnknownName, or ModelUnavailable where its files are torn or were changed."""
        folder = self._folder(project, version)
        document = self._files.read(f"{folder}/model.json")
        if document is None:
            raise UnknownName("model version", version, self.names(project))
        arrays = self._files.read(f"{folder}/arrays.safetensors")
        try:
            model = unpack(document, arrays or b"")
            if model.info.version != version:
                raise ValueError(f"it holds version {model.info.version}")
            return model
        except UNREADABLE as error:
            raise ModelUnavailable(
                f"Model version {version} of project {project} cannot be used ({error}): {self.url}/{folder}.",
                mend="Promote another version, or delete that folder and train again.",
            ) from error

    def versions(self, project: str) -> list[VersionInfo]:
        """Newest first. Versions whose description cannot be read are left out, with a warning in the log."""
        live = self.live(project)
        found = (self.info(project, name) for name in self.names(project))
        shown = [replace(info, live=info.version == live) for info in found if info is not None]
        return sorted(shown, key=lambda info: (info.created_at, info.version), reverse=True)

    def info(self, project: str, version: str) -> VersionInfo | None:
        """What its model.json says, which never changes (`live` is not looked up); None where it cannot be read, with a
        warning in the log."""
        document = self._files.read(f"{self._folder(project, version)}/model.json")
        try:
            info = read_info(json.loads(document or b""))
            if info.version != version:
                raise ValueError(f"it holds version {info.version}")
            return info
        except UNREADABLE as error:
            log.warning("damaged model version", project=project, version=version, why=str(error))
            return None

    def live(self, project: str) -> str | None:
        """The version that answers; None where there is no trained one."""
        return self.pointer(project).version or None

    def pointer(self, project: str) -> Pointer:
        return self._pointers.read(_safe("project key", project))

    def mark(self, project: str) -> Hashable:
        """Changes whenever the live version may have; cheap where models are on a local disk."""
        return self._pointers.mark(_safe("project key", project))

    @property
    def mark_seconds(self) -> float:
        """How long a mark may be trusted: none at all on a local disk, where looking is a matter of microseconds."""
        return self._pointers.mark_seconds

    def promote(self, project: str, version: str) -> None:
        """Make a version the one that answers, from the next request on. Raises as `load` does, changing nothing."""
        self.load(project, version)

        def promoted(now: Pointer) -> Pointer:
            if now.version == version:
                return now
            before = tuple(name for name in (now.version, *now.before) if name and name != version)
            return Pointer(version, before[:KEPT], _without(now.withdrawn, version))

        self._pointers.change(project, promoted)

    def rollback(self, project: str) -> str:
        """Go back to the version that was live before, and withdraw the present one. Versions that cannot be loaded
        are passed over. Raises InputError where there is none, and ModelUnavailable for a damaged pointer."""
        self.pointer(project)

        def rolled_back(now: Pointer) -> Pointer:
            for i, version in enumerate(now.before):
                try:
                    self.load(project, version)
                except (ModelUnavailable, UnknownName) as error:
                    log.warning("cannot go back to", project=project, version=version, why=str(error))
                    continue
                withdrawn = (now.version, *_without(now.withdrawn, version))
                return Pointer(version, now.before[i + 1 :], withdrawn[:KEPT])
            raise InputError(
                f"Project {project} has no earlier version to go back to.",
                mend="`tiebreak models list` shows what there is to promote.",
            )

        return self._pointers.change(project, rolled_back).version

    def read_brief(self, project: str) -> bytes | None:
        """What jobs noted of the project (`briefs`); None where nothing is."""
        return self._files.read(f"{_safe('project key', project)}/brief.json")

    def write_brief(self, project: str, content: bytes) -> None:
        self._files.write(f"{_safe('project key', project)}/brief.json", content)

    def brief_mark(self, project: str) -> Hashable:
        """Changes whenever the brief may have."""
        return self._files.mark(f"{_safe('project key', project)}/brief.json")

    def read_trust(self, project: str) -> bytes | None:
        """What was learned of the large model (`cascade`); None where nothing is."""
        return self._files.read(f"{_safe('project key', project)}/trust.json")

    def write_trust(self, project: str, content: bytes) -> None:
        self._files.write(f"{_safe('project key', project)}/trust.json", content)

    def _prune(self, project: str) -> None:
        pointer = self.pointer(project)
        kept = {pointer.version, *pointer.before[:KEPT]}
        for info in self.versions(project)[KEPT:]:
            if info.version not in kept:
                self._files.remove(self._folder(project, info.version))

    def names(self, project: str) -> list[str]:
        """The versions there are, in no order that says anything."""
        names = self._files.folders(_safe("project key", project))
        return [
            name
            for name in names
            if NAME.fullmatch(name) and self._files.exists(f"{self._folder(project, name)}/model.json")
        ]

    def _folder(self, project: str, version: str) -> str:
        return f"{_safe('project key', project)}/{_safe('model version', version)}"


def _safe(what: str, name: str) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name) or ".." in name:
        raise InputError(
            f"{name!r} is no {what}.",
            mend="It takes letters, digits, '.', '_' and '-', starting with one of the first.",
        )
    return name


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(other for other in names if other != name)
