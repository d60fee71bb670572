"""A Label Studio of our own: from its own environment, on SQLite, on a loopback port."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ml_backend.labeling.errors import ConfigError
from ml_backend.settings import Settings
from sdk_scripts.processes import Child, ProcessFailed, Supervisor

BOOT_SECONDS = 300.0
"""An empty data folder takes a minute of migrations, several on a busy machine."""

LEAN_IMPORTS = {"fflag_fix_back_4620_memory_efficient_predictions_import_08012025_short": "true"}
"""Label Studio's switch for imports of predictions that take time for what is imported, not for the whole project."""

# Label Studio also reads HOST, PORT, USERNAME and PASSWORD without a prefix, so it gets no more of our environment.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SYSTEMROOT")


@dataclass(frozen=True)
class Account:
    """Label Studio's first user, made when its data folder is new; later starts keep what the folder has."""

    email: str
    password: str = field(repr=False)
    token: str = field(repr=False)
    """Legacy token, 40 hex digits."""


def studio_command(settings: Settings) -> tuple[str, ...]:
    """How `label-studio` is called: TIEBREAK_STUDIO_COMMAND, else from `.venv-studio` beside our own environment.

    Raises ConfigError where neither is there.
    """
    if settings.studio_command:
        return tuple(shlex.split(settings.studio_command))
    script = Path(sys.prefix).parent / ".venv-studio" / "bin" / "label-studio"
    if not script.exists():
        raise ConfigError(
            f"Label Studio is not installed: there is no {script}.",
            mend="Run `make install-studio`, or set TIEBREAK_STUDIO_COMMAND to another label-studio.",
        )
    return (str(script),)


def start_studio(
    supervisor: Supervisor,
    command: tuple[str, ...],
    data: Path,
    account: Account,
    port: int,
    *,
    name: str,
    settings: Mapping[str, str] | None = None,
) -> Child:
    """Start Label Studio on this data folder, on http://127.0.0.1:`port`; `await_studio` waits until it serves.

    `settings` are further variables of its environment.
    """
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)
    return supervisor.start(
        name,
        [*command, "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)],
        env={**_environment(data.absolute(), account, f"http://127.0.0.1:{port}"), **(settings or {})},
        cwd=data,
    )


def await_studio(supervisor: Supervisor, child: Child, url: str, account: Account) -> None:
    """Wait until it serves this account. Raises ProcessFailed, with the end of its log, where it does not come up."""
    with httpx.Client(base_url=url, timeout=5, trust_env=False) as client:
        supervisor.wait_ready(child, lambda: _answers(client), seconds=BOOT_SECONDS)
        me = client.get("/api/current-user/whoami", headers={"Authorization": f"Token {account.token}"}, timeout=60)
    if me.status_code != 200:
        raise ProcessFailed(
            f"Label Studio at {url} does not know the account {account.email} (HTTP {me.status_code}).",
            mend="Its data folder was made with another one: see label-studio in Tiebreak's home folder.",
        )


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def _environment(data: Path, account: Account, url: str) -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed_on | {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_USERNAME": account.email,
        "LABEL_STUDIO_PASSWORD": account.password,
        "LABEL_STUDIO_USER_TOKEN": account.token,
        # Off by default since 1.20, and then `/setup` carries a token nobody can use.
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_HOST": url,
        # Since 1.23 Label Studio refuses backends and webhooks on private addresses, and ours are on loopback.
        "ML_BLOCK_LOCAL_IP": "false",
        "SSRF_PROTECTION_ENABLED": "false",
        "USE_DEFAULT_BANNED_SUBNETS": "false",
        # Nobody's server calls home from here.
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "PYTHONUNBUFFERED": "1",
    }
