"""What opens connections is named here, and an address from task data is asked for only where it may be."""

from __future__ import annotations

import ast
import socket
from pathlib import Path

import pytest

import ml_backend
from ml_backend.images import Unreadable
from ml_backend.images.sources import Sources
from ml_backend.settings import Settings

ROOT = Path(ml_backend.__file__).parents[1]
CONNECTING = {
    "httpx",
    "httpcore",
    "requests",
    "aiohttp",
    "urllib3",
    "socket",
    "ftplib",
    "smtplib",
    "telnetlib",
    "fsspec",
}
CONNECTING |= {"urllib.request", "http.client", "websockets", "boto3", "paramiko", "huggingface_hub", "asyncssh"}
MAY = {
    "ml_backend/images/guarded_http.py": "addresses from task data: the guard itself",
    "ml_backend/large_model/endpoint.py": "TIEBREAK_LLM_URL",
    "ml_backend/model_files.py": "TIEBREAK_MODELS_URL",
    "ml_backend/studio/connection.py": "TIEBREAK_STUDIO_URL",
    "ml_backend/studio/files.py": "TIEBREAK_STUDIO_URL; the errors only",
    "ml_backend/studio/snapshots.py": "TIEBREAK_STUDIO_URL; the errors only",
    "ml_backend/studio/trail.py": "the name of this machine",
    "ml_backend/valkey.py": "looks for a free port of this machine",
    "sdk_scripts/demo_data.py": "the demo's data, through pip",
    "sdk_scripts/demo_project.py": "the embedded backend",
    "sdk_scripts/doctor/checks/large_model.py": "TIEBREAK_LLM_URL",
    "sdk_scripts/doctor/jobs.py": "the name of this machine",
    "sdk_scripts/doctor/patient.py": "TIEBREAK_BACKEND_URL",
    "sdk_scripts/embedded.py": "the embedded servers",
    "sdk_scripts/monitoring/alert_delivery.py": "TIEBREAK_ALERT_URL",
    "sdk_scripts/processes.py": "listens",
    "sdk_scripts/studio_server.py": "the embedded Label Studio",
    "sdk_scripts/worker_check.py": "the name of this machine",
}
"""What each connects to. An address that somebody else can choose goes through `guarded_http`, and nowhere else."""


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def connects(file: Path) -> bool:
    text = file.read_text()
    return any(it.partition(".")[0] in text for it in CONNECTING) and any(
        name == it or name.startswith(f"{it}.") for name in imported(file) for it in CONNECTING
    )


def test_only_these_modules_open_connections() -> None:
    files = [*ROOT.glob("ml_backend/**/*.py"), *ROOT.glob("sdk_scripts/**/*.py")]
    found = {str(file.relative_to(ROOT)) for file in files if connects(file)}
    assert found - set(MAY) == set(), "say above what it connects to, and guard what others can choose"
    assert set(MAY) - found - {"sdk_scripts/demo_data.py"} == set()


def test_nothing_follows_redirects() -> None:
    for name in MAY:
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            if isinstance(node, ast.keyword) and node.arg == "follow_redirects":
                assert isinstance(node.value, ast.Constant), name
                assert node.value.value is False, name


@pytest.fixture
def listed(settings: Settings) -> Sources:
    return Sources(
        settings.model_copy(update={"image_hosts": "images.example.com, 2130706433, 0x7f.1, 127.1, 0177.0.0.1"})
    )


@pytest.fixture
def nobody_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a connection was opened")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.usefixtures("nobody_connects")
@pytest.mark.parametrize(
    "address",
    [
        "http://2130706433/a.png", "http://0x7f.1/a.png", "http://127.1/a.png", "http://0177.0.0.1/a.png",
        "http://images.example.com@127.0.0.1/", "http://127.0.0.1#@images.example.com/", "http://images.example.com:22/",
        "http://images.example.com:80@127.0.0.1/", "http://127.0.0.1\\@images.example.com/",
        "http://images.example.com.127.0.0.1.nip.io/", "http://[::ffff:127.0.0.1]/", "http://[::1]/", "http://①②⑦.0.0.1/",
        "gopher://images.example.com/", "file:///etc/passwd", "ftp://images.example.com/", "//images.example.com/",
        "http:/images.example.com", "http://images.example.com\r\nHost: 127.0.0.1/", "http://images.example.com%2f@127.0.0.1/",
        "HTTP://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://images.example.com:99999/",
        "jar:http://images.example.com!/", "http://images%2eexample%2ecom/", "http://localhost/", "http:///a.png",
    ],
)  # fmt: skip
def test_no_spelling_of_an_address_leads_past_the_list(listed: Sources, address: str) -> None:
    with pytest.raises(Unreadable):
        listed.fetch(address, deadline=1e18)


def test_a_name_with_one_good_and_one_private_address_is_not_asked(
    listed: Sources, monkeypatch: pytest.MonkeyPatch, nobody_connects: None
) -> None:
    def both(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(Unreadable, match=r"10\.0\.0\.1, which is no public address"):
        listed.fetch("http://images.example.com/a.png", deadline=1e18)
