"""The backend beside the official server with TF-IDF and logistic regression, from one run, each after the other.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_serving.py [--tasks 1000] [--seconds 5]

Both have learned from the same 200 made-up reviews. While `/setup` and `/webhook` of ours are timed, a training runs in
a process beside it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from ml_backend.encoder import load_encoder
from ml_backend.model_registry import ModelRegistry
from ml_backend.settings import load_settings
from ml_backend.training import train
from tests.unit.learning.reviews import SENTIMENT, labelled, reviews
from tests.unit.serving.running import free_port

KEY = "7.1795381865"
PROJECT = {"id": 7, "created_at": "2026-11-22T21:11:05.953710Z", "label_config": SENTIMENT.xml}
PEOPLE = 16
ROOT = Path(__file__).parents[2]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--tasks", type=int, default=1_000)
    asked.add_argument("--seconds", type=float, default=5.0)
    asked.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.train:
        _train(given.train, 600)
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _train(home, 200)
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TIEBREAK_HOME": folder}
        uvicorn = [sys.executable, "-m", "uvicorn", "--factory", "ml_backend.app:create_app", "--log-level", "error"]
        began = time.perf_counter()
        with _running([*uvicorn, "--port", "{port}"], environment, home / "ours.log") as ours:
            ready = time.perf_counter() - began
            measured = {"ours": _measure(ours, given.tasks, given.seconds)}
            waits = _while_training(ours, environment)
        (home / "peer").mkdir()
        script = str(Path(__file__).with_name("peer_server.py"))
        with _running([sys.executable, script, "{port}", str(home / "peer")], environment, home / "peer.log") as peer:
            measured["peer"] = _measure(peer, given.tasks, given.seconds)
    say = sys.stdout.write
    say(f"{'':36}{'ours':>10}{'peer':>10}{'ratio':>8}\n")
    for name, value in measured["ours"].items():
        other = measured["peer"][name]
        say(f"{name:36}{value:10.1f}{other:10.1f}{value / other:8.2f}\n")
    say(f"ready after {ready:.1f} s\n")
    for path, seconds in waits.items():
        say(f"{path} while a training runs: p50 {_ms(seconds, 50):.0f} ms, p99 {_ms(seconds, 99):.0f} ms\n")


def _train(home: Path, count: int) -> None:
    settings = load_settings(home=home)
    train(KEY, SENTIMENT, labelled(count), load_encoder(settings), ModelRegistry(settings.models))


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


def _measure(client: httpx.Client, count: int, seconds: float) -> dict[str, float]:
    client.post("/setup", json={"project": KEY, "schema": SENTIMENT.xml, "hostname": "", "access_token": ""})
    texts = [f"{text} ({number})" for number, (text, _) in enumerate(reviews(200) * (1 + count // 200))][:count]
    new = _rate(lambda: _predict(client, texts), count)
    seen = max(_rate(lambda: _predict(client, texts), count) for _ in range(3))
    took: list[float] = []
    until = time.perf_counter() + seconds

    def annotate(person: int) -> None:
        while time.perf_counter() < until:
            began = time.perf_counter()
            _predict(client, [texts[person]])
            took.append(time.perf_counter() - began)

    with ThreadPoolExecutor(PEOPLE) as people:
        list(people.map(annotate, range(PEOPLE)))
    return {
        f"{count} new texts, tasks/s": new,
        f"{count} seen texts, tasks/s": seen,
        f"{PEOPLE} at once, seen, requests/s": len(took) / seconds,
        f"{PEOPLE} at once, seen, p99 ms": _ms(took, 99),
    }


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


def _predict(client: httpx.Client, texts: list[str]) -> None:
    tasks = [{"id": number, "project": 7, "data": {"text": text}} for number, text in enumerate(texts)]
    body = {"tasks": tasks, "project": KEY, "label_config": SENTIMENT.xml, "params": {"context": None}}
    answer = client.post("/predict", json=body).raise_for_status().json()
    if len(answer["results"]) != len(texts):
        raise SystemExit("answers are missing")


def _rate(act: Callable[[], None], count: int) -> float:
    began = time.perf_counter()
    act()
    return count / (time.perf_counter() - began)


def _ms(seconds: list[float], percentile: float) -> float:
    return float(np.percentile(seconds, percentile)) * 1000


if __name__ == "__main__":
    main()
