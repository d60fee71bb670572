"""The backend under a real uvicorn, real workers, and waiting for what they do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from ml_backend.app import create_app
from ml_backend.encoder import Encoder
from ml_backend.http_heads import LimitedHeads
from ml_backend.settings import Settings

WORKS_FOR_TESTS = (
    "import re; from ml_backend import known_jobs; from sdk_scripts.cli import main; "
    "known_jobs._OURS = re.compile(r'(ml_backend|sdk_scripts|tests)[.].+'); main()"
)
"""`tiebreak`, whose workers run functions of tests as well."""

Serve = Callable[[Settings], AbstractContextManager[httpx.Client]]

SENTIMENT = """<View>
  <Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text"><Choice value="positive"/><Choice value="negative"/></Choices>
</View>"""


def environment(settings: Settings) -> dict[str, str]:
    """Of a command that has these settings and no others."""
    outside = {key: value for key, value in os.environ.items() if not key.startswith("TIEBREAK_")}
    inside = {
        f"TIEBREAK_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in settings.model_dump(exclude_none=True).items()
    }
    return outside | inside


def eventually(holds: Callable[[], object], *, seconds: float = 120.0, what: str = "") -> None:
    """Wait until `holds()` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"never came: {what or holds}")
        time.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def serving(settings: Settings, encoder: Encoder) -> Iterator[httpx.Client]:
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings, encoder=encoder), http=LimitedHeads, port=0, log_config=None)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started or not thread.is_alive(), what="uvicorn")
    [listener] = server.servers[0].sockets
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(30)


def work_off(queue: Queue) -> None:
    """Do its jobs in this process, whose signals stay the tests'."""

    class InThisProcess(SimpleWorker):
        def _install_signal_handlers(self) -> None:
            pass

    InThisProcess([queue], connection=queue.connection, serializer=JSONSerializer).work(
        burst=True, logging_level="ERROR"
    )


class WorkerProcess:
    """`tiebreak worker` with the given settings, its log in a file."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WORKS_FOR_TESTS, "worker"],
                env=environment(settings),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(120)
