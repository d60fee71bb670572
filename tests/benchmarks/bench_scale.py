"""How much more 2 and 4 workers do than one, on this machine.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_scale.py [--workers 1 2 4] [--shards 8]

Real workers (`tiebreak worker`) and a Valkey of their own take jobs from the product's queue. Three kinds of work:

- wait: shards of pre-labeling whose model answers 100 ms a task later, one after the other, as a large model elsewhere
- encode: shards of pre-labeling by the packaged encoder, texts that no cache knows
- train: trainings of as many projects, 400 labels each

Predictions go to files: what Label Studio itself can store a second is no matter of workers. Takes about four minutes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from ml_backend import queues
from ml_backend.encoder import load_encoder
from ml_backend.jobs import job_settings
from ml_backend.logs import set_up_logs
from ml_backend.queues import Jobs
from ml_backend.settings import Settings, load_settings
from ml_backend.valkey import Valkey
from tests.scale.work import Slow, Store
from tests.unit.learning.reviews import SENTIMENT, labelled
from tests.unit.serving.running import WORKS_FOR_TESTS, environment

ROOT = Path(__file__).parents[2]
WAITED, ENCODED, LABELS = 40, 300, 400
SECONDS_A_TASK = 0.1
LIMIT_SECONDS = 120.0
"""For one measurement."""
KINDS = {"wait": WAITED, "encode": ENCODED, "train": 1}
"""Kind of work -> its units a job: tasks, or trainings."""


def main() -> None:
    set_up_logs("ERROR")  # stdout is for the figures
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    asked.add_argument("--shards", type=int, default=8)
    given = asked.parse_args()
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder, Valkey(Path(folder) / "valkey") as valkey:
        settings = load_settings(home=Path(folder), redis_url=SecretStr(valkey.url))
        load_encoder(settings).dimension  # noqa: B018  # converts it once, which is not what is measured
        for count in given.workers:
            with Jobs(settings) as jobs, workers(settings, count):
                until(lambda: jobs.workers() == count)  # noqa: B023  # called before the next one
                for kind, units in KINDS.items():
                    seconds = measure(jobs, kind, given.shards, count)
                    rates[kind].append(given.shards * units / seconds)
    print(table(given.workers, rates))  # noqa: T201


def table(counts: Sequence[int], rates: dict[str, list[float]]) -> str:
    heads = [f"{count} worker{'s' * (count > 1)}" for count in counts]
    lines = [
        f"| work ({os.cpu_count()} cores) | {' | '.join(heads)} | most to least |",
        "|---" * (len(heads) + 2) + "|",
    ]
    names = {"wait": "pre-labeling, 100 ms of waiting a task (tasks/s)", "encode": "pre-labeling, encoder (tasks/s)"}
    for kind, found in rates.items():
        shown = " | ".join(f"{rate:.3g}" for rate in found)
        lines.append(f"| {names.get(kind, 'training (projects/s)')} | {shown} | {found[-1] / found[0]:.2f} × |")
    return "\n".join(lines)


@contextmanager
def workers(settings: Settings, count: int) -> Iterator[None]:
    command = [sys.executable, "-c", WORKS_FOR_TESTS, "worker"]
    env = environment(settings) | {"TIEBREAK_LOG_LEVEL": "ERROR", "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for worker in started:
            worker.kill()  # its jobs go with it
            worker.wait(60)


def measure(jobs: Jobs, kind: str, shards: int, run: int) -> float:
    """Seconds from asking to the end of the last job."""
    queues.SHARD_JOB = f"tests.benchmarks.bench_scale.{kind}_job"
    version = f"run{run}"
    began = time.perf_counter()
    ids = [jobs.request_shard(f"{at + 1}.1795381865", at + 1, version, (1, KINDS[kind])) for at in range(shards)]
    until(lambda: not any(jobs.fetch(id) for id in ids))
    return time.perf_counter() - began


def until(holds: Any) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"It took longer than {LIMIT_SECONDS:.0f} s: give fewer --shards.")
        time.sleep(0.02)


def wait_job(project_id: int, version: str, first: int, last: int, only_missing: bool) -> None:
    _shard(project_id, "v1", (first, last), Slow("v1", SECONDS_A_TASK))


def encode_job(project_id: int, version: str, first: int, last: int, only_missing: bool) -> None:
    from sdk_scripts.prelabel import _predictor

    predictor = _predictor(job_settings())
    _shard(project_id, predictor.model_version(_key(project_id), SENTIMENT), (first, last), predictor, salt=version)


def train_job(project_id: int, version: str, first: int, last: int, only_missing: bool) -> None:
    from ml_backend.model_registry import ModelRegistry
    from ml_backend.training import train

    settings = job_settings()
    with Jobs(settings) as jobs, jobs.state(_key(project_id)).working() as ours:
        seed = 100 * int(version.removeprefix("run")) + project_id
        examples = labelled(LABELS, seed)
        train(
            _key(project_id),
            SENTIMENT,
            examples,
            load_encoder(settings),
            ModelRegistry(settings.models),
            promote=ours.still_ours,
        )


def _shard(project_id: int, version: str, shard: tuple[int, int], predictor: Any, salt: str = "") -> None:
    from ml_backend.prelabel_state import PrelabelState
    from sdk_scripts.prelabel import Run, predict_shard

    class Texts(Store):
        """Files for nothing: every run predicts all of it."""

        def tasks_without(self, *_: Any, **__: Any) -> Iterator[dict[str, Any]]:
            for id in range(shard[0], shard[1] + 1):
                yield {"id": id, "data": {"text": f"My phone number {id} of {project_id} {salt} broke after a day."}}

        def import_predictions(self, project: int, predictions: Sequence[Any]) -> int:
            return len(predictions)

    with Jobs(job_settings()) as jobs:
        key = _key(project_id)
        run = Run(Texts(), {"id": project_id}, SENTIMENT, key, version, predictor, PrelabelState(jobs.redis, key))  # type: ignore[arg-type]  # of them it asks no more
        predict_shard(run, shard)


def _key(project_id: int) -> str:
    return f"{project_id}.1795381865"


if __name__ == "__main__":
    main()
