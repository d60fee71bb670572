"""The bundled Valkey server, with real servers."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import stat
from pathlib import Path

import pytest
import redis

from ml_backend.labeling.errors import QueueUnavailable
from ml_backend.valkey import Valkey


def client(server: Valkey) -> redis.Redis:
    return redis.Redis.from_url(server.url)


def pid(server: Valkey) -> int:
    return int(client(server).info("server")["process_id"])


def test_it_starts_where_none_runs_and_answers_on_loopback_only(tmp_path: Path) -> None:
    with Valkey(tmp_path / "with a space") as server:
        assert client(server).config_get("bind")["bind"] == "127.0.0.1"
        assert client(server).config_get("appendonly")["appendonly"] == "yes"


def test_nobody_gets_in_without_the_password_which_only_its_owner_can_read(tmp_path: Path) -> None:
    with Valkey(tmp_path) as server:
        port = json.loads((tmp_path / "server.json").read_text())["port"]
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()
        assert stat.S_IMODE((tmp_path / "server.json").stat().st_mode) == 0o600
        command = Path(f"/proc/{pid(server)}/cmdline")
        assert not command.exists() or server.url.split(":")[2].split("@")[0] not in command.read_text()


def test_a_second_user_shares_the_server_and_the_last_one_stops_it(tmp_path: Path) -> None:
    first, second = Valkey(tmp_path).start(), Valkey(tmp_path).start()
    assert first.url == second.url
    first.stop()
    watching = client(second)
    assert watching.ping()
    second.stop()
    with pytest.raises(redis.ConnectionError):
        watching.ping()


def test_data_port_and_password_survive_a_stop(tmp_path: Path) -> None:
    with Valkey(tmp_path) as server:
        client(server).set("kept", "yes")
        before = server.url
    with Valkey(tmp_path) as server:
        assert server.url == before
        assert client(server).get("kept") == b"yes"


def test_a_killed_server_is_started_again_with_its_data_for_the_same_clients(tmp_path: Path) -> None:
    with Valkey(tmp_path) as server:
        kept = client(server)
        kept.set("kept", "yes")
        kept.config_set("appendfsync", "always")
        kept.set("kept", "always")
        os.kill(pid(server), signal.SIGKILL)
        with Valkey(tmp_path):
            assert kept.get("kept") == b"always"


def test_a_stale_server_file_is_no_server(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text('{"port": 1, "password": "old", "pid": 1}')
    with Valkey(tmp_path) as server:
        assert client(server).ping()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"port": "x"}', "null"])
def test_a_torn_server_file_is_no_server(tmp_path: Path, content: str) -> None:
    (tmp_path / "server.json").write_text(content)
    with Valkey(tmp_path) as server:
        assert client(server).ping()


def test_a_copied_folder_gets_a_server_of_its_own(tmp_path: Path) -> None:
    with Valkey(tmp_path / "one") as one:
        (tmp_path / "two").mkdir()
        (tmp_path / "two" / "server.json").write_bytes((tmp_path / "one" / "server.json").read_bytes())
        with Valkey(tmp_path / "two") as two:
            assert pid(one) != pid(two)


def _start(folder: str, together: multiprocessing.Barrier, told: multiprocessing.Queue, done: object) -> None:  # type: ignore[valid-type]
    together.wait()
    with Valkey(Path(folder)) as server:
        told.put(pid(server))
        done.wait()


def test_processes_that_start_at_once_share_one_server(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    together, told, done = spawn.Barrier(4), spawn.Queue(), spawn.Event()
    processes = [spawn.Process(target=_start, args=(str(tmp_path), together, told, done)) for _ in range(4)]
    for process in processes:
        process.start()
    pids = {told.get(timeout=60) for _ in processes}
    done.set()
    for process in processes:
        process.join(60)
    assert len(pids) == 1
    assert not Path(f"/proc/{pids.pop()}/exe").exists()


def test_the_url_is_asked_for_after_start(tmp_path: Path) -> None:
    with pytest.raises(QueueUnavailable, match="start"):
        _ = Valkey(tmp_path).url
