"""What annotators and libraries say cannot forge a line of the log, command a terminal, or carry a secret into it."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from ml_backend.logs import hide_in_logs, set_up_logs
from ml_backend.settings import load_settings, secrets_of, without_credentials
from sdk_scripts.cli.options import print_json, say

HOSTILE = "a\n2026-11-26 [info] all is well\r\x1b[2J\x1b]0;title\x07\x9b31m\u202eevil\u2028b"
MARK = "Zq7/marked+secret"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(params=[Terminal, io.StringIO], ids=["terminal", "file"])
def written(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the log says, set up as in a process of ours with one secret; afterwards logging is as it was."""
    root, level, before = logging.getLogger(), logging.getLogger().level, list(logging.getLogger().handlers)
    configured = structlog.get_config()
    stream = request.param()
    monkeypatch.setattr(sys, "stderr", stream)
    set_up_logs("DEBUG", [MARK])
    structlog.configure(cache_logger_on_first_use=False)
    yield stream
    structlog.configure(**configured)
    root.handlers[:] = before
    root.setLevel(level)


def fail(words: str) -> None:
    raise ValueError(words)


def test_hostile_text_stays_on_its_own_line_and_commands_no_terminal(written: io.StringIO) -> None:
    log = structlog.stdlib.get_logger("tests")
    log.warning(HOSTILE, why=HOSTILE, held=[HOSTILE], named={HOSTILE: HOSTILE})
    logging.getLogger("library").warning("it says %s", HOSTILE)
    said = written.getvalue()
    assert said.count("\n") == 2
    assert "all is well" in said
    coloured = "\x1b" if isinstance(written, Terminal) else ""
    assert not {it for it in said if not it.isprintable()} - {"\n", coloured}
    assert "\x1b[2J" not in said
    assert "\x1b]" not in said


def test_a_traceback_is_lines_of_plain_text(written: io.StringIO) -> None:
    try:
        fail(HOSTILE)
    except ValueError:
        structlog.stdlib.get_logger("tests").exception("broke")
        logging.getLogger("library").exception("broke")
    said = written.getvalue()
    assert "ValueError" in said
    assert not {"\x1b[2J", "\x9b", "\u202e", "\r"} & {it for it in ("\x1b[2J", "\x9b", "\u202e", "\r") if it in said}


@pytest.mark.parametrize("form", [MARK, "Zq7%2Fmarked%2Bsecret"])
def test_a_secret_is_cut_out_of_whatever_says_it(written: io.StringIO, form: str) -> None:
    log = structlog.stdlib.get_logger("tests")
    try:
        fail(f"cannot connect to redis://:{form}@host")
    except ValueError:
        log.exception(f"lost {form}", why=f"about {form}", held=[form])
    logging.getLogger("library").warning("GET %s", f"https://user:{form}@host/")
    assert "Traceback" in written.getvalue()
    assert form not in written.getvalue()
    assert written.getvalue().count("**********") >= 5


def test_secrets_that_are_known_later_are_cut_out_from_then_on(written: io.StringIO) -> None:
    hide_in_logs(["other-secret", 'pässword with "quotes"'])
    structlog.stdlib.get_logger("tests").info("a other-secret b", why='pässword with "quotes"')
    assert "other-secret" not in written.getvalue()
    assert "ssword" not in written.getvalue()


def test_the_settings_name_all_their_secrets_and_the_passwords_in_addresses() -> None:
    settings = load_settings(
        studio_token="token-1", redis_url="redis://:pass%2Fword@host:6379/0", alert_url="https://hooks.example.com/abc",
        llm_url="http://me:llm-word@host/v1", llm_key="key-1", backend_user="me", backend_password="word-1",
        webhook_secret="hook-1", policy_secret="policy secret 16", models_url="ftp://u:models-word@host/x",
    )  # fmt: skip
    assert set(secrets_of(settings)) == {
        "token-1", "redis://:pass%2Fword@host:6379/0", "pass%2Fword", "pass/word", "https://hooks.example.com/abc",
        "llm-word", "key-1", "word-1", "hook-1", "policy secret 16", "models-word",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ftp://u:models-word@host/x@y", "ftp://host/x@y"),
        ("s3://bucket/models@1", "s3://bucket/models@1"),
        ("/srv/a@b/models", "/srv/a@b/models"),
    ],
)
def test_addresses_are_shown_without_credentials(address: str, shown: str) -> None:
    assert without_credentials(address) == shown


def test_commands_print_no_control_character(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    print_json({"label": HOSTILE + "\ud800"})
    printed = capsys.readouterr()
    assert not {it for it in printed.out + printed.err if not it.isprintable()} - {"\n"}
    assert json.loads(printed.out) == {"label": HOSTILE + "\ud800"}
