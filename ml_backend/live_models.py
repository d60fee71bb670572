"""The live model of each project, loaded once, watched for a newly promoted version, and dropped when others need the
room."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

import structlog

from ml_backend.labeling.errors import InputError, ModelUnavailable
from ml_backend.model_registry import Model, ModelRegistry

log = structlog.stdlib.get_logger()

MODEL_BYTES = 128_000_000
"""Of models kept; the least recently used go first, and are read again when asked. One learned
from a few hundred labels takes about 0.5 MB, one from thousands 4 to 8 MB. The model asked for last is kept even where
it alone is larger."""
PROJECTS = 10_000
RETRY_SECONDS = 30.0
"""How often a live version that could not be loaded is tried again."""
_NEVER = object()


@dataclass
class _Project:
    loading: threading.Lock = field(default_factory=threading.Lock)
    mark: Hashable | object = _NEVER
    looked_at: float = float("-inf")
    retry_at: float = float("inf")
    model: Model | None = None
    bytes: int = 0


class LiveModels:
    """Thread-safe."""

    def __init__(self, registry: ModelRegistry, encoder: str, *, most_bytes: int = MODEL_BYTES) -> None:
        self._registry = registry
        self._encoder = encoder
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._projects: OrderedDict[str, _Project] = OrderedDict()

    def live(self, project: str) -> Model | None:
        """The project's live model as of now; None where no trained version can answer.

        While one thread loads a new version the others get the old one. A version that cannot be loaded leaves the
        old one serving, and a process that has none yet goes back to the newest that can. Raises InputError for a
        project key that is none, and ModelUnavailable where the registry cannot be read and nothing is loaded.
        """
        with self._lock:
            known = self._projects.setdefault(project, _Project())
            self._projects.move_to_end(project)
            if len(self._projects) > PROJECTS:
                self._projects.popitem(last=False)
        now = time.monotonic()
        if known.mark is not _NEVER and now - known.looked_at < self._registry.mark_seconds:
            return known.model
        try:
            mark = self._registry.mark(project)
        except InputError:
            with self._lock:
                self._projects.pop(project, None)
            raise
        except ModelUnavailable as error:
            return self._keep(project, known, error)
        known.looked_at = now
        if mark == known.mark and now < known.retry_at:
            return known.model
        if not known.loading.acquire(blocking=known.mark is _NEVER):
            return known.model
        try:
            if mark != known.mark or now >= known.retry_at:  # no other thread was faster
                known.model = self._load(project, known, now)
                known.bytes = known.model.bytes if known.model else 0
                known.mark = mark
        except ModelUnavailable as error:
            return self._keep(project, known, error)
        finally:
            known.loading.release()
        self._make_room(project)
        return known.model

    def at_hand(self, project: str) -> tuple[Model | None] | None:
        """What `live` returns, where that is known without loading anything or asking over a network; else None."""
        with self._lock:
            if (known := self._projects.get(project)) is None:
                return None
            self._projects.move_to_end(project)
        now, trusted = time.monotonic(), self._registry.mark_seconds
        if known.mark is _NEVER or now >= known.retry_at or (trusted and now - known.looked_at >= trusted):
            return None
        try:
            if not trusted and self._registry.mark(project) != known.mark:
                return None
        except (InputError, ModelUnavailable):
            return None
        return (known.model,)

    def _load(self, project: str, known: _Project, now: float) -> Model | None:
        known.retry_at = float("inf")
        pointer = self._registry.pointer(project)
        for version in (pointer.version, *pointer.before):
            if not version:
                continue
            if known.model is not None and known.model.info.version == version:
                return known.model
            try:
                model = self._registry.load(project, version)
            except (ModelUnavailable, InputError) as error:
                known.retry_at = now + RETRY_SECONDS
                log.error("cannot load the live model version", project=project, version=version, why=str(error))
                continue
            if model.info.encoder == self._encoder:
                return model.serving()
            log.warning("made for another encoder", project=project, version=version, encoder=model.info.encoder)
        return None

    def _keep(self, project: str, known: _Project, error: ModelUnavailable) -> Model | None:
        if known.mark is _NEVER:
            raise error
        log.error("cannot look for a new model version", project=project, why=str(error))
        return known.model

    def _make_room(self, project: str) -> None:
        with self._lock:
            held = sum(it.bytes for it in self._projects.values())
            for name, it in list(self._projects.items()):
                if held <= self._most_bytes:
                    return
                if it.model and name != project:
                    held -= it.bytes
                    del self._projects[name]
