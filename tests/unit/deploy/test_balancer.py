"""docker/Caddyfile under a real Caddy, with replicas that come, go, die and hang."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

from sdk_scripts.processes import Supervisor, free_port
from tests.unit.deploy.composing import DOCKER
from tests.unit.deploy.name_server import name_server
from tests.unit.serving.running import eventually

MOST = 1000  # bytes of a body
QUICKER = {"refresh 2s": "refresh 100ms", "backends 30s": "backends 2s"}


@dataclass
class Stage:
    client: httpx.Client
    port: int
    """Of the replicas."""
    told: list[str]
    """What the name server tells: the addresses of `backend`."""
    supervisor: Supervisor
    replicas: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Name -> address, pid."""
    fresh: Iterator[int] = field(default_factory=lambda: itertools.count(2))

    def enter(self, *names: str) -> None:
        """These replicas, at addresses of which the balancer knows nothing yet, are all there are."""
        script = Path(__file__).with_name("replica.py")
        for name in names:
            address = f"127.0.0.{next(self.fresh)}"
            child = self.supervisor.start(name, [sys.executable, script, name, address, str(self.port)])
            self.replicas[name] = (address, child.pid)
            self.supervisor.wait_ready(child, partial(self.alive, name), seconds=60)
        self.say(*names)

    def say(self, *names: str) -> None:
        self.told[:] = [self.replicas[name][0] for name in names]
        eventually(lambda: self.answering() == set(names), what=f"answers of {names} alone")

    def answering(self) -> set[str]:
        return {self.client.get("/health").text.split()[0] for _ in range(12)}

    def post(self, path: str, body: str) -> tuple[int, str]:
        answer = self.client.post(path, content=body)
        return answer.status_code, answer.text

    def alive(self, name: str) -> bool:
        try:
            socket.create_connection((self.replicas[name][0], self.port), timeout=5).close()
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder, port, replicas = tmp_path_factory.mktemp("balancer"), free_port(), free_port()
    told: list[str] = []
    with (
        Supervisor(folder) as supervisor,
        name_server(told) as names,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        text = (DOCKER / "Caddyfile").read_text()
        ours = {":9090 {": f":{port} {{", "port 9090": f"port {replicas}", "resolvers 127.0.0.11": f"resolvers {names}"}
        for before, after in (ours | QUICKER).items():
            assert text.count(before) == 1, before
            text = text.replace(before, after)
        (folder / "Caddyfile").write_text(text)
        beside = Path(sys.executable).with_name("caddy")
        caddy = str(beside) if beside.exists() else shutil.which("caddy")
        assert caddy, "make install-dev installs it"
        command = [caddy, "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"]
        environment = {"TIEBREAK_MAX_BODY_BYTES": str(MOST), "XDG_DATA_HOME": str(folder), "PATH": os.environ["PATH"]}
        child = supervisor.start("caddy", command, env=environment)
        made = Stage(client, replicas, told, supervisor)
        supervisor.wait_ready(child, lambda: listens(client), seconds=60)
        yield made


def listens(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code >= 500  # no replica is there yet
    except httpx.ConnectError:
        return False


def test_it_asks_the_replicas_that_there_are_as_they_come_and_go(stage: Stage) -> None:
    stage.enter("a", "b")
    stage.enter("c")
    stage.say("a", "c")


def test_a_prediction_whose_replica_dies_in_the_middle_is_made_by_another(stage: Stage) -> None:
    stage.enter("d", "e")
    for _ in range(50):
        status, text = stage.post("/predict", "die d")
        assert (status, text) == (200, "e 5")
        if not stage.alive("d"):
            break
    assert not stage.alive("d")
    assert stage.post("/predict", "x") == (200, "e 1")  # though the name server still tells of the dead one


def test_what_may_not_be_done_twice_is_not_sent_twice(stage: Stage) -> None:
    stage.enter("f", "g")
    for _ in range(50):
        status, text = stage.post("/webhook", "die f")
        if status != 200:
            break
        assert text == "g 5"
    assert status == 502
    assert "No backend could answer" in text
    eventually(lambda: not stage.alive("f"), what="its end")  # its address is let go after its connections
    for _ in range(10):  # refused before anything was sent: another one may be asked
        assert stage.post("/webhook", "x") == (200, "g 1")


def test_a_replica_that_hangs_is_left_alone(stage: Stage) -> None:
    stage.enter("h", "i")
    os.kill(stage.replicas["h"][1], signal.SIGSTOP)
    try:
        statuses = [stage.client.get("/console/").status_code for _ in range(20)]
        assert statuses == [200] * 20  # the one that waited in vain was asked of the other
        assert {stage.client.post("/webhook", content="x").text for _ in range(5)} == {"i 1"}
    finally:
        os.kill(stage.replicas["h"][1], signal.SIGCONT)


def test_a_body_that_the_backend_would_refuse_does_not_reach_it(stage: Stage) -> None:
    stage.enter("j")
    assert stage.post("/predict", "x" * MOST) == (200, f"j {MOST}")
    answer = stage.client.post("/predict", content="x" * (MOST + 1))
    assert answer.status_code == 413
    assert answer.json()["detail"] == f"The body is over {MOST} bytes."


def test_where_no_backend_is_it_says_so(stage: Stage) -> None:
    stage.told.clear()
    eventually(lambda: stage.client.get("/health").status_code == 503, what="503")
    assert stage.client.get("/health").json()["detail"] == "No backend could answer: Service Unavailable."


def test_many_at_once_all_get_an_answer_while_a_replica_is_replaced(stage: Stage) -> None:
    stage.enter("k", "l")
    told: list[int] = []

    def ask() -> None:
        with httpx.Client(base_url=stage.client.base_url, timeout=60) as client:
            told.extend(client.post("/predict", content="x").status_code for _ in range(50))

    askers = [threading.Thread(target=ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    stage.supervisor.stop_child("k")
    stage.enter("m")
    for asker in askers:
        asker.join()
    assert told == [200] * 400
