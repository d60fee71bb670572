"""The real things tests run against: Label Studio, Valkey, the encoder, Chromium. None is skipped when it is missing.

    home                a fresh TIEBREAK_HOME
    settings            Settings of that home and nothing else: no environment, no .env
    valkey              a running Valkey server with an empty database
    encoder             the packaged encoder
    studio_server       Label Studio: url, token, pat, e-mail and password of its first user
    studio              ml_backend.studio.Studio connected to it
    studio_settings     `settings` with its URL and token
    studio_environment  the same in the environment, for commands
    demo_archive        the demo's reviews
    demo_home           a fresh home with them, whose embedded Label Studio boots quickly
    processes_of        finds the processes of a home
    chromium            a Playwright browser

Under xdist every worker has its own servers. Tests that use Label Studio form two groups, so that it is started twice
at the most.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest
import structlog
from filelock import FileLock
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr

from ml_backend.settings import Settings, load_settings
from sdk_scripts.demo_data import fetch
from sdk_scripts.processes import Supervisor, free_port
from sdk_scripts.studio_server import Account, await_studio, start_studio, studio_command

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from ml_backend.encoder import Encoder
    from ml_backend.studio import Studio
    from ml_backend.valkey import Valkey

hypothesis_settings.register_profile("tests", deadline=None)  # how long an example takes fails nothing
hypothesis_settings.load_profile("tests")

STUDIO_VERSION = os.environ.get("CONTRACT_STUDIO", "1.23.2")
"""Another one: see contract/matrix.py."""
ACCOUNT = Account("admin@example.com", "a-password-for-tests", "0123456789abcdef0123456789abcdef01234567")
CHROMIUM_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class StudioServer:
    url: str
    token: str
    """Legacy token."""
    pat: str
    """Personal access token of the same user."""
    email: str
    password: str
    version: str = STUDIO_VERSION


def pytest_configure(config: pytest.Config) -> None:
    # Torch, OpenMP and tokenizers would each take every core, once per xdist worker.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
        os.environ.setdefault(name, "false" if name.startswith("TOKENIZERS") else "1")
    # As `set_up_logs` has it: stdout is for the document of a command that a test calls in this process.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    if threading.current_thread() is threading.main_thread():
        # Fixtures end their servers as they do for Ctrl-C, which a suite in a script's background inherits as ignored.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "studio_server" in getattr(item, "fixturenames", ()):
            half = "first" if item.path.name < "test_l" else "second"  # they take about as long
            item.add_marker(pytest.mark.xdist_group(f"label-studio, {half}"))


@pytest.fixture(scope="session")
def converted_encoders(request: pytest.FixtureRequest) -> str:
    """The folder where the encoder is converted, once a machine: every home would do it again."""
    cache: pytest.Cache = request.config.cache  # type: ignore[assignment]  # None only without the cache plug-in
    return str(cache.mkdir("encoders"))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, converted_encoders: str) -> None:
    for name in [name for name in os.environ if name.upper().startswith("TIEBREAK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    monkeypatch.setenv("TIEBREAK_CONVERTED_ENCODERS", converted_encoders)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def settings(home: Path) -> Settings:
    return load_settings(home=home)


@pytest.fixture(scope="session")
def _supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    with Supervisor(tmp_path_factory.mktemp("logs")) as supervisor:
        yield supervisor


@pytest.fixture(scope="session")
def studio_template(
    _supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Path:
    """A migrated data folder with ACCOUNT as its first user, to be copied: migrations take a minute, once a machine."""
    cache: pytest.Cache = request.config.cache  # type: ignore[assignment]  # None only without the cache plug-in
    template = Path(cache.mkdir("label-studio")) / STUDIO_VERSION
    with FileLock(f"{template}.lock"):
        if not template.exists():
            draft = template.with_suffix(".draft")
            shutil.rmtree(draft, ignore_errors=True)
            command = studio_command(load_settings(home=tmp_path_factory.mktemp("template-home")))
            _serve(_supervisor, command, draft, "label-studio-template")
            _supervisor.stop_child("label-studio-template")
            draft.replace(template)
    return template


@pytest.fixture(scope="session")
def studio_server(
    studio_template: Path, _supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory
) -> StudioServer:
    """A Label Studio for the whole session: make projects of your own, and count on no other's."""
    command = studio_command(load_settings(home=tmp_path_factory.mktemp("studio-home")))
    data = tmp_path_factory.mktemp("label-studio") / "data"
    shutil.copytree(studio_template, data)
    url = _serve(_supervisor, command, data, "label-studio")
    return StudioServer(url, ACCOUNT.token, _access_token(url), ACCOUNT.email, ACCOUNT.password)


