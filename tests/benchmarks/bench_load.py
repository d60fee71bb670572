"""Many annotators on a live Label Studio, with and without Tiebreak, and with the official server's own example.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_load.py [--annotators 50] [--tasks 2000] [--seconds 48] [--think 8]

Every annotator has an account of their own, and does what Label Studio's screen does (see crowd.py), with `--think`
seconds for a task. The conditions take turns, `--seconds` each in all, on projects with the same tasks:

    alone      no backend, no webhook
    peer       label-studio-ml's text classifier (see peer_server.py), which only predicts
    tiebreak   connected by `tiebreak sync`; a worker trains and pushes predictions as labels come
    training   the same, and whenever no training runs, one is asked for

Label Studio runs on SQLite, in one Python process: trust the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from ml_backend.labeling.results import project_key
from ml_backend.model_registry import ModelRegistry
from ml_backend.queues import Jobs
from ml_backend.studio import Studio
from sdk_scripts.embedded import Stack
from sdk_scripts.processes import free_port
from tests.benchmarks.crowd import Crowd, Window
from tests.benchmarks.live import connected, items, memory, project, say, signed_up, stack, texts, until
from tests.benchmarks.peer_server import train as train_peer

LABELLED = 100
"""Tasks that have their label from the start."""
ROUNDS = 2
SETTLED_SECONDS = 900.0
STEPS = ("open", "submit")
PERCENTILES = (50, 95, 99)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--annotators", type=int, default=50)
    asked.add_argument("--tasks", type=int, default=2_000, help="of each project")
    asked.add_argument("--seconds", type=float, default=48.0, help="of each condition")
    asked.add_argument("--think", type=float, default=8.0, help="mean seconds that an annotator looks at a task")
    given = asked.parse_args()
    with stack() as running:
        say(f"Signing up {given.annotators} annotators …")
        people = [signed_up(running, who) for who in range(given.annotators)]
        folder, rows = running.settings.home / "benchmark", texts(given.tasks)
        folder.mkdir()
        crowd = Crowd(running.settings.studio_url, people, dict(rows), given.think)
        with _peer(running, folder, rows) as peer, Jobs(running.settings) as jobs:
            windows, done = _measure(running, jobs, crowd, rows, peer, given.seconds)
            sizes = ", ".join(f"{name} {size:.0f} MB" for name, size in memory(running).items())
    _print(windows)
    sys.stdout.write(
        f"\n{given.annotators} annotators, {given.tasks} tasks a project, {given.think:g} s of thought a task, "
        f"{given.seconds:g} s a condition. {done} {sizes}.\n"
    )


def _measure(
    running: Stack, jobs: Jobs, crowd: Crowd, rows: list[tuple[str, str]], peer: str, seconds: float
) -> tuple[dict[str, Window], str]:
    """What each condition was like, and what Tiebreak did meanwhile."""
    studio, registry = Studio.connect(running.settings), ModelRegistry(running.settings.models)
    alone, theirs = project(studio, "Alone"), project(studio, "Peer")
    ours = connected(running, running.settings.home / "benchmark" / "ours", "Ours")
    studio.add_backend(theirs, {"url": peer, "title": "Peer"})
    for id in (alone, theirs, ours):
        studio.import_tasks(id, items(rows, LABELLED))
    key = project_key(studio.project(ours))

    def settle() -> tuple[int, int]:
        """Until Tiebreak has nothing left to do: versions so far, and predictions pushed."""
        jobs.wait(jobs.request_training(key, ours))
        until(lambda: not jobs.prelabels(key, registry.live(key) or ""), SETTLED_SECONDS, "the last predictions")
        return len(list(registry.versions(key))), sum(studio.model_versions(ours).values())

    before = after = settle()
    conditions: dict[str, tuple[int, Callable[[], object]]] = {
        "alone": (alone, lambda: None),
        "peer": (theirs, lambda: None),
        "tiebreak": (ours, lambda: None),
        "training": (ours, lambda: jobs.request_training(key, ours)),
    }
    windows = {name: Window() for name in conditions}
    for turn in range(ROUNDS):
        for name, (id, keep) in conditions.items():
            say(f"{name}, {turn + 1} of {ROUNDS} …")
            asyncio.run(crowd.label(id, seconds / ROUNDS, windows[name], keep))
        after = settle()
    versions, predictions = (now - then for then, now in zip(before, after, strict=True))
    return windows, f"Meanwhile Tiebreak trained {versions} versions and pushed {predictions} predictions."


@contextmanager
def _peer(running: Stack, folder: Path, rows: list[tuple[str, str]]) -> Iterator[str]:
    """Address of the peer, which has learned from the same labels."""
    known = rows[:LABELLED]
    train_peer(folder / "peer", [text for text, _ in known], [label for _, label in known])
    port = free_port()
    script = Path(__file__).with_name("peer_server.py")
    child = running.supervisor.start("peer", [sys.executable, script, str(port), folder / "peer"])
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code == 200
        return False

    running.supervisor.wait_ready(child, answers, seconds=120)
    yield url


def _print(windows: dict[str, Window]) -> None:
    """Milliseconds by step and percentile, and how many times as long as alone."""
    heads = [f"{step} p{percent}" for step in STEPS for percent in PERCENTILES]
    lines = [["ms", *heads, "tasks a minute", "errors"], ["---", *["--:"] * (len(heads) + 1), "---"]]
    for name, window in windows.items():
        found = [window.percentile(step, percent) for step in STEPS for percent in PERCENTILES]
        errors = ", ".join(f"{count} {what}" for what, count in window.errors.most_common()) or "none"
        lines.append([name, *(f"{it:.0f}" for it in found), f"{window.a_minute():.0f}", errors])
    base = windows["alone"]
    for name, window in windows.items():
        if window is not base:
            ratios = [window.percentile(*it) / base.percentile(*it) for it in _cells()]
            share = window.a_minute() / base.a_minute()
            lines.append([f"{name} / alone", *(f"{it:.2f}" for it in ratios), f"{share:.2f}", ""])
    sys.stdout.write("\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")


def _cells() -> Iterator[tuple[str, float]]:
    return ((step, percent) for step in STEPS for percent in PERCENTILES)


if __name__ == "__main__":
    main()
