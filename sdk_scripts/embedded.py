"""The whole of Tiebreak on one machine: Label Studio, Valkey, the backend and a worker on free loopback ports.

    HOME/embedded/credentials.json   the admin's password, tokens and secrets, made at the first start (0600)
    HOME/embedded/ports.json         the ports of the last run, used again where they are free
    HOME/embedded/running.json       who runs now; HOME/embedded/lock tells whether that is true
    HOME/embedded/env                for other terminals: `. HOME/embedded/env` (0600)
    HOME/label-studio, HOME/valkey   their data
    HOME/logs                        what they said

Everything ends with this process, whatever ends it (see processes.py).
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from filelock import FileLock, Timeout
from pydantic import SecretStr

from ml_backend.labeling.errors import InputError
from ml_backend.queues import TRAIN_QUEUE, Jobs
from ml_backend.settings import Settings
from sdk_scripts import guard
from sdk_scripts.processes import Child, Supervisor, free_port, stopping_on_signals
from sdk_scripts.studio_server import LEAN_IMPORTS, Account, await_studio, start_studio, studio_command

ADMIN = "admin@example.com"
STUDIO_PORT = 8080
BACKEND_PORT = 9090
READY_SECONDS = 300.0
"""Imports alone take a quarter of a minute on two busy cores."""

_CLI = (sys.executable, "-P", "-c", "from sdk_scripts.cli import main; main()")

Report = Callable[[str], object]


@dataclass(frozen=True)
class Stack:
    """What runs. Its settings hold every address and secret, so that any other part can be called with them."""

    settings: Settings
    account: Account
    supervisor: Supervisor
    env_file: Path

    def sign_in(self) -> str:
        """For a person at this terminal."""
        return f"{self.settings.studio_url}  (e-mail {self.account.email}, password {self.account.password})"

    def console(self) -> str:
        """The same for the backend's console."""
        password = self.settings.backend_password.get_secret_value() if self.settings.backend_password else ""
        return f"{self.settings.backend_url}/console/  (user {self.settings.backend_user}, password {password})"


def run_up(settings: Settings, *, studio_port: int | None = None, report: Report) -> None:
    """`tiebreak up`: run the stack until Ctrl-C. Raises ProcessFailed where a part of it ends."""
    with embedded(settings, studio_port=studio_port, report=report) as stack:
        report(f"\nLabel Studio: {stack.sign_in()}")
        report(f"ML backend:   {stack.settings.backend_url}")
        report(f"Console:      {stack.console()}")
        report(f"In another terminal, `. {stack.env_file}` points tiebreak commands at it. Ctrl-C stops everything.")
        stack.supervisor.wait()


@contextmanager
def embedded(settings: Settings, *, studio_port: int | None = None, report: Report) -> Iterator[Stack]:
    """Start everything, and stop it on leaving.

    `studio_port` is the only port Label Studio may take; without it, last time's or another free one. Raises
    ConfigError where Label Studio is not installed, InputError where this home is in use, ProcessFailed where a part
    does not start.
    """
    command = studio_command(settings)
    folder = settings.folder("embedded")
    with stopping_on_signals(), _alone(folder, settings), Jobs(settings) as jobs:
        known, ports = _credentials(folder), _ports(folder, studio_port)
        account = Account(ADMIN, known["password"], known["token"])
        settings = _addressed(settings, known, ports)
        env = environment(settings)
        with Supervisor(settings.folder("logs")) as supervisor, _outliving(jobs, settings, supervisor):
            report("Starting Label Studio, Valkey, the backend and a worker …")
            studio = start_studio(
                supervisor,
                command,
                settings.home / "label-studio",
                account,
                ports["studio"],
                name="label-studio",
                settings=LEAN_IMPORTS,
            )
            backend = supervisor.start("backend", [*_CLI, "serve", "--port", str(ports["backend"])], env=env)
            worker = supervisor.start("worker", [*_CLI, "worker"], env=env)
            _remember(folder, settings, supervisor)
            supervisor.wait_ready(backend, lambda: _is_up(settings), seconds=READY_SECONDS)
            await_studio(supervisor, studio, settings.studio_url, account)
            supervisor.wait_ready(worker, lambda: _works(jobs, worker), seconds=READY_SECONDS)
            env_file = _write_private(folder / "env", _exports(settings))
            try:
                yield Stack(settings, account, supervisor, env_file)
            finally:
                env_file.unlink(missing_ok=True)
                report("Stopping …")


