"""`tiebreak worker --check`, the health check of a worker's container."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from rq.utils import utcformat

from ml_backend.jobs import TiebreakWorker
from ml_backend.labeling.errors import QueueUnavailable
from ml_backend.queues import Jobs
from ml_backend.settings import Settings
from ml_backend.valkey import Valkey
from sdk_scripts.worker_check import FRESH_SECONDS, living_worker
from tests.unit.serving.running import environment, free_port


def test_a_worker_that_is_there_lives_until_it_leaves(queue_settings: Settings) -> None:
    with pytest.raises(QueueUnavailable, match="No worker runs on"):
        living_worker(queue_settings)
    with Jobs(queue_settings) as jobs:
        worker = TiebreakWorker(jobs)
        worker.register_birth()
        command = [sys.executable, "-c", "from sdk_scripts.cli import main; main()", "worker", "--check"]
        checked = subprocess.run(command, env=environment(queue_settings), capture_output=True, text=True, timeout=60)
        assert (checked.returncode, checked.stdout) == (0, f"{worker.name} lives.\n")
        worker.register_death()
        with pytest.raises(QueueUnavailable):
            living_worker(queue_settings)


def test_one_whose_heart_stopped_or_that_runs_elsewhere_does_not_count(queue_settings: Settings) -> None:
    with Jobs(queue_settings) as jobs:
        worker = TiebreakWorker(jobs)
        worker.register_birth()
        assert living_worker(queue_settings) == worker.name
        late = datetime.now(UTC) - timedelta(seconds=FRESH_SECONDS + 1)
        jobs.redis.hset(worker.key, "last_heartbeat", utcformat(late))
        with pytest.raises(QueueUnavailable, match="no sign of life for 61 s"):
            living_worker(queue_settings)
        worker.heartbeat()
        jobs.redis.hset(worker.key, "hostname", "another-container")
        with pytest.raises(QueueUnavailable, match="No worker runs on"):
            living_worker(queue_settings)


def test_the_password_of_redis_may_stand_beside_its_url(valkey: Valkey, queue_settings: Settings) -> None:
    password, address = valkey.url.removeprefix("redis://:").split("@")
    bare = {"redis_url": SecretStr(f"redis://{address}"), "redis_password": SecretStr(password)}
    with Jobs(queue_settings.model_copy(update=bare)) as jobs:
        assert jobs.redis.ping()
    wrong = {"redis_url": SecretStr(valkey.url), "redis_password": SecretStr("wrong")}
    with Jobs(queue_settings.model_copy(update=wrong)) as jobs:
        assert jobs.redis.ping()  # the URL's own comes first
    with pytest.raises(QueueUnavailable):
        living_worker(queue_settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")}))
