"""The backend beside the official server with its own example of a text classifier (see peer_server.py).

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_serving.py [--tasks 1000] [--seconds 4]

Both have learned from the same 2,000 made-up reviews, and get the same bodies, with tasks as large as Label Studio's.
The figures are medians of three windows that take turns. While `/setup` and `/webhook` of ours are timed, a training
runs in a process beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np

from ml_backend.encoder import load_encoder
from ml_backend.logs import set_up_logs
from ml_backend.model_registry import ModelRegistry
from ml_backend.settings import load_settings
from ml_backend.training import train
from tests.benchmarks.peer_server import train as train_peer
from tests.unit.learning.reviews import SENTIMENT, choice, reviews, task
from tests.unit.serving.running import free_port

KEY = "7.1795381865"
PROJECT = {"id": 7, "created_at": "2026-11-22T21:11:05.953710Z", "label_config": SENTIMENT.xml}
PEOPLE = 16
LEARNED = 2_000
TASK: dict[str, Any] = {
    "meta": {},
    "created_at": "2026-11-22T21:11:06.177385Z",
    "updated_at": "2026-11-22T21:11:06.177425Z",
    "is_labeled": False,
    "overlap": 1,
    "inner_id": 1,
    "total_annotations": 0,
    "cancelled_annotations": 0,
    "total_predictions": 0,
    "comment_count": 0,
    "unresolved_comment_count": 0,
    "last_comment_updated_at": None,
    "project": 7,
    "updated_by": None,
    "file_upload": None,
    "comment_authors": [],
    "annotations": [],
    "predictions": [],
}
"""What Label Studio sends of every task beside its data."""
ROOT = Path(__file__).parents[2]


def main() -> None:
    set_up_logs("ERROR")  # stdout is for the figures
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--tasks", type=int, default=1_000)
    asked.add_argument("--seconds", type=float, default=4.0, help="of each window")
    asked.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.train:
        _train(given.train, 600)
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _train(home, LEARNED)
        train_peer(home / "peer", *_texts(LEARNED, 1))
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TIEBREAK_HOME": folder}
        uvicorn = [sys.executable, "-m", "uvicorn", "--factory", "ml_backend.app:create_app", "--log-level", "error"]
        script = str(Path(__file__).with_name("peer_server.py"))
        began = time.perf_counter()
        with _running([*uvicorn, "--port", "{port}", "--no-access-log"], environment, home / "ours.log") as ours:
            ready = time.perf_counter() - began
            waits = _while_training(ours, environment)
            command = [sys.executable, script, "{port}", str(home / "peer")]
            with _running(command, environment, home / "peer.log") as peer:
                measured = _compared({"ours": ours, "peer": peer}, _texts(given.tasks, 2)[0], given.seconds)
    say = sys.stdout.write
    say(f"{'':36}{'ours':>10}{'peer':>10}{'ratio':>8}\n")
    for name, value in measured["ours"].items():
        other = measured["peer"][name]
        say(f"{name:36}{value:10.1f}{other:10.1f}{value / other:8.2f}\n")
    say(f"ready after {ready:.1f} s\n")
    for path, seconds in waits.items():
        say(f"{path} while a training runs: p50 {_ms(seconds, 50):.0f} ms, p99 {_ms(seconds, 99):.0f} ms\n")


def _compared(servers: dict[str, httpx.Client], texts: Sequence[str], seconds: float) -> dict[str, dict[str, float]]:
    """Medians of three windows, in turns."""
    measured: dict[str, dict[str, float]] = {}
    windows: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
    for name, server in servers.items():
        server.post("/setup", json={"project": KEY, "schema": SENTIMENT.xml, "hostname": "", "access_token": ""})
        with _Caller(server.base_url.port or 0) as caller:
            began = time.perf_counter()
            caller.predict(_body(texts), len(texts))
            measured[name] = {f"{len(texts)} new texts, tasks/s": len(texts) / (time.perf_counter() - began)}
    for _ in range(3):
        for name, server in servers.items():
            windows[name].append(_window(server.base_url.port or 0, texts, seconds))
    for name, found in windows.items():
        measured[name] |= {figure: median(it[figure] for it in found) for figure in found[0]}
    return measured


def _train(home: Path, count: int) -> None:
    settings = load_settings(home=home)
    tasks = [
        task(id, {"text": text}, [choice("sentiment", label)])
        for id, (text, label) in enumerate(zip(*_texts(count, 1), strict=True), 1)
    ]
    train(KEY, SENTIMENT, tasks, load_encoder(settings), ModelRegistry(settings.models))


@contextmanager
def _running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[httpx.Client]:
    port = free_port()
    with log.open("wb") as output:
        filled = [part.format(port=port) for part in command]
        server = subprocess.Popen(filled, env=environment, stdout=output, stderr=output)
    limits = httpx.Limits(max_connections=PEOPLE + 4)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300, trust_env=False, limits=limits) as client:
            while True:
                if server.poll() is not None:
                    raise SystemExit(log.read_text())
                try:
                    if client.get("/health").json().get("ready", True):
                        break
                except httpx.TransportError:
                    time.sleep(0.05)
            yield client
    finally:
        server.terminate()
        server.wait(30)


def _window(port: int, texts: Sequence[str], seconds: float) -> dict[str, float]:
    """One window of requests with all the texts, and one of people who open a task each, again and again."""
    with _Caller(port) as caller:
        body = _body(texts)
        caller.predict(body, len(texts))
        done, began = 0, time.perf_counter()
        while (took := time.perf_counter() - began) < seconds:
            caller.predict(body, len(texts))
            done += len(texts)
    waits: list[float] = []
    until = time.perf_counter() + seconds

    def annotate(person: int) -> None:
        body = _body([texts[person]])
        with _Caller(port) as caller:
            while (began := time.perf_counter()) < until:
                caller.predict(body, 1)
                waits.append(time.perf_counter() - began)

    with ThreadPoolExecutor(PEOPLE) as people:
        list(people.map(annotate, range(PEOPLE)))
    return {
        f"{len(texts)} seen texts, tasks/s": done / took,
        f"{PEOPLE} at once, seen, requests/s": len(waits) / seconds,
        f"{PEOPLE} at once, seen, p99 ms": _ms(waits, 99),
    }


class _Caller:
    """One connection, kept where the server keeps it. Costs little, so that the server is what is measured: bodies are
    made beforehand, and of an answer only the number of items is looked at."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=300)

    def __enter__(self) -> _Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def predict(self, body: bytes, count: int) -> None:
        self._connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        if response.status != 200 or response.read().count(b'"score"') < count:
            raise SystemExit("answers are missing")


