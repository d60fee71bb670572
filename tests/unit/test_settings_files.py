"""Settings from files: `TIEBREAK_<NAME>_FILE`, as containers get their secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml_backend.labeling.errors import ConfigError
from ml_backend.settings import FILE_CHARACTERS, Settings, load_settings, named_secret


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("correct horse battery\n")
    return file


def test_a_secret_is_read_from_its_file_without_the_line_end(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_POLICY_SECRET_FILE", str(secret))
    settings = load_settings()
    assert settings.policy_secret.get_secret_value() == "correct horse battery"
    assert "horse" not in repr(settings) + str(settings)


@pytest.mark.parametrize(("written", "read"), [("a b \r\n", "a b "), ("päss\n\n", "päss"), ("\n", None), ("", None)])
def test_only_line_ends_are_taken_off_and_an_empty_file_sets_nothing(
    written: str, read: str | None, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret.write_bytes(written.encode())
    monkeypatch.setenv("TIEBREAK_LLM_KEY_FILE", str(secret))
    key = load_settings().llm_key
    assert (key.get_secret_value() if key else None) == read


def test_the_name_of_a_file_may_stand_in_dotenv(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dotenv = secret.with_name("dotenv")
    dotenv.write_text(f"TIEBREAK_STUDIO_TOKEN_FILE={secret}\n")
    monkeypatch.setitem(Settings.model_config, "env_file", str(dotenv))
    assert load_settings().studio_token.get_secret_value() == "correct horse battery"
    assert load_settings(studio_token="given").studio_token.get_secret_value() == "given"  # as an argument wins


def test_a_secret_that_a_project_names_may_be_in_a_file_too(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUCKET_KEY_FILE", str(secret))
    found = named_secret("BUCKET_KEY")
    assert found is not None
    assert found.get_secret_value() == "correct horse battery"
    monkeypatch.setenv("BUCKET_KEY_FILE", str(secret.parent / "none"))
    with pytest.raises(ConfigError, match=r"BUCKET_KEY_FILE: .*/none cannot be read"):
        named_secret("BUCKET_KEY")


def test_every_file_that_cannot_be_used_is_named_with_the_reason_and_no_content(
    tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "long").write_text("x" * (FILE_CHARACTERS + 1))
    given = {"STUDIO_TOKEN": "none", "LLM_KEY": ".", "ALERT_SECRET": "binary", "WEBHOOK_SECRET": "long"}
    for name, file in given.items():
        monkeypatch.setenv(f"TIEBREAK_{name}_FILE", str(tmp_path / file))
    monkeypatch.setenv("TIEBREAK_BACKEND_PASSWORD", "horse")
    monkeypatch.setenv("TIEBREAK_BACKEND_PASSWORD_FILE", str(secret))
    with pytest.raises(ConfigError) as told:
        load_settings()
    assert told.value.reasons == (
        f"TIEBREAK_ALERT_SECRET_FILE: {tmp_path}/binary is not UTF-8 text",
        "TIEBREAK_BACKEND_PASSWORD and TIEBREAK_BACKEND_PASSWORD_FILE are both set; take one away",
        f"TIEBREAK_LLM_KEY_FILE: {tmp_path} cannot be read (Is a directory)",
        f"TIEBREAK_STUDIO_TOKEN_FILE: {tmp_path}/none cannot be read (No such file or directory)",
        f"TIEBREAK_WEBHOOK_SECRET_FILE: {tmp_path}/long is too long for a secret",
    )
    assert "horse" not in str(told.value)


def test_a_value_from_a_file_is_checked_like_any_other(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret.write_text("short")
    monkeypatch.setenv("TIEBREAK_POLICY_SECRET_FILE", str(secret))
    with pytest.raises(ConfigError, match=r"TIEBREAK_POLICY_SECRET: .*16 characters") as told:
        load_settings()
    assert "short" not in str(told.value)