@pytest.fixture(scope="session")
def demo_archive(request: pytest.FixtureRequest) -> Path:
    """The demo's reviews, downloaded once a machine."""
    cache: pytest.Cache = request.config.cache  # type: ignore[assignment]
    folder = Path(cache.mkdir("demo"))
    with FileLock(folder / "lock"):
        return fetch(folder)


@pytest.fixture(scope="session")
def prepare_demo_home(studio_template: Path, demo_archive: Path) -> Callable[[Path], Path]:
    """Gives a home its downloads, and an embedded Label Studio that has its migrations behind it."""

    def prepare(home: Path) -> Path:
        (home / "downloads").mkdir(parents=True)
        (home / "embedded").mkdir()
        shutil.copy(demo_archive, home / "downloads")
        shutil.copytree(studio_template, home / "label-studio")
        known = {"password": ACCOUNT.password, "token": ACCOUNT.token, "backend_password": "b", "webhook_secret": "w"}
        (home / "embedded" / "credentials.json").write_text(json.dumps(known))
        return home

    return prepare


@pytest.fixture
def demo_home(home: Path, prepare_demo_home: Callable[[Path], Path]) -> Path:
    return prepare_demo_home(home)


@pytest.fixture(scope="session")
def processes_of() -> Callable[[Path], list[int]]:
    """Living processes that have a home in their environment, working directory or command line: those of a stack."""

    def find(home: Path) -> list[int]:
        found = []
        ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
        for process in psutil.process_iter():
            try:
                words = [*process.cmdline(), *process.environ().values(), process.cwd()]
                living = process.status() != psutil.STATUS_ZOMBIE
            except psutil.Error:
                continue
            if living and process.pid not in ours and str(home) in " ".join(words):
                found.append(process.pid)
        return found

    return find


def _serve(supervisor: Supervisor, command: tuple[str, ...], data: Path, name: str) -> str:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    await_studio(supervisor, start_studio(supervisor, command, data, ACCOUNT, port, name=name), url, ACCOUNT)
    return url


def _access_token(url: str) -> str:
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Token {ACCOUNT.token}"}, timeout=60, trust_env=False
    ) as client:
        both = {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True}
        client.post("/api/jwt/settings", json=both).raise_for_status()
        return str(client.post("/api/token/").raise_for_status().json()["token"])


@pytest.fixture(scope="session")
def studio(studio_server: StudioServer) -> Studio:
    from ml_backend.studio import Studio

    return Studio(studio_server.url, studio_server.token)


@pytest.fixture
def studio_settings(settings: Settings, studio_server: StudioServer) -> Settings:
    return settings.model_copy(update={"studio_url": studio_server.url, "studio_token": SecretStr(studio_server.token)})


@pytest.fixture
def studio_environment(studio_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in this process find the Label Studio and the home of `studio_settings`."""
    monkeypatch.setenv("TIEBREAK_HOME", str(studio_settings.home))
    monkeypatch.setenv("TIEBREAK_STUDIO_URL", studio_settings.studio_url)
    monkeypatch.setenv("TIEBREAK_STUDIO_TOKEN", studio_settings.studio_token.get_secret_value())


@pytest.fixture(scope="session")
def _valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    from ml_backend.valkey import Valkey

    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def valkey(_valkey: Valkey) -> Valkey:
    import redis

    with redis.Redis.from_url(_valkey.url) as client:
        client.flushall()
    return _valkey


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory, converted_encoders: str) -> Encoder:
    from ml_backend.encoder import load_encoder

    home = tmp_path_factory.mktemp("encoder-home")
    return load_encoder(load_settings(home=home, converted_encoders=converted_encoders))


@pytest.fixture(scope="module")  # Playwright's event loop runs as long as it is open, so asyncio.run fails meanwhile
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    found = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail("Chromium is not installed: run `make chromium`, or install your system's chromium package.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()
