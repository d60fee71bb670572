"""The real parts as processes, each of which can be killed and started again: Label Studio, Valkey, the backend and two
workers. Between them run wires: backend and workers reach Label Studio and Valkey through them, and Label Studio the
backend."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import redis
from pydantic import SecretStr
from rq import Worker

from ml_backend.queues import Jobs
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.valkey import Valkey
from sdk_scripts.processes import Supervisor, free_port
from tests.faults.wire import Wire
from tests.unit.serving.running import environment

USER, PASSWORD, SECRET = "tiebreak", "a-password-for-tests", "a-secret-for-tests"
WORKERS = ("worker-1", "worker-2")
READY_SECONDS = 180.0
ROOT = Path(__file__).parents[2]

SPEED = {
    "train_after_labels": 12,
    "train_after_seconds": 3.0,
    "cases_after_seconds": 2.0,
    "reconcile_seconds": 8.0,
    "studio_timeout": 20.0,
}
"""In production these are 20 labels, a minute and more: whatever is found by polling is found that much later."""


class Estate:
    """`settings` are what the parts see, through the wires; `direct` are the same without wires, for who watches."""

    def __init__(self, settings: Settings, supervisor: Supervisor, restart_studio: Callable[[], None] | None) -> None:
        """`settings` have a home, and Label Studio's address and token; `restart_studio` kills and starts it anew where
        that is ours to do."""
        self._supervisor = supervisor
        self._shift: dict[str, float] = {}
        self.restart_studio = restart_studio
        self.valkey = Valkey(settings.folder("valkey")).start()
        self.backend_port = free_port()
        self.to_studio = Wire(httpx.URL(settings.studio_url).port or 80)
        self.to_redis = Wire(httpx.URL(self.valkey.url).port or 6379)
        self.to_backend = Wire(self.backend_port)
        own = {
            **SPEED,
            "backend_user": USER,
            "backend_password": SecretStr(PASSWORD),
            "webhook_secret": SecretStr(SECRET),
            "backend_url": f"http://127.0.0.1:{self.to_backend.port}",
        }
        redis_url = httpx.URL(self.valkey.url)
        self.direct = settings.model_copy(update={**own, "redis_url": SecretStr(self.valkey.url)})
        self.settings = self.direct.model_copy(
            update={
                "studio_url": f"http://127.0.0.1:{self.to_studio.port}",
                "redis_url": SecretStr(str(redis_url.copy_with(port=self.to_redis.port))),
            }
        )
        self.studio = Studio.connect(self.direct)
        self._adopt()

    @property
    def wires(self) -> tuple[Wire, ...]:
        return self.to_studio, self.to_redis, self.to_backend

    def start(self, name: str, *, clock: float = 0.0) -> None:
        """The backend or a worker, with a clock that is `clock` seconds off; does not wait."""
        program = ["tests.faults.skewed", str(clock)] if clock else ["tests.faults.small_shards"]
        command = ["serve", "--port", str(self.backend_port)] if name == "backend" else ["worker"]
        env = {**environment(self.settings), "PYTHONPATH": str(ROOT)}
        self._supervisor.start(name, [sys.executable, "-m", *program, *command], env=env, cwd=ROOT)

    def pid(self, name: str) -> int:
        return next(child.pid for child in self._supervisor.children if child.name == name)

    def kill(self, name: str) -> None:
        """kill -9 of the process, and of no other: what it forked has to end by itself."""
        os.kill(self.pid(name), signal.SIGKILL)
        self._supervisor.stop_child(name)

    def kill_valkey(self) -> None:
        with redis.Redis.from_url(self.valkey.url) as client:
            pid = int(client.info("server")["process_id"])
        os.kill(pid, signal.SIGKILL)
        self._supervisor.disown(pid)
        until(lambda: not self.valkey._lives(), seconds=10)

    def start_valkey(self) -> None:
        """On the same port and with the same password."""
        self.valkey.start()
        self._adopt()

    def _adopt(self) -> None:
        with redis.Redis.from_url(self.valkey.url) as client:
            self._supervisor.adopt(int(client.info("server")["process_id"]))

    def serves(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            found = httpx.get(f"http://127.0.0.1:{self.backend_port}/health", timeout=1, trust_env=False)
            return bool(found.json()["ready"])
        return False

    def close(self) -> None:
        for name in ("backend", *WORKERS):
            with contextlib.suppress(KeyError):
                self._supervisor.stop_child(name)
        for wire in self.wires:
            wire.close()
        self.valkey.stop()


@contextmanager
def running(settings: Settings, logs: Path, *, restart_studio: Callable[[], None] | None = None) -> Iterator[Estate]:
    """The backend and two workers are up."""
    with Supervisor(logs) as supervisor, ExitStack() as stack:
        estate = Estate(settings, supervisor, restart_studio)
        stack.callback(estate.close)
        for name in ("backend", *WORKERS):
            estate.start(name)
        with Jobs(estate.direct) as jobs:
            until(lambda: estate.serves() and jobs.workers() == len(WORKERS), seconds=READY_SECONDS)
        yield estate


def worker_of(jobs: Jobs, estate: Estate, prefix: str) -> str | None:
    """The worker, if any, that runs a job whose id begins so."""
    pids = {estate.pid(name): name for name in WORKERS}
    for worker in Worker.all(connection=jobs.redis):
        if (worker.get_current_job_id() or "").startswith(prefix) and worker.pid in pids:
            return pids[worker.pid]
    return None


def until(holds: Callable[[], object], *, seconds: float, pause: float = 0.05) -> bool:
    """Whether it came to hold within that time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