def _body(texts: Sequence[str]) -> bytes:
    """As Label Studio sends it."""
    tasks = [{"id": number, "data": {"text": text}, **TASK} for number, text in enumerate(texts, 1)]
    params = {"login": None, "password": None, "context": None}
    return json.dumps({"tasks": tasks, "project": KEY, "label_config": SENTIMENT.xml, "params": params}).encode()


def _texts(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Different reviews of some 40 words, most of them made up and as often as words are (Zipf), and their labels."""
    source = random.Random(seed)
    syllables = [a + b for a in "bcdfglmnprst" for b in ("a", "e", "i", "o", "u", "an", "er", "ing")]
    spelling = random.Random(0)
    lexicon = ["".join(spelling.choices(syllables, k=spelling.randint(1, 4))) for _ in range(8_000)]
    weights = list(accumulate(1 / rank for rank in range(1, len(lexicon) + 1)))
    known = reviews(400)
    picked = [known[number % len(known)] for number in range(count)]
    texts = [f"{text} {' '.join(source.choices(lexicon, cum_weights=weights, k=30))}." for text, _ in picked]
    return texts, [label for _, label in picked]


def _while_training(client: httpx.Client, environment: dict[str, str]) -> dict[str, list[float]]:
    command = [sys.executable, __file__, "--train", environment["TIEBREAK_HOME"]]
    training = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    hint = {"action": "ANNOTATION_CREATED", "annotation": {"id": 1, "result": []}, "project": PROJECT}
    bodies: dict[str, Any] = {"/setup": {"project": KEY, "schema": SENTIMENT.xml}, "/webhook": hint}
    waits: dict[str, list[float]] = {path: [] for path in bodies}
    over = threading.Event()
    threading.Thread(target=lambda: (training.wait(), over.set()), daemon=True).start()
    while not over.wait(0.02):
        for path, body in bodies.items():
            began = time.perf_counter()
            client.post(path, json=body).raise_for_status()
            waits[path].append(time.perf_counter() - began)
    return waits


def _ms(seconds: list[float], percentile: float) -> float:
    return float(np.percentile(seconds, percentile)) * 1000


if __name__ == "__main__":
    main()
