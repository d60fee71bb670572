"""A model version as two files: JSON that says what it is, and safetensors with its arrays; each with its hash.

A version is named after its content, so the same content has the same name wherever it is made, and files that are not
what their name says are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from ml_backend.outcomes import Outcomes
from ml_backend.prelabelers import State

FORMAT = 3
"""Raised when files change their form. A version of another format is passed over: the project trains anew."""
_NOT_CONTENT = ("version", "created_at", "accepted", "reason", "live")
"""Circumstances of a version, and its name."""


@dataclass(frozen=True)
class VersionInfo:
    version: str
    """Its name: prelabelers, labels and a hash of the content. Given by `pack`."""
    created_at: datetime
    """UTC."""
    labels: int
    """Tasks it learned from."""
    metrics: Mapping[str, Any]
    """Control -> JSON of `prelabelers.Learned.metrics`."""
    fingerprint: str
    """Of everything it was learned from: labels, config, encoder, cases, policy and recipe."""
    label_fingerprint: str
    """Of texts with their answers and weights."""
    data_fingerprint: str
    """Of the texts alone."""
    config_fingerprint: str
    encoder: str
    recipe: int
    policy_version: str = ""
    """Of the guidelines that the labels were given under; empty where the project has none."""
    accepted: bool = True
    """Whether training found it fit to be promoted, and why:"""
    reason: str = ""
    live: bool = False

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "created_at": self.created_at.isoformat()}


@dataclass(frozen=True)
class StoredHead:
    prelabeler: str
    signature: str
    """Of the control it was made for (`prelabelers.signature`)."""
    state: State


@dataclass(frozen=True, eq=False)
class Model:
    """One version: its heads by control, the examples it learned from, and how it did on those it had not seen."""

    info: VersionInfo
    heads: Mapping[str, StoredHead]
    learned_from: Mapping[str, np.ndarray]
    """Control -> (n,) uint64, sorted: hashes of texts."""
    outcomes: Mapping[str, Outcomes]

    @property
    def bytes(self) -> int:
        """Of memory, about: all arrays, and what the JSON makes of Python objects."""
        arrays = [array for head in self.heads.values() for array in head.state.arrays.values()]
        arrays += [array for known in self.outcomes.values() for array in known.arrays.values()]
        described = sum(len(repr(head.state.fields)) for head in self.heads.values()) + len(repr(self.info))
        return sum(array.nbytes for array in (*arrays, *self.learned_from.values())) + _OBJECTS * described

    def serving(self) -> Model:
        """Without what only training and thresholds need: most of the bytes of a large project."""
        return replace(self, learned_from={}, outcomes={})


_OBJECTS = 8
"""Bytes a character of their text: measured up to 3.6 as they are read, and as much again in the heads made of them."""


def pack(model: Model) -> tuple[bytes, bytes, Model]:
    """arrays.safetensors, model.json, and the model with its name."""
    arrays, document, model = _packed(model)
    document["hash"] = _hash(document)
    return arrays, json.dumps(document, indent=1, allow_nan=False).encode(), model


def _packed(model: Model) -> tuple[bytes, dict[str, Any], Model]:
    from safetensors.numpy import save

    arrays: dict[str, np.ndarray] = {}
    for i, (control, head) in enumerate(model.heads.items()):
        arrays |= {f"{i}/head/{name}": np.ascontiguousarray(array) for name, array in head.state.arrays.items()}
        arrays[f"{i}/learned_from"] = model.learned_from[control]
        arrays |= {f"{i}/outcomes/{name}": array for name, array in model.outcomes[control].arrays.items()}
    packed = save(arrays)
    info = {name: value for name, value in model.info.to_json().items() if name != "live"}
    document = {
        "format": FORMAT,
        "arrays": hashlib.sha256(packed).hexdigest(),
        "info": info,
        "heads": [
            {
                "control": control,
                "prelabeler": head.prelabeler,
                "signature": head.signature,
                "fields": dict(head.state.fields),
                "answers": list(model.outcomes[control].answers),
            }
            for control, head in model.heads.items()
        ],
    }
    info["version"] = _name(document)
    return packed, document, replace(model, info=replace(model.info, version=info["version"]))


def unpack(content: bytes, packed: bytes) -> Model:
    """The model in model.json and arrays.safetensors. Raises one of `errors.UNREADABLE` for damaged ones."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    document = json.loads(content)
    info = read_info(document)
    if hashlib.sha256(packed).hexdigest() != document["arrays"]:
        raise ValueError("arrays.safetensors does not match its hash")
    try:
        arrays = load(packed)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    heads, learned_from, outcomes = {}, {}, {}
    for i, head in enumerate(document["heads"]):
        control = head["control"]
        state = State(head["fields"], _below(f"{i}/head/", arrays))
        heads[control] = StoredHead(head["prelabeler"], head["signature"], state)
        learned_from[control] = arrays[f"{i}/learned_from"]
        outcomes[control] = Outcomes(**_below(f"{i}/outcomes/", arrays), answers=tuple(head["answers"]))
    return Model(info, heads, learned_from, outcomes)


def read_info(document: Any) -> VersionInfo:
    """What a parsed model.json says of the version. Raises as `unpack` does."""
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']}, this Tiebreak reads {FORMAT}")
    if _hash(document) != document["hash"]:
        raise ValueError("model.json does not match its hash")
    info = document["info"]
    if _name(document) != info["version"]:
        raise ValueError("its content is not what its name says")
    return VersionInfo(**{**info, "created_at": datetime.fromisoformat(info["created_at"])})


def _name(document: Mapping[str, Any]) -> str:
    """`few-shot-1240-3fa9c1d2e4b70516`: what learned, from how many labels, and 64 bits of the content's hash."""
    info = {name: value for name, value in document["info"].items() if name not in _NOT_CONTENT}
    content = _hash({**document, "info": info})
    prelabelers = sorted({head["prelabeler"].replace("_", "-") for head in document["heads"]})
    return f"{'-'.join(prelabelers)[:64]}-{info['labels']}-{content[:16]}"


def _below(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _hash(document: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in document.items() if name != "hash"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
