"""A sentence-transformers folder, as far as it can be judged without loading it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

BERTS = {"bert": 0, "roberta": 2, "xlm-roberta": 2, "camembert": 2}
"""Model types that are one network -> rows of their position table that come before the first position."""
MOST_BYTES = 1_500_000_000
"""Of weights: an ONNX file in one piece holds 2 GB."""
_SAMPLED = 16  # blocks of a large file that go into its fingerprint
_BLOCK = 65_536  # bytes


@dataclass(frozen=True)
class Bert:
    """A folder whose vectors are the mean of a BERT's token states, scaled to length 1."""

    root: Path
    folder: Path
    """Of the transformer: `root`, or a folder in it."""
    heads: int
    width: int
    epsilon: float
    first_position: int
    longest: int
    """Tokens of a text that are read."""
    pad: int


def read_bert(folder: Path) -> Bert:
    """Raises ValueError that says why the folder is none."""
    modules = [(module["type"].rsplit(".", 1)[-1], module["path"]) for module in _json(folder / "modules.json")]
    if [kind for kind, _ in modules][:2] != ["Transformer", "Pooling"] or len(modules) > 3:
        raise ValueError("its modules are not a transformer and a pooling")
    if len(modules) == 3 and modules[2][0] != "Normalize":
        raise ValueError(f"it ends in a {modules[2][0]}")
    transformer, pooling = folder / modules[0][1], _json(folder / modules[1][1] / "config.json")
    modes = [name for name, on in pooling.items() if name.startswith("pooling_mode_") and on]
    if (modes or [f"pooling_mode_{pooling.get('pooling_mode')}_tokens"]) != ["pooling_mode_mean_tokens"]:
        raise ValueError("it does not pool by the mean")
    config, limits = _json(transformer / "config.json"), _json(transformer / "sentence_bert_config.json")
    kind = config.get("model_type")
    if kind not in BERTS:
        raise ValueError(f"{kind!r} is no BERT")
    if config.get("hidden_act") != "gelu" or config.get("position_embedding_type", "absolute") != "absolute":
        raise ValueError("it is an unusual BERT")
    if limits.get("do_lower_case"):
        raise ValueError("it lowers the case before its tokenizer does")
    prompts = folder / "config_sentence_transformers.json"
    if prompts.exists() and _json(prompts).get("default_prompt_name"):
        raise ValueError("it puts a prompt before every text")
    weights = transformer / "model.safetensors"
    if not weights.is_file() or weights.stat().st_size > MOST_BYTES:
        raise ValueError("its weights are not one model.safetensors of at most 1.5 GB")
    if not (transformer / "tokenizer.json").is_file():
        raise ValueError("it has no tokenizer.json")
    tokenizer = _json(transformer / "tokenizer_config.json")
    positions = int(config["max_position_embeddings"]) - BERTS[kind]
    return Bert(
        folder,
        transformer,
        heads=int(config["num_attention_heads"]),
        width=int(config["hidden_size"]),
        epsilon=float(config["layer_norm_eps"]),
        first_position=BERTS[kind],
        longest=min(int(limits.get("max_seq_length") or tokenizer.get("model_max_length") or positions), positions),
        pad=int(config.get("pad_token_id") or 0),
    )


def fingerprint(folder: Path) -> str:
    """8 hex digits of a model folder's contents. Of large files the size and evenly spaced blocks are read, so that
    gigabytes take milliseconds."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix.lower() == ".md":
            continue
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        with path.open("rb") as file:
            blocks = max(1, -(-size // _BLOCK))
            for block in range(blocks) if blocks <= _SAMPLED else np.linspace(0, blocks - 1, _SAMPLED, dtype=int):
                file.seek(int(block) * _BLOCK)
                digest.update(file.read(_BLOCK))
    return digest.hexdigest()[:8]


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{file.name} cannot be read: {error}") from error
