"""How far the large model of a project is trusted beside the local one: learned from labelled tasks, kept as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ml_backend.joint_opinions import Joiner
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import UNREADABLE, UnknownName
from ml_backend.outcomes import Outcomes

GROWN = 1.5
"""Times as many labelled tasks as there were, and it is learned anew."""
_SOME = 10
_DTYPES = {
    "texts": np.uint64,
    "confidence": np.float32,
    "correct": np.bool_,
    "answered": np.int32,
    "expected": np.int32,
}


@dataclass(frozen=True)
class Trust:
    joiners: Mapping[str, Joiner] = field(default_factory=dict)
    """By control."""
    outcomes: Mapping[str, Outcomes] = field(default_factory=dict)
    """Of joint opinions where the large model is worth asking, cross-fitted."""
    labelled: int = 0
    """Tasks with labels that there were."""
    asked: int = 0
    answered: int = 0
    """Of those asked, the tasks that it answered at least in part."""
    again: float = 0.0
    """Seconds since 1970 from which on it is learned anew, as not all could be asked; 0: they could."""

    def holds(self, labelled: int, now: float) -> bool:
        """Whether it will do with so many labelled tasks."""
        grown = labelled > GROWN * self.labelled + _SOME if self.labelled else labelled > 0
        return not grown and not 0 < self.again <= now

    def to_json(self, key: str) -> bytes:
        document = {
            "key": key,
            "labelled": self.labelled,
            "asked": self.asked,
            "answered": self.answered,
            "again": self.again,
            "joiners": {name: it.to_json() for name, it in self.joiners.items()},
            "outcomes": {name: _columns(it) for name, it in self.outcomes.items()},
        }
        return json.dumps(document).encode()

    @classmethod
    def from_json(cls, content: bytes | None, key: str, config: LabelConfig) -> Trust | None:
        """None for one of another key, or one that is damaged."""
        try:
            read = json.loads(content or b"{}")
            if read.get("key") != key:
                return None
            return cls(
                {name: Joiner.from_json(config[name], it) for name, it in read["joiners"].items()},
                {name: _outcomes(it) for name, it in read["outcomes"].items()},
                int(read["labelled"]),
                int(read["asked"]),
                int(read["answered"]),
                float(read["again"]),
            )
        except (*UNREADABLE, UnknownName):
            return None


def _columns(outcomes: Outcomes) -> dict[str, Any]:
    return {name: column.tolist() for name, column in outcomes.arrays.items()} | {"answers": list(outcomes.answers)}


def _outcomes(columns: Mapping[str, Any]) -> Outcomes:
    arrays: dict[str, np.ndarray] = {name: np.array(columns[name], dtype) for name, dtype in _DTYPES.items()}
    return Outcomes(**arrays, answers=tuple(map(str, columns["answers"])))
