"""A large project on a live Label Studio: what each command and job costs, and whether people can still work.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_large_project.py [--tasks 100000] [--labelled 2000]

Short made-up texts, of which some are labelled. Commands run as a user runs them, jobs in the worker. Of each step:
seconds, tasks a second, and the processor seconds of Label Studio (SQLite, one Python process) and of Tiebreak
(worker, backend, command), so that it shows whose time it is. Then what people wait for who label meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import numpy as np
import psutil

from ml_backend.labeling.results import project_key
from ml_backend.queues import Jobs
from ml_backend.reconciler import reconcile
from ml_backend.studio import Studio
from sdk_scripts.embedded import Stack, environment
from sdk_scripts.manifest_schema import TASK_KEY
from tests.benchmarks.crowd import Crowd, Window
from tests.benchmarks.live import connected, items, memory, say, signed_up, stack, texts, until
from tests.unit.learning.reviews import SENTIMENT, choice

ANNOTATORS = 5
THINK = 4.0
WATCHED_SECONDS = 30.0
SUBMITTED = 20
ASKED = 200
JOB_SECONDS = 3600.0
TIEBREAK = (sys.executable, "-P", "-c", "from sdk_scripts.cli import main; main()")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--tasks", type=int, default=100_000)
    asked.add_argument("--labelled", type=int, default=2_000)
    given = asked.parse_args()
    with stack() as running, Jobs(running.settings) as jobs:
        say(f"Signing up {ANNOTATORS} annotators …")
        people = [signed_up(running, who) for who in range(ANNOTATORS)]
        _Bench(running, jobs, given.tasks, given.labelled, people).run()


class _Bench:
    def __init__(self, running: Stack, jobs: Jobs, tasks: int, labelled: int, people: list[str]) -> None:
        self.running, self.jobs, self.count, self.labelled = running, jobs, tasks, labelled
        self.studio = Studio.connect(running.settings)
        self.rows = texts(tasks)
        self.crowd = Crowd(running.settings.studio_url, people, dict(self.rows), THINK)
        self.folder = running.settings.home / "benchmark"
        self.folder.mkdir()
        self.lines: list[list[str]] = []
        self.windows: dict[str, Window] = {}
        self.id = 0

    def run(self) -> None:
        self._import()
        key = project_key(self.studio.project(self.id))
        self._watch("nothing else")
        with self._step("first training"):
            self.jobs.wait(self.jobs.request_training(key, self.id))
        with self._step("predictions of all tasks pushed by the worker", self.count), self._watched("a first push"):
            until(self._shown, JOB_SECONDS, "the first version's predictions")
        self._tiebreak("prelabel", str(self.id), of="prelabel, nothing to do")
        first = self._shown()
        self._submit()
        with self._step(f"training with {SUBMITTED} labels more"):
            self.jobs.wait(self.jobs.request_training(key, self.id))
        with self._step("predictions of the next version pushed", self.count), self._watched("the next push"):
            until(lambda: self._shown() not in ("", first), JOB_SECONDS, "the next version's predictions")
        self._tiebreak("sync", str(self.folder / "ours"), of="sync, nothing to do")
        with self._step("one look for lost webhooks"):
            reconcile(self.jobs, self.studio)
        out = str(self.folder / "report")
        with self._watched("a report that reads everything"):
            self._tiebreak("report", str(self.id), "--out", out, of="report, everything read")
        self._submit()
        self._tiebreak("report", str(self.id), "--out", out, of=f"report, {SUBMITTED} labels and a version later")
        self._tiebreak("hard-cases", str(self.id), of="hard-cases")
        waits = self._predict(key)
        self._print(waits)

    # ------------------------------------------------------------------------------------------------------- the steps

    def _import(self) -> None:
        """As `tiebreak sync --apply` does it; the labelled ones before, as from an earlier tool."""
        first = items(self.rows[: self.labelled], self.labelled)
        keyed = [{**it, "data": {**it["data"], "number": n, TASK_KEY: str(n)}} for n, it in enumerate(first)]
        self.id = connected(self.running, self.folder / "ours", "Large")
        self.studio.import_tasks(self.id, keyed)
        manifest = self.folder / "ours" / "project.yaml"
        lines = [json.dumps({"text": text, "number": n}) for n, (text, _) in enumerate(self.rows)]
        manifest.with_name("tasks.jsonl").write_text("\n".join(lines), "utf-8")
        manifest.write_text(f"{manifest.read_text()}tasks:\n  - {{file: tasks.jsonl, key: number}}\n")
        self._tiebreak("sync", str(manifest.parent), "--apply", of="sync --apply, tasks imported", tasks=self.count)

    def _shown(self) -> str:
        """The version whose predictions all tasks have; empty where there is none yet."""
        version = str(self.studio.project(self.id)["model_version"])
        done = version.startswith("few-shot") and not self.studio.count_without(self.id, version)
        return version if done else ""

    def _submit(self) -> None:
        for _ in range(SUBMITTED):
            task = self.studio.next_task(self.id)
            if task is not None:
                label = dict(self.rows)[task["data"]["text"]]
                self.studio.create_annotation(task["id"], {"result": [choice("sentiment", label)]})

    def _predict(self, key: str) -> list[float]:
        """Seconds of single tasks at the backend, one after the other."""
        settings = self.running.settings
        password = settings.backend_password.get_secret_value() if settings.backend_password else ""
        waits = []
        with httpx.Client(
            base_url=settings.backend_url or "", auth=(settings.backend_user or "", password), trust_env=False
        ) as client:
            for number in range(ASKED):
                tasks = [{"id": number, "data": {"text": self.rows[-1 - number][0]}}]
                began = time.perf_counter()
                body = {"tasks": tasks, "project": key, "label_config": SENTIMENT.xml}
                client.post("/predict", json=body, timeout=60).raise_for_status()
                waits.append(time.perf_counter() - began)
        return waits

    # ------------------------------------------------------------------------------------------------------- measuring

    @contextmanager
    def _step(self, name: str, tasks: int = 0, megabytes: Callable[[], float] | None = None) -> Iterator[None]:
        say(f"{name} …")
        before, began = self._processor_seconds(), time.perf_counter()
        yield
        took, after = time.perf_counter() - began, self._processor_seconds()
        theirs, ours = (after[place] - before[place] for place in (0, 1))
        rate = f"{tasks / took:,.0f}" if tasks else ""
        size = f"{megabytes():.0f}" if megabytes else ""
        self.lines.append([name, f"{took:.1f}", rate, f"{theirs:.1f}", f"{ours:.1f}", size])

    def _tiebreak(self, *command: str, of: str, tasks: int = 0) -> None:
        peak = 0.0
        with self._step(of, tasks, lambda: peak):
            done = subprocess.Popen(
                [*TIEBREAK, *command], env=environment(self.running.settings), stdout=subprocess.DEVNULL
            )
            _, status, used = os.wait4(done.pid, 0)
            done.returncode = os.waitstatus_to_exitcode(status)
            peak = used.ru_maxrss / 1024
            if done.returncode not in (0, 1):
                raise SystemExit(f"tiebreak {' '.join(command)} ended with {done.returncode}")

    def _processor_seconds(self) -> tuple[float, float]:
        """Of Label Studio, and of the rest of the stack with this process and the commands it ran."""
        spent = {"label-studio": 0.0, "": 0.0}
        for child in self.running.supervisor.children:
            process = psutil.Process(child.pid)
            for it in (process, *process.children(recursive=True)):
                times = it.cpu_times()
                spent[child.name if child.name in spent else ""] += sum(times[:4])
        mine = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return spent["label-studio"], spent[""] + sum(it.ru_utime + it.ru_stime for it in mine)

    def _watch(self, name: str, still: Callable[[], bool] = lambda: True) -> None:
        asyncio.run(self.crowd.label(self.id, WATCHED_SECONDS, self.windows.setdefault(name, Window()), still))

    @contextmanager
    def _watched(self, name: str) -> Iterator[None]:
        """People label meanwhile, for WATCHED_SECONDS or as long as it lasts."""
        lasts = threading.Event()
        lasts.set()
        beside = threading.Thread(target=self._watch, args=(name, lasts.is_set))
        beside.start()
        try:
            yield
        finally:
            lasts.clear()
            beside.join()

    def _print(self, waits: list[float]) -> None:
        heads = ["step", "s", "tasks/s", "Label Studio, CPU s", "Tiebreak, CPU s", "peak MB of the command"]
        rows = [heads, ["---", *["--:"] * (len(heads) - 1)], *self.lines]
        rows += [
            [],
            ["people label beside", "opening p50, p95 ms", "submitting p50, p95 ms", "tasks", "errors"],
            ["---"] * 5,
        ]
        for name, window in self.windows.items():
            times = [
                ", ".join(f"{window.percentile(step, percent):.0f}" for percent in (50, 95))
                for step in ("open", "submit")
            ]
            rows.append([name, *times, str(len(window.seconds["submit"])), str(window.errors.total())])
        for row in rows:
            sys.stdout.write(f"| {' | '.join(row)} |\n" if row else "\n")
        low, high = (float(np.percentile(waits, percent)) * 1000 for percent in (50, 99))
        sizes = ", ".join(f"{name} {size:.0f} MB" for name, size in memory(self.running).items())
        sys.stdout.write(f"\n/predict of one task: p50 {low:.1f} ms, p99 {high:.1f} ms. At the end: {sizes}.\n")


if __name__ == "__main__":
    main()
