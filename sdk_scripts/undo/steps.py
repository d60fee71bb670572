"""What an undo works with: the trail's entries, the present of Label Studio, and steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from ml_backend.studio.kept_values import SECRET
from ml_backend.studio.payloads import differing

if TYPE_CHECKING:
    from ml_backend.studio import Studio

State = Literal["undo", "undone", "cannot", "failed"]
NOT_KEPT = "what an undo needs was not kept (it is kept for a month, and neither secrets nor very large changes are)"
GONE = "it is not there any more"


@dataclass(frozen=True)
class Entry:
    """One change of the trail."""

    id: str
    at: str
    by: str
    run: str
    method: str
    path: str
    project: int | None
    ok: bool
    made: int | None
    """Id of what it made."""
    sent: Mapping[str, Any]
    values: Mapping[str, Any]
    """What was kept for an undo; empty where nothing was."""
    undoes: str
    studio: str = ""
    """Address of the Label Studio; empty where it was not noted."""

    @classmethod
    def read(cls, line: Mapping[str, Any], values: Mapping[str, Any]) -> Entry:
        method, _, path = str(line["call"]).partition(" ")
        outcome = line["outcome"]
        return cls(
            id=line["id"],
            at=line["at"],
            by=str(line.get("by", "")),
            run=line["run"],
            method=method,
            path=path,
            project=line.get("project"),
            ok=bool(outcome.get("ok")),
            made=outcome.get("id"),
            sent=line["sent"],
            values=values,
            undoes=str(line.get("undoes", "")),
            studio=str(line.get("studio", "")),
        )

    @property
    def made_path(self) -> str | None:
        """Where that is, as the API names it."""
        if self.method != "POST" or self.made is None or not self.ok:
            return None
        if re.fullmatch(r"/api/tasks/\d+/annotations/", self.path):
            return f"/api/annotations/{self.made}/"
        return f"{self.path}/{self.made}" if self.path == "/api/ml" else f"{self.path}{self.made}/"


@dataclass(frozen=True)
class Step:
    """What becomes of one entry: `undo` it, it is `undone` already, it `cannot` be, or Label Studio did not let it."""

    entry: Entry
    state: State
    what: str
    """In words: "webhook 3: url, is_active"."""
    why: str = ""
    do: Callable[[], object] | None = field(default=None, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        it = self.entry
        return {
            "entry": it.id,
            "at": it.at,
            "by": it.by,
            "call": f"{it.method} {it.path}",
            "state": self.state,
            "what": self.what,
            "why": self.why,
        }

    def failed(self, why: str) -> Step:
        return replace(self, state="failed", why=why, do=None)


class Now:
    """Label Studio as it is, with the steps planned so far taken as done."""

    def __init__(self, studio: Studio, entries: Iterable[Entry]) -> None:
        self.studio = studio
        self.url = studio._shown.rstrip("/")
        self.trail = list(entries)
        """All of it, also what is not to be undone."""
        self.redone = {entry.undoes for entry in self.trail if entry.undoes and entry.ok}
        """Entries that an undo has written for."""
        self.again: dict[str, dict[str, Any]] = {}
        """What is made again, by where it was: changes before its end are taken back in it."""
        self._at: dict[str, dict[str, Any] | None] = {}

    def at(self, path: str) -> dict[str, Any] | None:
        if path not in self._at:
            self._at[path] = self.studio.stored(path)
        return self._at[path]

    def put(self, path: str, fields: Mapping[str, Any]) -> None:
        self._at[path] = {**(self.at(path) or {}), **fields}

    def remove(self, path: str) -> None:
        self._at[path] = None

    def removed(self, path: str) -> bool:
        return path in self._at and self._at[path] is None


def moved(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """The fields that are not alike, whatever one has more than the other; what nobody is shown aside."""
    return [name for name in wanted if name in stored and name not in SECRET and _differ(wanted[name], stored[name])]


def _differ(left: Any, right: Any) -> bool:
    left, right = _sorted(left), _sorted(right)
    return bool(differing({"it": left}, {"it": right}) or differing({"it": right}, {"it": left}))


def _sorted(value: Any) -> Any:
    """The order of names says nothing."""
    plain = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return sorted(value) if plain else value
