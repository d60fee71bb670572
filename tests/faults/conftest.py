"""An estate with a Label Studio of its own, for every fault; and the table of what was played."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from pydantic import SecretStr

from ml_backend.settings import Settings, load_settings
from sdk_scripts import guard
from sdk_scripts.demo_data import Review, read_archive
from sdk_scripts.processes import Supervisor, free_port
from sdk_scripts.studio_server import LEAN_IMPORTS, Account, await_studio, start_studio, studio_command
from tests.faults.estate import Estate, running
from tests.faults.playing import Played, table

DISK_BYTES = 96_000_000
ACCOUNT = Account("admin@example.com", "a-password-for-tests", "0123456789abcdef0123456789abcdef01234567")
"""That of the template."""
PLAYED = pytest.StashKey[list[Played]]()


@pytest.fixture(scope="session")
def played(request: pytest.FixtureRequest) -> list[Played]:
    return request.config.stash.setdefault(PLAYED, [])


@pytest.fixture(scope="session")
def reviews(demo_archive: Path) -> list[Review]:
    return list(read_archive(demo_archive))


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home on a file system of its own, with the file `small-disk` in it; an ordinary one where mounting is not
    allowed."""
    home = tmp_path_factory.mktemp("home")
    mount, umount = shutil.which("mount"), shutil.which("umount")
    disk = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(home)]
    mounted = bool(mount and umount) and subprocess.run([str(mount), *disk], capture_output=True).returncode == 0
    if mounted:
        (home / "small-disk").touch()
    yield home
    if mounted:
        subprocess.run([str(umount), "--lazy", str(home)], check=False)


@pytest.fixture(scope="module")
def whole_estate(
    small_disk: Path, studio_template: Path, converted_encoders: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Estate]:
    logs, data, port = tmp_path_factory.mktemp("logs"), tmp_path_factory.mktemp("studio") / "data", free_port()
    shutil.copytree(studio_template, data)
    settings = _settings(small_disk, converted_encoders, f"http://127.0.0.1:{port}")
    with Supervisor(logs) as supervisor:

        def start() -> None:
            child = start_studio(
                supervisor, studio_command(settings), data, ACCOUNT, port, name="label-studio", settings=LEAN_IMPORTS
            )
            await_studio(supervisor, child, settings.studio_url, ACCOUNT)

        def restart() -> None:
            [child] = supervisor.children
            for pid in guard.members([child.pid]):
                os.kill(pid, signal.SIGKILL)
            supervisor.stop_child(child.name)
            start()

        start()
        with running(settings, logs, restart_studio=restart) as estate:
            yield estate


def _settings(home: Path, encoders: str, studio_url: str) -> Settings:
    for name in [name for name in os.environ if name.upper().startswith("TIEBREAK_")]:
        del os.environ[name]
    Settings.model_config["env_file"] = None
    token = SecretStr(ACCOUNT.token)
    return load_settings(home=home, converted_encoders=Path(encoders), studio_url=studio_url, studio_token=token)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if played := config.stash.get(PLAYED, []):
        terminalreporter.write_line(f"\nFAULTS_SEED={min(one.seed for one in played)}\n")
        terminalreporter.write_line(table(played))
        if file := os.environ.get("FAULTS_JSON"):
            Path(file).write_text(json.dumps([asdict(one) for one in played], indent=1), "utf-8")
