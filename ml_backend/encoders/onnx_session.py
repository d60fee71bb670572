"""Texts -> vectors through one ONNX file and the model's own tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ml_backend.encoders.folders import Bert

LONGEST = 8
"""Characters of a text for each token that is read: what follows cannot matter."""


class Session:
    """Thread-safe. One thread computes a call: several callers side by side are faster than several threads a call."""

    def __init__(self, bert: Bert, file: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self._bert = bert
        self._tokenizer = Tokenizer.from_file(str(bert.folder / "tokenizer.json"))
        self._tokenizer.no_padding()  # folders come with padding to a fixed length, and with limits of their own
        self._tokenizer.enable_truncation(bert.longest)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) float32 with unit rows; all texts in one batch, padded to the longest."""
        return self._run(texts, ["vectors"])[0]

    def watched(self, text: str) -> dict[str, np.ndarray]:
        """Name of a matrix -> (tokens, k), what it is applied to, of a graph built `watched`."""
        names = [name for name in self._outputs if name != "vectors"]
        seen = self._run([text], names)
        return {name.removeprefix("watched "): states[0] for name, states in zip(names, seen, strict=True)}

    def _run(self, texts: Sequence[str], outputs: list[str]) -> list[np.ndarray]:
        read = [text[: LONGEST * self._bert.longest] for text in texts]
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(read)]
        width = max(map(len, tokens))
        ids = np.full((len(tokens), width), self._bert.pad, np.int32)
        mask = np.zeros((len(tokens), width), np.int32)
        for row, own in enumerate(tokens):
            ids[row, : len(own)] = own
            mask[row, : len(own)] = 1
        return list(self._session.run(outputs, {"input_ids": ids, "attention_mask": mask}))
