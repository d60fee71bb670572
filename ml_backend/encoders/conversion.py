"""A model folder -> an int8 ONNX file beside the other things Tiebreak keeps, made once and checked.

The float32 graph must give sentence-transformers' vectors to 1e-4, and the int8 one the float32 graph's to a mean
cosine of 0.99; else the next best is kept: float32, or a note that sentence-transformers must do it. Which one it is,
is found once, in a process of its own (torch takes half a gigabyte), and written down with the file's hash.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import structlog
from filelock import FileLock

from ml_backend.encoders.bert_graph import Ranges, build
from ml_backend.encoders.folders import Bert, read_bert
from ml_backend.encoders.onnx_session import Session
from ml_backend.encoders.sample_texts import sample_texts
from ml_backend.labeling.errors import ModelUnavailable

log = structlog.stdlib.get_logger()

VERSION = 1
"""Raised when the same folder would now give other vectors; part of the encoder's id."""
EXACT = 1e-4
LEAST_COSINE = 0.99
LOCK_SECONDS = 600


@dataclass(frozen=True)
class Converted:
    precision: str
    """int8, float32, or none: then there is no file, and sentence-transformers must do it."""
    why: str
    sha256: str = ""


def converted(bert: Bert, target: Path) -> tuple[Converted, Path]:
    """What became of the folder, and where model.onnx is: in `target`, else in a folder that goes with this process.

    One process converts, others wait for it. Raises ModelUnavailable where the conversion breaks off.
    """
    if found := _read(target):
        return found, target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock", timeout=LOCK_SECONDS):
            return _read(target) or _convert_apart(bert.root, target), target
    except OSError as error:
        log.warning("the converted encoder cannot be kept", folder=str(target), why=str(error))
        own = tempfile.mkdtemp(prefix="tiebreak-encoder-")
        atexit.register(shutil.rmtree, own, ignore_errors=True)
        return _convert_apart(bert.root, Path(own) / target.name), Path(own) / target.name


def _read(folder: Path) -> Converted | None:
    """What is in the folder; None where that is nothing, or damaged."""
    try:
        found = Converted(**json.loads((folder / "converted.json").read_text()))
        if found.precision != "none" and _sha256(folder / "model.onnx") != found.sha256:
            raise ValueError("model.onnx does not match its hash")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        log.warning("the converted encoder is damaged", folder=str(folder), why=str(error))
        return None
    return found


def _convert_apart(folder: Path, target: Path) -> Converted:
    log.info("converting the encoder, once", model=str(folder), to=str(target))
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(folder), str(target)],
            env={**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
            capture_output=True,
            text=True,
            check=True,
            timeout=LOCK_SECONDS,
        )
        found = _read(target)
    except subprocess.SubprocessError as error:
        told = getattr(error, "stderr", None)
        why = told.strip().splitlines()[-1] if isinstance(told, str) and told.strip() else str(error)
        raise ModelUnavailable(
            f"The encoder {folder} cannot be converted: {why}",
            mend="Mend what it says, or set TIEBREAK_ENCODER_RUNTIME=torch.",
        ) from None
    if found is None:
        raise ModelUnavailable(f"The converted encoder in {target} cannot be read.", mend=done.stderr[-500:])
    log.info("converted the encoder", precision=found.precision, why=found.why)
    return found


def convert(folder: Path, target: Path) -> Converted:
    """Convert in this process, and put the result at `target` in one move."""
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        found = _best(read_bert(folder), folder, draft / "model.onnx")
        (draft / "converted.json").write_text(json.dumps(asdict(found), indent=1))
        shutil.rmtree(target, ignore_errors=True)
        draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return found


def _best(bert: Bert, folder: Path, file: Path) -> Converted:
    texts = sample_texts()
    try:
        file.write_bytes(build(bert, watched=True).SerializeToString())
        exact, ranges = _watch(Session(bert, file), texts)
    except Exception as error:  # weights under other names, shapes that do not fit, operators that are not there
        return Converted("none", f"no graph could be made of it: {error}")
    finally:
        file.unlink(missing_ok=True)
    expected = _plain_vectors(folder, texts)
    if (off := float(np.abs(exact - expected).max())) > EXACT:
        return Converted("none", f"the graph's vectors are off by {off:.1g}")
    file.write_bytes(build(bert, ranges).SerializeToString())
    cosine = float((Session(bert, file).vectors(texts) * expected).sum(axis=1).mean())
    if cosine >= LEAST_COSINE:
        return Converted("int8", f"mean cosine {cosine:.4f} to float32, which is off by {off:.1g}", _sha256(file))
    file.write_bytes(build(bert).SerializeToString())
    return Converted("float32", f"in int8 the mean cosine would be {cosine:.4f}", _sha256(file))


def _plain_vectors(folder: Path, texts: Sequence[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False).astype(np.float32)


def _watch(session: Session, texts: Sequence[str]) -> tuple[np.ndarray, Ranges]:
    """The vectors, computed in padded batches, and the ranges of what every matrix is applied to, padding left out."""
    vectors = session.vectors(texts)
    ranges: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for text in texts:
        for name, seen in session.watched(text).items():
            low, high = seen.min(axis=0), seen.max(axis=0)
            before = ranges.get(name, (low, high))
            ranges[name] = np.minimum(low, before[0]), np.maximum(high, before[1])
    return vectors, ranges


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
