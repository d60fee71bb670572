"""Real workers that start quickly: none of these tests needs what theirs load before their first job."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from ml_backend.settings import Settings
from ml_backend.valkey import Valkey
from tests.unit.serving.running import WORKS_FOR_TESTS, environment

ROOT = Path(__file__).parents[2]
COMMAND = [
    sys.executable,
    "-c",
    "import ml_backend.jobs as it; it.PRELOADED, it.imports = (), lambda _: ();"
    "import os; it.BEAT_SECONDS, it.DEAD_SECONDS = map(int, os.environ.get('BEATS', '5 30').split());"
    "import ml_backend.leases as it; it.LEASE_SECONDS = float(os.environ.get('LEASE', '30'));" + WORKS_FOR_TESTS,
    "worker",
]


@pytest.fixture
def queue_settings(settings: Settings, valkey: Valkey) -> Settings:
    """Settings on an empty database of the session's Valkey."""
    return settings.model_copy(update={"redis_url": SecretStr(valkey.url)})


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[[Settings], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(settings: Settings) -> subprocess.Popen[bytes]:
        with (tmp_path / f"worker-{len(started)}.log").open("ab") as output:
            started.append(subprocess.Popen(COMMAND, env=environment(settings), cwd=ROOT, stdout=output, stderr=output))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()
        worker.wait(30)
