"""A model version as two files: JSON that says what it is, and safetensors with its arrays; each with its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from ml_backend.prelabelers import State

FORMAT = 1


@dataclass(frozen=True)
class VersionInfo:
    version: str
    created_at: datetime
    """UTC."""
    labels: int
    """Tasks it learned from."""
    metrics: Mapping[str, Any]
    """Control -> JSON of `prelabelers.Learned.metrics`."""
    fingerprint: str
    """Of everything it was learned from: labels, config, encoder and recipe."""
    label_fingerprint: str
    config_fingerprint: str
    encoder: str
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
    """One version: its heads by control, and the examples it learned from by the hash of their text."""

    info: VersionInfo
    heads: Mapping[str, StoredHead]
    learned_from: Mapping[str, np.ndarray]
    """Control -> (n,) uint64, sorted."""

    @property
    def bytes(self) -> int:
        return sum(array.nbytes for head in self.heads.values() for array in head.state.arrays.values())


def pack(model: Model) -> tuple[bytes, bytes]:
    """arrays.safetensors and model.json."""
    from safetensors.numpy import save

    controls = list(model.heads)
    arrays = {
        f"{i}/{name}": np.ascontiguousarray(array)
        for i, control in enumerate(controls)
        for name, array in model.heads[control].state.arrays.items()
    }
    arrays |= {f"{i}/learned_from": model.learned_from[control] for i, control in enumerate(controls)}
    packed = save(arrays)
    document = {
        "format": FORMAT,
        "arrays": hashlib.sha256(packed).hexdigest(),
        "info": {name: value for name, value in model.info.to_json().items() if name != "live"},
        "heads": [
            {
                "control": control,
                "prelabeler": head.prelabeler,
                "signature": head.signature,
                "fields": dict(head.state.fields),
            }
            for control, head in model.heads.items()
        ],
    }
    document["hash"] = _hash(document)
    return packed, json.dumps(document, indent=1, allow_nan=False).encode()


def unpack(content: bytes, packed: bytes) -> Model:
    """The model in model.json and arrays.safetensors. Raises ValueError, KeyError or TypeError for damaged ones."""
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
    heads, learned_from = {}, {}
    for i, head in enumerate(document["heads"]):
        own = {name.split("/", 1)[1]: array for name, array in arrays.items() if name.startswith(f"{i}/")}
        learned_from[head["control"]] = own.pop("learned_from")
        heads[head["control"]] = StoredHead(head["prelabeler"], head["signature"], State(head["fields"], own))
    return Model(info, heads, learned_from)


def read_info(document: Any) -> VersionInfo:
    """What a parsed model.json says of the version. Raises as `unpack` does."""
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']}, this Tiebreak reads {FORMAT}")
    if _hash(document) != document["hash"]:
        raise ValueError("model.json does not match its hash")
    info = document["info"]
    return VersionInfo(**{**info, "created_at": datetime.fromisoformat(info["created_at"])})


def _hash(document: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in document.items() if name != "hash"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
