"""Servers of ours as child processes: started, awaited, logged, and ended with us, however we end.

Each child leads a session of its own, so that a terminal's Ctrl-C reaches only us and a child can be ended whole, with
what it forked. A guard process (guard.py) reads a pipe of ours: when it closes, after `kill -9` too, it ends them all.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from ml_backend.labeling.errors import ConfigError, TiebreakError
from sdk_scripts import guard

if TYPE_CHECKING:
    from ml_backend.settings import Settings

POLL_SECONDS = 0.1
STOP_SECONDS = 10.0
TAIL_LINES = 25


class ProcessFailed(TiebreakError):
    """A server of ours ended, or never became ready; the message has the end of its log."""


@dataclass(frozen=True)
class Child:
    name: str
    pid: int
    """Also the id of its session."""
    log: Path


class Supervisor:
    """Starts children and, as a context manager, leaves none behind.

    `logs` is the folder of their log files. The guard also ends them when this process is killed.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, tuple[Child, subprocess.Popen[bytes]]] = {}
        self._adopted: set[int] = set()
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def children(self) -> tuple[Child, ...]:
        return tuple(child for child, _ in self._running.values())

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Child:
        """Start a server; its output goes to `<logs>/<name>.log`, the previous run's to `<name>.log.1`.

        `env` is the whole environment, ours where it is None. Raises ProcessFailed where the command cannot run.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{name}.log"
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        with _signals_deferred():  # between a child's birth and our knowing of it, nothing may come between
            watcher = self._watch()
            try:
                with log.open("wb") as output:
                    process = subprocess.Popen(
                        [str(part) for part in command],
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        env=None if env is None else dict(env),
                        cwd=cwd,
                        start_new_session=True,
                    )
            except OSError as error:
                raise ProcessFailed(f"{name} cannot be started: {command[0]}: {error.strerror}.") from None
            _tell(watcher, f"add {process.pid}")
            child = Child(name, process.pid, log)
            self._running[name] = (child, process)
        return child

    def wait_ready(self, child: Child, ready: Callable[[], bool], *, seconds: float) -> None:
        """Poll `ready` until it says so. Raises ProcessFailed, with the end of its log, where it ends or time is up."""
        deadline = time.monotonic() + seconds
        while True:
            self.check(child)
            if ready():
                return
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{child.name} did not answer within {seconds:.0f} s.{_tail(child.log)}")
            time.sleep(POLL_SECONDS)

    def check(self, child: Child) -> None:
        """Raises ProcessFailed, with the log's end, where the child has ended."""
        process = self._running[child.name][1]
        if (code := process.poll()) is not None:
            raise ProcessFailed(f"{child.name} ended with exit code {code}.{_tail(child.log)}")

    def wait(self) -> None:
        """Until a child ends, which raises ProcessFailed with the end of its log."""
        while True:
            for child in self.children:
                self.check(child)
            time.sleep(0.5)

    def stop(self) -> None:
        """End every child and the guard; safe to repeat."""
        self.stop_children()
        if self._guard is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.close()  # type: ignore[union-attr]  # opened as a pipe
            self._guard.wait()
            self._guard = None

    def stop_children(self) -> None:
        """End every child, the last started first, gently and then firmly."""
        for name in reversed(list(self._running)):
            self.stop_child(name)

    def stop_child(self, name: str) -> None:
        child, process = self._running.pop(name)
        guard.end([child.pid], STOP_SECONDS)
        process.wait()
        if self._guard is not None:
            _tell(self._guard, f"remove {child.pid}")

    def adopt(self, pid: int) -> None:
        """If we are killed, the guard ends this session leader too, after the children. Otherwise its owner does, who
        calls `disown`."""
        _tell(self._watch(), f"last {pid}")
        self._adopted.add(pid)

    def disown(self, pid: int) -> None:
        self._adopted.discard(pid)
        if self._guard is not None:
            _tell(self._guard, f"remove {pid}")

    def _watch(self) -> subprocess.Popen[bytes]:
        if self._guard is None or self._guard.poll() is not None:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            for child in self.children:
                _tell(self._guard, f"add {child.pid}")
            for pid in self._adopted:
                _tell(self._guard, f"last {pid}")
        return self._guard


def _tell(watcher: subprocess.Popen[bytes], line: str) -> None:
    with contextlib.suppress(OSError):  # a guard that is gone cannot be told
        watcher.stdin.write(f"{line}\n".encode())  # type: ignore[union-attr]  # opened as a pipe
        watcher.stdin.flush()  # type: ignore[union-attr]


def _tail(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines()[-TAIL_LINES:] if log.exists() else []
    body = "".join(f"\n  | {line}" for line in lines)
    return f" The end of {log}:{body}" if body else f" Its log, {log}, is empty."


def listen(host: str, port: int) -> socket.socket:
    """A socket for a server of ours to accept connections on. Raises ProcessFailed where it cannot be had."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ProcessFailed(
            f"Nothing can be served at {host}, port {port}: {why}.",
            mend="Stop what listens there (is it another `tiebreak serve`?), or give another --host or --port.",
        ) from None
    return listener


def refuse_open(listener: socket.socket, settings: Settings) -> None:
    """Raises ConfigError where whoever reaches this machine could ask a backend that asks nobody for a password."""
    host = str(listener.getsockname()[0]).partition("%")[0]
    if not (settings.backend_password or settings.backend_open or ip_address(host).is_loopback):
        raise ConfigError(
            f"The backend would answer whoever reaches {host}: no password is set.",
            mend="Set TIEBREAK_BACKEND_USER and TIEBREAK_BACKEND_PASSWORD, or TIEBREAK_BACKEND_OPEN=true.",
        )


def free_port(preferred: int | None = None) -> int:
    """A free port of the loopback interface, the preferred one where it is free."""
    for port in (preferred or 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise ProcessFailed("No port of 127.0.0.1 is free.")


@contextlib.contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Turns SIGTERM and SIGHUP into SystemExit, so that `with` blocks end as they do for Ctrl-C.

    Signals are the main thread's; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _signals_deferred() -> Iterator[None]:
    """Signals that would raise an exception here raise it afterwards. (Blocked signals would be the child's, too.)"""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    raising = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in raising}
    for number, handler in before.items():
        if callable(handler):
            signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
