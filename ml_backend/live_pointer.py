"""Which version of a project answers: a small file that is switched in one step, whoever else reads or writes.

    <project>/live.json                     on a local disk: replaced by renaming, one writer at a time by a lock
    <project>/live.copy.json                the same, for a disk that damages the other
    <project>/live/000000007-<nonce>.json   elsewhere: written once under a new name, never again; the highest counts

Storage without locks and renames is safe that way too. A reader passes over a file that is half written and takes the
one before it. A writer looks again after writing; where another one wrote at the same time it takes its own file back
and starts over from the other's, so that neither's switch is lost. That takes storage that lists a file once it is
written, as all large object stores do. What remains: a writer that dies between writing and looking again may leave
a switch of the same instant out of the history; the version that answers is one of the two.
"""

from __future__ import annotations

import json
import random
import re
import time
import uuid
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import structlog
from filelock import FileLock

from ml_backend.labeling.errors import UNREADABLE, ModelUnavailable
from ml_backend.model_files import ModelFiles

log = structlog.stdlib.get_logger()

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Of projects and versions: none of them leaves its folder."""
PATIENCE = 5.0
"""Seconds a half-written file is waited for, before its writer counts as dead."""
TAKING_BACK = 1.0
"""Seconds within which a writer that finds another beside it takes its file back."""
ATTEMPTS = 100
HISTORY = 20
"""Files of former switches kept."""
_FILE = re.compile(r"(\d{9})-[0-9a-f]{32}\.json")


@dataclass(frozen=True)
class Pointer:
    """`version` is empty where no trained version answers."""

    version: str = ""
    before: tuple[str, ...] = ()
    """Versions that were live, latest first."""
    withdrawn: tuple[str, ...] = ()
    """Versions rolled back: training does not promote them again."""


Change = Callable[[Pointer], Pointer]


class LivePointers(Protocol):
    """By project key. Methods raise ModelUnavailable where the storage does not answer."""

    def read(self, project: str) -> Pointer:
        """Raises ModelUnavailable for a damaged one, too."""

    def change(self, project: str, change: Change) -> Pointer:
        """Replace the pointer by what `change` makes of it, which may be asked several times; a damaged one counts as
        empty. Whatever `change` raises leaves things as they are."""

    def mark(self, project: str) -> Hashable:
        """Changes whenever the pointer may have."""

    mark_seconds: float
    """How long a mark may be trusted."""


def live_pointers(files: ModelFiles) -> LivePointers:
    return _OnDisk(files) if files.local else _Shared(files)


class _OnDisk:
    mark_seconds = 0.0  # looking is a matter of microseconds

    def __init__(self, files: ModelFiles) -> None:
        self._files = files

    def read(self, project: str) -> Pointer:
        name = f"{project}/live.json"
        content = self._files.read(name)
        if content is None:
            return Pointer()
        try:
            return _parse(content)
        except UNREADABLE as error:
            log.error("the pointer to the live version is damaged", file=name, why=str(error))
            try:
                return _parse(self._files.read(f"{project}/live.copy.json") or b"")
            except UNREADABLE:
                raise _damaged(f"{self._files.url}/{name}", error) from error

    def change(self, project: str, change: Change) -> Pointer:
        folder = Path(self._files.path(project))
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "live.lock", timeout=30):
            try:
                now = self.read(project)
            except ModelUnavailable:
                now = Pointer()
            wanted = change(now)
            for name in ("live.json", "live.copy.json"):
                if wanted != Pointer() and self._files.read(f"{project}/{name}") != _text(wanted):
                    self._files.write(f"{project}/{name}", _text(wanted))
            return wanted

    def mark(self, project: str) -> Hashable:
        return self._files.mark(f"{project}/live.json")


@dataclass(frozen=True)
class _Switch:
    pointer: Pointer = Pointer()
    switches: tuple[str, ...] = ()
    """The switches that led here, latest first."""


class _Shared:
    mark_seconds = 2.0

    def __init__(self, files: ModelFiles) -> None:
        self._files = files

    def read(self, project: str) -> Pointer:
        return self._newest(project).pointer

    def mark(self, project: str) -> Hashable:
        return self._newest(project)

    def change(self, project: str, change: Change) -> Pointer:
        ours = uuid.uuid4().hex
        for attempt in range(ATTEMPTS):
            names = self._settled(project)
            try:
                now = self._newest(project)
            except ModelUnavailable:
                now = _Switch()
            if ours in now.switches:  # another writer went on from our file before it was taken back
                time.sleep(TAKING_BACK)  # that one may take back its own
                if ours in (now := self._newest(project)).switches:
                    return now.pointer
                continue
            wanted = change(now.pointer)
            if wanted == now.pointer:
                return wanted
            number = f"{int(names[-1][:9]) + 1 if names else 1:09d}"
            file = f"{project}/live/{number}-{ours}.json"
            self._files.write(file, _text(wanted, (ours, *now.switches[: HISTORY - 1])))
            since = names[-1][:9] if names else ""
            beside = [it for it in self._names(project) if it >= since and it not in names and ours not in it]
            if not beside:
                for old in names[:-HISTORY]:
                    self._files.remove(f"{project}/live/{old}")
                return wanted
            onwards = [name for name in beside if (found := self._try(project, name)) and ours in found.switches]
            if not onwards or any(name.startswith(number) for name in onwards):  # those went on from an earlier file
                self._files.remove(file)
            time.sleep(random.uniform(0, 0.002 * 2 ** min(attempt, 8)))  # noqa: S311  # so that one of them comes first
        raise ModelUnavailable(
            f"Others keep switching the live version of project {project} at {self._files.url}.", mend="Try again."
        )

    def _newest(self, project: str) -> _Switch:
        """The highest file that is whole."""
        names: list[str] = []
        for _ in range(ATTEMPTS):  # what was listed may be taken back before it is read
            names = self._names(project)
            for name in reversed(names):
                if found := self._try(project, name):
                    return found
            if names == self._names(project):
                break
        if not names:
            return _Switch()
        raise _damaged(f"{self._files.url}/{project}/live/{names[-1]}", "it is not whole")

    def _settled(self, project: str) -> list[str]:
        """The files, once the highest is whole and the only one of its number, or a writer counts as dead."""
        until = time.monotonic() + PATIENCE
        while names := self._names(project):
            rivals = [name for name in names if name[:9] == names[-1][:9]]
            if (len(rivals) == 1 and self._try(project, names[-1])) or time.monotonic() > until:
                break
            time.sleep(0.01)
        return names

    def _names(self, project: str) -> list[str]:
        return [name for name in self._files.files(f"{project}/live") if _FILE.fullmatch(name)]

    def _try(self, project: str, name: str) -> _Switch | None:
        try:
            content = self._files.read(f"{project}/live/{name}") or b""
            return _Switch(_parse(content), tuple(json.loads(content)["switches"]))
        except UNREADABLE:
            return None


def _text(pointer: Pointer, switches: tuple[str, ...] = ()) -> bytes:
    return json.dumps({**asdict(pointer), "switches": switches}, indent=1).encode()


def _parse(content: bytes) -> Pointer:
    read = json.loads(content)
    names = [read["version"], *read["before"], *read["withdrawn"]]
    if not all(isinstance(name, str) and (not name or NAME.fullmatch(name)) for name in names):
        raise ValueError("a version name is not one")
    return Pointer(read["version"], tuple(read["before"]), tuple(read["withdrawn"]))


def _damaged(where: str, why: object) -> ModelUnavailable:
    return ModelUnavailable(
        f"{where} cannot be read: {why}.", mend="Promote a version again: `tiebreak models promote`."
    )