def _addressed(settings: Settings, known: Mapping[str, str], ports: Mapping[str, int]) -> Settings:
    return settings.model_copy(
        update={
            "home": settings.home.absolute(),
            "studio_url": f"http://127.0.0.1:{ports['studio']}",
            "studio_token": SecretStr(known["token"]),
            "backend_url": f"http://127.0.0.1:{ports['backend']}",
            "backend_user": settings.backend_user or "tiebreak",
            "backend_password": settings.backend_password or SecretStr(known["backend_password"]),
            "webhook_secret": settings.webhook_secret or SecretStr(known["webhook_secret"]),
        }
    )


def environment(settings: Settings) -> dict[str, str]:
    """Our environment, with every one of these settings in it: what a child needs to have the same ones."""
    return {**os.environ, **_variables(settings)}


def _variables(settings: Settings) -> dict[str, str]:
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    return {
        f"TIEBREAK_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
        if value is not None
    }


def _exports(settings: Settings) -> str:
    """For a shell: these settings, and where `tiebreak` is."""
    path = f'export PATH={shlex.quote(str(Path(sys.prefix) / "bin"))}:"$PATH"\n'
    return path + "".join(f"export {name}={shlex.quote(value)}\n" for name, value in _variables(settings).items())


def _ports(folder: Path, studio_port: int | None) -> dict[str, int]:
    file = folder / "ports.json"
    before: dict[str, int] = {}
    with suppress(OSError, ValueError):
        before = json.loads(file.read_text())
    studio = free_port(studio_port or before.get("studio", STUDIO_PORT))
    if studio_port and studio != studio_port:
        raise InputError(f"Port {studio_port} is taken.", mend="Name another one, or leave --studio-port out.")
    found = {"studio": studio, "backend": free_port(before.get("backend", BACKEND_PORT))}
    file.write_text(json.dumps(found))
    return found


def _credentials(folder: Path) -> dict[str, str]:
    """Made once: Label Studio keeps the first ones with its data."""
    file = folder / "credentials.json"
    with suppress(OSError, ValueError):
        known = json.loads(file.read_text())
        if isinstance(known, dict) and {"password", "token", "backend_password", "webhook_secret"} <= known.keys():
            return known
    made = {
        "email": ADMIN,
        "password": secrets.token_urlsafe(12),
        "token": secrets.token_hex(20),
        "backend_password": secrets.token_urlsafe(24),
        "webhook_secret": secrets.token_urlsafe(24),
    }
    _write_private(file, json.dumps(made, indent=2))
    return made


def _write_private(file: Path, text: str) -> Path:
    """Readable by its owner alone from the first byte on."""
    draft = file.with_name(f"{file.name}.{os.getpid()}.draft")
    with open(draft, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())  # Label Studio keeps the first ones for good
    draft.replace(file)
    return file


@contextmanager
def _alone(folder: Path, settings: Settings) -> Iterator[None]:
    """Two stacks on one home would share a database that only one may write. Raises InputError.

    What an earlier run left behind, which takes a `kill -9` of both it and its guard, is ended first.
    """
    running = folder / "running.json"
    lock = FileLock(folder / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(
            f"Tiebreak already runs on {settings.home}: {_running(running)[0] or 'it is starting'}.",
            mend="Use that one, stop it with Ctrl-C where it runs, or set TIEBREAK_HOME to another folder.",
        ) from None
    try:
        guard.end([pid for pid, started in _running(running)[1] if guard.identity(pid) == started], 5.0)
        running.unlink(missing_ok=True)
        yield
    finally:
        running.unlink(missing_ok=True)
        lock.release()


def _running(file: Path) -> tuple[str, list[tuple[int, str]]]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(file.read_text())
        return str(known["studio"]), [(int(pid), str(started)) for pid, started in known["children"]]
    return "", []


def _remember(folder: Path, settings: Settings, supervisor: Supervisor) -> None:
    children = [(child.pid, guard.identity(child.pid)) for child in supervisor.children]
    (folder / "running.json").write_text(json.dumps({"studio": settings.studio_url, "children": children}))


@contextmanager
def _outliving(jobs: Jobs, settings: Settings, supervisor: Supervisor) -> Iterator[None]:
    """The bundled Valkey goes after the children, stopped by its last user, us; if we are killed, the guard does it."""
    if settings.redis_url:
        yield
        return
    pid = int(jobs.redis.info("server")["process_id"])
    supervisor.adopt(pid)
    try:
        yield
    finally:
        supervisor.stop_children()
        supervisor.disown(pid)


def _is_up(settings: Settings) -> bool:
    """Label Studio allows a backend one second to say so."""
    try:
        return httpx.get(f"{settings.backend_url}/health", timeout=1, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _works(jobs: Jobs, child: Child) -> bool:
    from rq import Worker

    return any(worker.pid == child.pid for worker in Worker.all(connection=jobs.redis, queue=jobs.queue(TRAIN_QUEUE)))
