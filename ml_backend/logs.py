"""structlog on stderr: lines for people on a terminal, JSON elsewhere; standard library loggers go the same way.

What is logged holds text of annotators and tasks, and words of libraries: no secret of the settings gets through in
any of it, and nothing of it is a new line or a command to the terminal.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from io import StringIO
from typing import Any, TextIO
from urllib.parse import quote

import structlog

HIDDEN = "**********"
SHORTEST = 6
"""Shorter secrets stand in too many words to be cut out of them."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CONTROL_IN_LINES = re.compile(_CONTROL.pattern.replace("x1f", "x08\\x0b-\\x1f"))
SECRETS = ("token", "password", "secret", "authorization", "redis_url", "alert_url")


def set_up_logs(level: str = "INFO", secrets: Iterable[str] = ()) -> None:
    """For a process of our own (backend, worker), once at its start; libraries and tests are left alone. `secrets` are
    cut out of every line, whatever it is that says them."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    terminal = sys.stderr.isatty()
    render: list[structlog.types.Processor] = (
        [harmless, structlog.dev.ConsoleRenderer(exception_formatter=_traceback)]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    )
    # The standard library's handlers survive the fork of a worker; structlog's own writers hold locks that do not.
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        Formatter(
            secrets,
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("httpx", "httpcore", "rq.worker", "rq.scheduler", "rq.job", "sentence_transformers", "filelock"):
        logging.getLogger(name).setLevel(level if level in ("DEBUG", "ERROR") else logging.WARNING)


class Formatter(structlog.stdlib.ProcessorFormatter):
    """Cuts secrets out of what was made of a record: its message, its values, its traceback."""

    def __init__(self, secrets: Iterable[str], **options: Any) -> None:
        super().__init__(**options)
        self.hide(secrets)

    def hide(self, secrets: Iterable[str]) -> None:
        written = {
            form for it in secrets if len(it) >= SHORTEST for form in (it, json.dumps(it)[1:-1], quote(it, safe=""))
        }
        longest_first = sorted(written, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if written else None

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return self._secrets.sub(HIDDEN, line) if self._secrets else line


def hide_in_logs(secrets: Iterable[str]) -> None:
    """Where `set_up_logs` was called before the settings were known."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, Formatter):
            handler.formatter.hide(secrets)


def harmless(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor for terminals: control characters show as what they are."""
    for key, value in event.items():
        if isinstance(value, str) and key not in ("exception", "stack"):
            event[key] = _CONTROL.sub(_shown, value)
        elif isinstance(value, str):
            event[key] = _CONTROL_IN_LINES.sub(_shown, value)
    return event


def _shown(control: re.Match[str]) -> str:
    return control[0].encode("unicode_escape").decode()


def _traceback(to: TextIO, exc_info: Any) -> None:
    """Without the values of variables, which the one that structlog prefers shows."""
    plain = StringIO()
    structlog.dev.plain_traceback(plain, exc_info)
    to.write(_CONTROL_IN_LINES.sub(_shown, plain.getvalue()))


def hide_secrets(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: values of keys that name a secret never reach a log."""
    for key in event:
        if any(secret in key.lower() for secret in SECRETS):
            event[key] = HIDDEN
    return event
