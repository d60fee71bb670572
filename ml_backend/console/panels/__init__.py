"""The parts of the console, one file each: what is read, from where, as JSON. Everything is bounded.

Text in it comes from annotators and titles: the page shows it as text, never as HTML.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit, urlunsplit

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.plugins import Registry
from ml_backend.project_state import project_id_of

if TYPE_CHECKING:
    from ml_backend.model_files import ModelFiles
    from ml_backend.model_registry import ModelRegistry
    from ml_backend.project_list import ProjectList
    from ml_backend.queues import Jobs
    from ml_backend.settings import Settings

T = TypeVar("T")
Where = Literal["redis", "storage"]

MOST_PROJECTS = 100
"""Shown, and told Prometheus of: those with the highest ids."""
MOST_TEXT = 400
"""Characters of one text."""
MOST_REMEMBERED = 5_000


FORGET_SECONDS = 60.0
"""What could not be read is tried again after that long."""


class Memory:
    """What was read of files, as long as their mark is the same; the oldest goes first. For one thread."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Hashable, Any, float]] = {}

    def get(self, name: Hashable, mark: Hashable, read: Callable[[], T]) -> T:
        known, now = self._known.get(name), time.monotonic()
        if known is None or known[0] != mark or (known[1] is None and now - known[2] > FORGET_SECONDS):
            known = self._known[name] = mark, read(), now
            while len(self._known) > MOST_REMEMBERED:
                del self._known[next(iter(self._known))]
        result: T = known[1]
        return result


@dataclass(frozen=True)
class FromRedis:
    settings: Settings
    jobs: Jobs
    listed: ProjectList


@dataclass(frozen=True)
class FromStorage:
    settings: Settings
    registry: ModelRegistry
    files: ModelFiles
    """Of the models' folder."""
    keys: tuple[str, ...]
    """Of the projects, MOST_PROJECTS of them, the newest first."""
    memory: Memory = field(default_factory=Memory)


class Panel(ABC):
    """What a file in this folder registers a subclass of."""

    name: str
    where: Where

    @abstractmethod
    def collect(self, given: Any) -> dict[str, Any]:
        """JSON, from a FromRedis or a FromStorage. May raise TiebreakError."""


PANELS: Registry[Panel] = Registry("console panel", __name__)
register = PANELS.register_class


def panels_of(where: Where) -> list[Panel]:
    return [panel for _, panel in PANELS.items() if panel.where == where]


def newest(keys: Iterable[str]) -> tuple[str, ...]:
    """Those that are project keys, the highest id first, MOST_PROJECTS of them."""
    return tuple(sorted(set(_project_keys(keys)), key=lambda key: (project_id_of(key), key), reverse=True))[
        :MOST_PROJECTS
    ]


def text(value: object, most: int = MOST_TEXT) -> str:
    """On one line, cut."""
    words = " ".join(str("" if value is None else value)[: 4 * most].split())
    return words if len(words) <= most else f"{words[: most - 1]}…"


def number(value: object) -> float | None:
    """None for what JSON has no number for."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        return None
    return value


def when(value: datetime | float | None) -> str | None:
    """ISO 8601, UTC, of a time or of Unix seconds."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        value = datetime.fromtimestamp(value, UTC)
    elif value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return value.astimezone(UTC).isoformat(timespec="seconds")


def data_manager(settings: Settings, project_id: int) -> str:
    """Address of a project's tasks in Label Studio, for people; without the password that may be in the setting."""
    parts = urlsplit(settings.studio_public_url or settings.studio_url)
    return f"{urlunsplit(parts._replace(netloc=parts.netloc.rpartition('@')[2]))}/projects/{project_id}/data"


def task_link(settings: Settings, key: str, task: int) -> str:
    return f"{data_manager(settings, project_id_of(key))}?task={task}"


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _project_keys(keys: Iterable[str]) -> Iterator[str]:
    for key in keys:
        try:
            project_id_of(key)
        except InputError:
            continue
        yield key
