"""The backend under a real uvicorn, and real workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from ml_backend.encoder import Encoder
from ml_backend.settings import Settings, load_settings
from ml_backend.valkey import Valkey
from tests.unit.serving.running import Serve, WorkerProcess, serving


@pytest.fixture
def serve(encoder: Encoder) -> Serve:
    return partial(serving, encoder=encoder)


@pytest.fixture
def queue_settings(settings: Settings, valkey: Valkey) -> Settings:
    """Settings on an empty database of the session's Valkey."""
    return settings.model_copy(update={"redis_url": SecretStr(valkey.url)})


@pytest.fixture(scope="session")
def backend(_valkey: Valkey, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A backend for tests that leave no trace."""
    settings = load_settings(home=tmp_path_factory.mktemp("backend"), redis_url=SecretStr(_valkey.url))
    with serving(settings, encoder) as client:
        yield client


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[[Settings], WorkerProcess]]:
    started: list[WorkerProcess] = []

    def start(settings: Settings) -> WorkerProcess:
        worker = WorkerProcess(settings, tmp_path / f"worker-{len(started)}.log")
        started.append(worker)
        return worker

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.kill()
