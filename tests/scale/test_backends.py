"""Several backends on one registry, asked all the while that versions are promoted and rolled back.

One of them is cut off from Redis, another is killed and started again. SCALE_ROUNDS says how often; with more than one
also on storage without locks and renames.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from ml_backend.encoder import Encoder
from ml_backend.live_pointer import _Shared
from ml_backend.model_registry import ModelRegistry
from ml_backend.settings import Settings
from ml_backend.training import train
from tests.scale.conftest import ROOT
from tests.unit.learning.reviews import SENTIMENT, labelled
from tests.unit.serving.running import environment, eventually, free_port

ROUNDS = int(os.environ.get("SCALE_ROUNDS", "1"))
KEY = "7.1795381865"
ELSEWHERE = "import ml_backend.live_pointer as it; it.live_pointers = it._Shared;"
"""As on object storage."""


class Backend:
    """`tiebreak serve`, and one client that asks it all the time."""

    def __init__(self, settings: Settings, storage: str, log: Path) -> None:
        self.port = free_port()
        self.answers: list[str] = []
        """The versions of its answers, in order."""
        self.mixed: list[object] = []
        self._command = [
            sys.executable,
            "-c",
            (ELSEWHERE if storage == "elsewhere" else "") + "from sdk_scripts.cli import main; main()",
            "serve",
            "--port",
            str(self.port),
        ]
        self._settings, self._log = settings, log
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self.start()
        self._thread.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, env=environment(self._settings), cwd=ROOT, stdout=log, stderr=log
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def end(self) -> None:
        self._done.set()
        self._thread.join(60)
        self.kill()

    def _ask(self) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60, trust_env=False) as client:
            number = 0
            while not self._done.wait(0.02):
                number += 1
                tasks = [{"id": number, "data": {"text": f"My camera number {number % 50} broke."}}]
                body = {"tasks": tasks, "project": KEY, "label_config": SENTIMENT.xml, "params": None}
                with suppress(httpx.TransportError):  # it is being started
                    answer = client.post("/predict", json=body).raise_for_status().json()
                    versions = {answer["model_version"], *(it["model_version"] for it in answer["results"])}
                    if len(versions) > 1:
                        self.mixed.append(answer)
                    self.answers.append(answer["model_version"])


@pytest.fixture(params=["disk", "elsewhere"] if ROUNDS > 1 else ["disk"])
def storage(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def registry(settings: Settings, storage: str) -> ModelRegistry:
    made = ModelRegistry(settings.models)
    if storage == "elsewhere":
        made._pointers = _Shared(made._files)
    return made


@pytest.fixture
def versions(registry: ModelRegistry, encoder: Encoder) -> tuple[str, str]:
    """The live one, and one that is not."""
    first = train(KEY, SENTIMENT, labelled(40), encoder, registry).version
    return first, train(KEY, SENTIMENT, labelled(80), encoder, registry, promote=False).version


@pytest.fixture
def backends(
    settings: Settings, queue_settings: Settings, versions: tuple[str, str], storage: str, tmp_path: Path
) -> Iterator[list[Backend]]:
    cut_off = settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:9/0")})
    found = [Backend(it, storage, tmp_path / f"{n}.log") for n, it in enumerate((queue_settings, cut_off))]
    yield found
    for backend in found:
        backend.end()


def test_every_backend_follows_each_switch_at_once_and_none_goes_back(
    backends: list[Backend], registry: ModelRegistry, versions: tuple[str, str], storage: str
) -> None:
    first, second = versions
    eventually(lambda: all(it.answers for it in backends), what="the first answers")
    for _ in range(ROUNDS):
        for backend in backends:
            backend.answers.clear()
        registry.promote(KEY, second)
        eventually(lambda: all(it.answers[-1:] == [second] for it in backends), what="the promoted version")
        backends[0].kill()
        time.sleep(0.2)
        backends[0].answers.append("killed")
        assert registry.rollback(KEY) == first
        backends[0].start()
        eventually(lambda: all(it.answers[-1:] == [first] for it in backends), what="the version before")
        for backend in backends:
            history = [version for version, _ in groupby(backend.answers)]
            ours = [second, "killed", first] if backend is backends[0] else [second, first]
            assert history[-len(ours) :] == ours
            assert history[: -len(ours)] in ([], [first])
    assert not any(it.mixed for it in backends)
