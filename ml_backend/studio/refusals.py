"""What Label Studio answers when it does not do what it was asked -> errors that say which setting to change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ml_backend.labeling.errors import (
    StudioError,
    StudioNotFound,
    StudioRefused,
    StudioUnauthorized,
    StudioUnreachable,
)

MAX_REASONS = 10
MAX_LENGTH = 300


class NotSent(StudioUnreachable):
    """Nothing happened: there was no connection, or it was turned away at the door (429)."""

    retry_after: float = 0.0
    """Seconds the server asked to be left alone."""


class Unsettled(StudioUnreachable):
    """It was sent and no answer came: it has happened, will happen yet, or not."""


class Refusal(StudioRefused):
    """It refused, and said why."""

    reasons: tuple[str, ...] = ()


NEW_TOKEN = "Set TIEBREAK_STUDIO_TOKEN to a token from Label Studio's Account & Settings page."  # noqa: S105
LEGACY_OFF = (
    "Set TIEBREAK_STUDIO_TOKEN to a personal access token (Account & Settings, Personal Access Token), or let an owner "
    "turn legacy tokens on (Organization, API Tokens Settings)."
)
BANNED_BACKEND = (
    "Start Label Studio with USE_DEFAULT_BANNED_SUBNETS=false; it refuses private and loopback addresses by default."
)
BANNED_WEBHOOK = (
    "Start Label Studio with SSRF_PROTECTION_ENABLED=false, or with USE_DEFAULT_BANNED_SUBNETS=false; it refuses "
    "private and loopback addresses by default."
)


def refusal(status: int, body: Any, *, call: str, url: str, what: str, secret: str) -> StudioError:
    """The error for an answer with a status of 300 or more.

    `call` is the method and path, `what` names the thing asked for ("project 7"), `secret` is cut out of whatever the
    server says.
    """
    reasons = [plain(reason, secret) for reason in reasons_of(body)]
    said = "; ".join(reasons[:MAX_REASONS]) or f"status {status}"
    if len(reasons) > MAX_REASONS:
        said += f"; and {len(reasons) - MAX_REASONS} more"
    where = f"Label Studio at {url}"
    if status == 401:
        legacy = "legacy" in said
        mend = LEGACY_OFF if legacy else NEW_TOKEN + " A legacy token works only where they are turned on."
        return StudioUnauthorized(f"{where} does not accept the token: {said.rstrip('.')}.", mend=mend)
    if status == 403 and "reserved network address" in said:
        mend = BANNED_BACKEND if "/api/ml" in call else BANNED_WEBHOOK
        return StudioRefused(f"{where} refused {call}: {said}.", mend=mend)
    if status == 403:
        return StudioRefused(
            f"{where} refused {call}: {said}.", mend="The account behind TIEBREAK_STUDIO_TOKEN may not do this."
        )
    if status == 404:
        return StudioNotFound(
            f"{where} has no {what or call}.",
            mend="Was it deleted? Is TIEBREAK_STUDIO_URL the Label Studio you mean?",
        )
    if status == 413:
        return StudioRefused(f"{where} refused {call}: the body is too large.", mend="Raise its or its proxy's limit.")
    if status >= 500:
        return StudioError(f"{where} failed on {call} ({status}): {said}.", mend="Its log says more.")
    error = Refusal(f"{where} refused {call} ({status}): {said}.")
    error.reasons = tuple(reasons)
    return error


def reasons_of(body: Any) -> list[str]:
    """Every reason in an error body, with the name of the field it is about."""
    if isinstance(body, dict):
        for key in ("validation_errors", "detail"):
            if body.get(key):
                return list(_flat(body[key]))
    return list(_flat(body))


def _flat(value: Any, field: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, "" if key == "non_field_errors" else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(inner, field)
    elif value not in (None, ""):
        yield f"{field}: {value}" if field else str(value)


_TAG = re.compile(r"<[^<>]*>")


def plain(text: object, secret: str = "") -> str:
    """Text from a server on one short line: no control characters, markup or secret."""
    line = str(text)
    if secret:
        line = line.replace(secret, "(token)")
    line = "".join(c if c.isprintable() else " " for c in _TAG.sub("", line[: 20 * MAX_LENGTH]))
    line = " ".join(line.split())
    return line if len(line) <= MAX_LENGTH else line[: MAX_LENGTH - 1].rstrip() + "…"
