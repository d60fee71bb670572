"""Answers kept by the hash of everything they depend on, so that no question is paid for twice; shared by all workers.

    <2 hex digits>/<64 hex digits>.json    {"said": "…", "sure": {"verdict": [0.93, {"allow": 0.93, …}], …}}

What is kept is read and checked like an answer that has just come.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from ml_backend.labeling.errors import UNREADABLE, ModelUnavailable
from ml_backend.labeling.kinds import canonical, finite
from ml_backend.large_model.token_confidence import Sureness
from ml_backend.model_files import ModelFiles

log = structlog.stdlib.get_logger()


@dataclass(frozen=True)
class Kept:
    said: str
    sure: Mapping[str, Sureness] = field(default_factory=dict)
    """By control; empty where no log-probabilities came."""


class AnswerCache:
    """Storage that does not answer is as good as empty: it costs money, and nothing else."""

    def __init__(self, files: ModelFiles) -> None:
        self._files = files

    def get(self, key: str) -> Kept | None:
        try:
            content = self._files.read(_path(key))
        except ModelUnavailable as error:
            log.warning("kept answers of the large model", why=str(error))
            return None
        return _read(content) if content is not None else None

    def put(self, key: str, kept: Kept) -> None:
        sure = {name: [it.confidence, dict(it.probabilities)] for name, it in kept.sure.items()}
        content = json.dumps({"said": kept.said, "sure": sure}, ensure_ascii=False)
        try:
            self._files.write(_path(key), content.encode("utf-8", "replace"))
        except ModelUnavailable as error:
            log.warning("an answer of the large model is not kept", why=str(error))


def key_of(**parts: Any) -> str:
    """64 hex digits of everything that an answer depends on, which must be JSON."""
    return hashlib.sha256(canonical(dict(sorted(parts.items()))).encode("utf-8", "replace")).hexdigest()


def _path(key: str) -> str:
    return f"{key[:2]}/{key}.json"


def _read(content: bytes) -> Kept | None:
    """None for a damaged file."""
    try:
        kept = json.loads(content)
        said, sure = kept["said"], {name: _sureness(*pair) for name, pair in kept["sure"].items()}
    except UNREADABLE:
        return None
    return Kept(said, sure) if isinstance(said, str) else None


def _sureness(confidence: Any, probabilities: Mapping[str, Any]) -> Sureness:
    return Sureness(_unit(confidence), {str(label): _unit(share) for label, share in probabilities.items()})


def _unit(value: Any) -> float:
    number = finite(value)
    if number is None or not 0 <= number <= 1:
        raise ValueError("not a probability")
    return float(number)
