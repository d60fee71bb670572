"""Servers of ours: started, awaited, and gone whatever ends us."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from pydantic import SecretStr

from ml_backend.labeling.errors import ConfigError, InputError
from ml_backend.settings import Settings, load_settings
from sdk_scripts import guard
from sdk_scripts.embedded import Stack, embedded, environment
from sdk_scripts.processes import ProcessFailed, Supervisor, free_port, stopping_on_signals
from sdk_scripts.studio_server import Account, studio_command

Find = Callable[[Path], list[int]]

SLEEPER = [sys.executable, "-c", "import time; print('sleeping', flush=True); time.sleep(600)"]
# Its own child leaves the process group, as RQ's jobs do, and ignores a polite request to end.
FORKING = """
import os, signal, time
if os.fork() == 0:
    os.setpgrp()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), flush=True)
time.sleep(600)
"""
PARENT = """
import sys, time
from pathlib import Path
from sdk_scripts.processes import Supervisor, stopping_on_signals
with stopping_on_signals(), Supervisor(Path(sys.argv[1])) as supervisor:
    child = supervisor.start("child", [sys.executable, "-c", "import time; time.sleep(600)"])
    print(child.pid, flush=True)
    time.sleep(600)
"""


def until(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path / "logs") as supervisor:
        yield supervisor


def test_a_stopped_supervisor_leaves_no_child_nor_what_it_forked(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdk_scripts.processes.STOP_SECONDS", 1.0)  # one of them has to be killed
    child = supervisor.start("forking", [sys.executable, "-c", FORKING])
    assert until(lambda: child.log.read_text().count("\n") == 2)
    assert len(guard.members([child.pid])) == 2
    supervisor.stop()
    assert guard.members([child.pid]) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_children_end_with_a_parent_that_is_sent(number: signal.Signals, tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert guard.members([child]) == [child]
    parent.send_signal(number)
    parent.wait(60)
    assert until(lambda: guard.members([child]) == [])
    parent.stdout.close()


def test_a_child_is_known_before_an_interrupt_can_come_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    born: list[int] = []
    popen = subprocess.Popen

    def interrupted(command: list[str], **options: object) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = popen(command, **options)  # type: ignore[call-overload]
        if command[-1].startswith("import time"):
            born.append(process.pid)
            signal.raise_signal(signal.SIGINT)
        return process

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt), Supervisor(tmp_path / "logs") as supervisor:
        supervisor.start("child", SLEEPER)
    monkeypatch.undo()
    assert len(born) == 1
    assert guard.members(born) == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_child_that_ends_early_is_told_with_the_end_of_its_log(supervisor: Supervisor) -> None:
    child = supervisor.start("doomed", [sys.executable, "-c", "raise SystemExit('no disk left')"])
    with pytest.raises(ProcessFailed, match=r"doomed ended with exit code 1[\s\S]*no disk left"):
        supervisor.wait_ready(child, lambda: False, seconds=60)


def test_a_child_that_never_answers_is_told_with_its_log(supervisor: Supervisor) -> None:
    child = supervisor.start("mute", SLEEPER)
    assert until(lambda: child.log.read_text() != "")
    with pytest.raises(ProcessFailed, match=r"mute did not answer within 0 s[\s\S]*sleeping"):
        supervisor.wait_ready(child, lambda: False, seconds=0)


def test_waiting_ends_when_a_child_does(supervisor: Supervisor) -> None:
    supervisor.start("sleeper", SLEEPER)
    supervisor.start("short", [sys.executable, "-c", "pass"])
    with pytest.raises(ProcessFailed, match="short ended with exit code 0"):
        supervisor.wait()


def test_a_command_that_is_not_there_is_told(supervisor: Supervisor) -> None:
    with pytest.raises(ProcessFailed, match="nothing cannot be started: /nowhere/at-all: No such file"):
        supervisor.start("nothing", ["/nowhere/at-all"])


def test_the_log_of_the_run_before_is_kept(supervisor: Supervisor) -> None:
    for _ in range(2):
        child = supervisor.start("sleeper", SLEEPER)
        assert until(lambda child=child: "sleeping" in child.log.read_text())  # type: ignore[misc]
        supervisor.stop_child("sleeper")
    assert "sleeping" in child.log.with_suffix(".log.1").read_text()


def test_the_preferred_port_is_given_where_it_is_free() -> None:
    port = free_port()
    assert free_port(port) == port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert free_port(port) != port


def test_signals_are_left_as_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stop, stopping_on_signals():
        signal.raise_signal(signal.SIGTERM)
    assert stop.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_children_get_every_setting(home: Path) -> None:
    given = load_settings(home=home, studio_token="secret", train_after_labels=7, reconcile_seconds=1.5)
    passed_on = {name: value for name, value in environment(given).items() if name.startswith("TIEBREAK_")}
    read = load_settings(**{name.removeprefix("TIEBREAK_").lower(): value for name, value in passed_on.items()})
    assert read == given


def test_people_are_told_where_the_console_is_and_how_to_sign_in(settings: Settings) -> None:
    known = {"backend_url": "http://127.0.0.1:9090", "backend_user": "ana", "backend_password": SecretStr("pass")}
    stack = Stack(
        settings.model_copy(update=known), Account("a@example.com", "p", "t"), Supervisor(settings.home), Path()
    )
    assert stack.console() == "http://127.0.0.1:9090/console/  (user ana, password pass)"


def test_a_missing_label_studio_says_how_to_install_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/nowhere/.venv")
    with pytest.raises(ConfigError, match="make install-studio"):
        studio_command(settings)
    assert studio_command(settings.model_copy(update={"studio_command": "a 'b c'"})) == ("a", "b c")


@pytest.mark.xdist_group("embedded")
class TestStack:
    def test_it_serves_and_leaves_nothing_behind(self, demo_home: Path, processes_of: Find) -> None:
        said: list[str] = []
        with embedded(load_settings(home=demo_home), report=said.append) as stack:
            settings = stack.settings
            token = {"Authorization": f"Token {settings.studio_token.get_secret_value()}"}
            assert httpx.get(f"{settings.studio_url}/api/projects/", headers=token).status_code == 200
            assert httpx.get(f"{settings.backend_url}/health").json()["status"] == "UP"
            assert httpx.get(f"{settings.backend_url}/versions").status_code == 401
            auth = (settings.backend_user or "", settings.backend_password.get_secret_value())  # type: ignore[union-attr]
            assert httpx.get(f"{settings.backend_url}/versions", auth=auth).status_code == 200
            assert stat.S_IMODE(stack.env_file.stat().st_mode) == 0o600
            sourced = subprocess.run(
                ["/bin/sh", "-c", f". '{stack.env_file}'; echo $TIEBREAK_STUDIO_URL $(command -v tiebreak)"],
                capture_output=True,
                text=True,
                check=True,
            )
            assert sourced.stdout.split() == [settings.studio_url, str(Path(sys.executable).with_name("tiebreak"))]
            assert len(processes_of(demo_home)) >= 3
            with (
                pytest.raises(InputError, match=f"already runs on .*{settings.studio_url}"),
                embedded(load_settings(home=demo_home), report=said.append),
            ):
                pass
            shown = " ".join(
                process_line for pid in processes_of(demo_home) for process_line in psutil.Process(pid).cmdline()
            )
            assert settings.studio_token.get_secret_value() not in shown
            assert stack.account.password not in shown
        assert not stack.env_file.exists()
        assert until(lambda: not processes_of(demo_home))
        assert stack.account.password not in "".join(said)
        ports = json.loads((demo_home / "embedded" / "ports.json").read_text())
        assert settings.studio_url.endswith(f":{ports['studio']}")

    def test_a_killed_stack_leaves_nothing_behind(self, demo_home: Path, processes_of: Find) -> None:
        up = [sys.executable, "-c", "from sdk_scripts.cli import main; main()", "up"]
        process = subprocess.Popen(
            up, env={**os.environ, "TIEBREAK_HOME": str(demo_home)}, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        assert any("Ctrl-C stops everything" in line for line in process.stderr)
        assert len(processes_of(demo_home)) >= 4
        process.kill()
        process.wait()
        process.stderr.close()
        assert until(lambda: not processes_of(demo_home))

    def test_what_an_earlier_run_left_behind_is_ended_first(self, demo_home: Path) -> None:
        orphan = subprocess.Popen(SLEEPER, start_new_session=True, stdout=subprocess.DEVNULL)
        stranger = subprocess.Popen(SLEEPER, start_new_session=True, stdout=subprocess.DEVNULL)
        children = [(orphan.pid, guard.identity(orphan.pid)), (stranger.pid, "another start")]
        left = {"studio": "http://127.0.0.1:1", "children": children}
        (demo_home / "embedded" / "running.json").write_text(json.dumps(left))
        settings = load_settings(home=demo_home, studio_command="/nowhere/label-studio")
        with pytest.raises(ProcessFailed, match="label-studio cannot be started"), embedded(settings, report=print):
            pass
        assert orphan.wait(60) != 0
        assert stranger.poll() is None
        stranger.kill()
        stranger.wait()


def test_credentials_are_made_once_and_readable_by_their_owner_alone(settings: Settings) -> None:
    tokens = []
    for _ in range(2):
        broken = settings.model_copy(update={"studio_command": "/nowhere/label-studio"})
        with pytest.raises(ProcessFailed), embedded(broken, report=print):
            pass
        file = settings.home / "embedded" / "credentials.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        tokens.append(json.loads(file.read_text())["token"])
    assert tokens[0] == tokens[1]
    assert len(tokens[0]) == 40
