"""Who may write to Redis can make workers do their own work, and nothing else; what lies there is never unpickled."""

from __future__ import annotations

import json
import pickle
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq.serializers import JSONSerializer

import ml_backend
from ml_backend.jobs import TiebreakWorker
from ml_backend.known_jobs import KnownJob
from ml_backend.queues import WORK_QUEUE, Jobs
from ml_backend.settings import Settings
from ml_backend.valkey import Valkey

ROOT = Path(ml_backend.__file__).parents[1]
RUN: list[Any] = []


def told_job(*args: Any) -> None:
    RUN.append(args)


class InThisProcess(TiebreakWorker):
    """The worker, whose jobs are run without a fork."""

    def execute_job(self, job: KnownJob, queue: Any) -> None:  # type: ignore[override]
        execution = self.prepare_execution(job)
        self.prepare_job_execution(job)
        self.perform_job(job, queue, execution)

    def _install_signal_handlers(self) -> None:
        pass


def work_off(jobs: Jobs) -> None:
    worker = InThisProcess(jobs)
    worker.work(burst=True, logging_level="CRITICAL", with_scheduler=False)


@pytest.mark.parametrize(
    "function",
    [
        "os.system",
        "builtins.eval",
        "subprocess.run",
        f"{__name__}.told_job",
        "ml_backend.jobs.os.system",
        "sdk_scripts.x",
    ],
)
def test_a_job_that_names_another_function_fails_unrun(queue_settings: Settings, tmp_path: Path, function: str) -> None:
    ran = tmp_path / "ran"
    with Jobs(queue_settings) as jobs:
        queue = jobs.queue(WORK_QUEUE)
        job = queue.enqueue(function, f"touch {ran}", job_id="theirs")
        work_off(jobs)
        assert job.get_status(refresh=True) == "failed"
        assert "no job of Tiebreak's" in (job.latest_result().exc_string or "")
    assert not ran.exists()
    assert not RUN


@pytest.mark.parametrize("instance", ["text", ["list"], {"a": 1}])
def test_a_job_that_names_a_method_of_something_fails_unrun(queue_settings: Settings, instance: Any) -> None:
    with Jobs(queue_settings) as jobs:
        job = jobs.queue(WORK_QUEUE).enqueue("ml_backend.jobs.reconcile_job", job_id="theirs")
        data = zlib.compress(JSONSerializer.dumps(["format", instance, ["{0.__class__}"], {}]))
        jobs.redis.hset(job.key, "data", data)
        work_off(jobs)
        assert job.get_status(refresh=True) == "failed"


def test_callbacks_and_webhooks_in_a_job_are_not_followed(queue_settings: Settings) -> None:
    callback = f"{__name__}.told_job"
    with Jobs(queue_settings) as jobs:
        job = jobs.queue(WORK_QUEUE).enqueue("os.system", "true", job_id="theirs")
        named = dict.fromkeys(("success", "failure", "stopped"), callback)
        jobs.redis.hset(job.key, mapping={f"{name}_callback_name": function for name, function in named.items()})
        webhook = {"url": "http://127.0.0.1:1/", "job_status": "failed", "method": "GET", "headers": None, "timeout": 1}
        jobs.redis.hset(job.key, "webhooks", json.dumps([webhook]))
        found = KnownJob.fetch("theirs", connection=jobs.redis, serializer=JSONSerializer)
        assert (found.success_callback, found.failure_callback, found.stopped_callback) == (None, None, None)
        assert found.webhooks == []
        work_off(jobs)
        assert job.get_status(refresh=True) == "failed"
    assert not RUN


def test_a_pickle_in_a_job_is_not_read(queue_settings: Settings, tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (ran,)

    with Jobs(queue_settings) as jobs:
        job = jobs.queue(WORK_QUEUE).enqueue("ml_backend.jobs.reconcile_job", job_id="theirs")
        jobs.redis.hset(job.key, mapping={"data": zlib.compress(pickle.dumps(Bomb())), "meta": pickle.dumps(Bomb())})
        work_off(jobs)
    assert not ran.exists()


def test_every_job_that_the_product_names_is_one_that_workers_run(valkey: Valkey) -> None:
    named = re.compile(r"\"((?:ml_backend|sdk_scripts)\.[\w.]+_job)\"")
    files = (*ROOT.glob("ml_backend/**/*.py"), *ROOT.glob("sdk_scripts/**/*.py"))
    found = {name for file in files for name in named.findall(file.read_text())}
    assert {"ml_backend.jobs.train_job", "sdk_scripts.prelabel_jobs.shard_job"} <= found
    for name in found:
        job = KnownJob.create(name, connection=Redis.from_url(valkey.url), serializer=JSONSerializer)
        assert callable(job.func), name
