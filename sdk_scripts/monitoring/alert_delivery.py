"""An alert on its way: one POST of bounded time and size, which follows no redirect and names its address nowhere."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis
import structlog

from ml_backend.labeling.errors import ModelUnavailable, TiebreakError
from ml_backend.leases import lease
from ml_backend.redis_connection import reaching
from sdk_scripts.monitoring.alert_formats import FORMATS, Format
from sdk_scripts.monitoring.alerts import Due, Told, due
from sdk_scripts.monitoring.findings_store import FindingsStore

if TYPE_CHECKING:
    from ml_backend.queues import Jobs
    from ml_backend.settings import Settings

log = structlog.stdlib.get_logger()

SECONDS = 15.0
"""For one delivery, answer included."""
MOST_ANSWER = 16_384
"""Bytes that are read of it."""
MOST_WAIT = 86_400.0


class NotDelivered(TiebreakError):
    """`after`: seconds that the receiver asks to wait."""

    status = 502

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(f"The alert was not delivered: {why}.", mend="Check TIEBREAK_ALERT_URL and _FORMAT.")
        self.after = after


@dataclass(frozen=True, slots=True)
class Delivery:
    outcome: str
    """sent; nothing (is to be told); later; failed; off (there is no TIEBREAK_ALERT_URL)."""
    told: int = 0
    """New, worse or cleared findings in the message."""
    why: str = ""


def deliver(settings: Settings, jobs: Jobs, store: FindingsStore, *, now: float | None = None) -> Delivery:
    """Tell what is due of the project, one sender at a time; what cannot be told now is planned for later. A receiver
    that does not take it is an outcome, not an error. Raises ModelUnavailable, QueueUnavailable."""
    key = store.project_key
    if settings.alert_url is None:
        jobs.alerts_due(key, None)
        return Delivery("off")
    with reaching(), lease(jobs.redis, f"tiebreak:alerting:{key}") as ours:
        if not ours:
            return Delivery("later", why="another worker tells it just now")
        told, now = Told.from_json(store.told()), time.time() if now is None else now
        it = due(key, store.standings(), store.acknowledgements(), told, now, pause=settings.alert_seconds)
        if it.message is None:
            jobs.alerts_due(key, it.at)
            return Delivery("later" if it.at else "nothing")
        # planned before it is sent: a sender that dies is followed by another one
        jobs.alerts_due(key, told.failed(now).again)
        try:
            send(settings, FORMATS[settings.alert_format], it, now)
        except NotDelivered as error:
            later = told.failed(now, error.after)
            store.keep_told(later.to_json())
            jobs.alerts_due(key, later.again)
            log.warning("an alert was not delivered", project=key, why=error.what, failures=later.failures)
            return Delivery("failed", why=error.what)
        store.keep_told(it.after.to_json())
        jobs.alerts_due(key, None)
    message = it.message
    n = len(message.found) + message.more + len(message.cleared) + message.cleared_more
    log.info("alert sent", project=key, message=message.id, kind=message.kind, findings=n)
    return Delivery("sent", n)


def deliver_if_possible(settings: Settings, jobs: Jobs, store: FindingsStore) -> Delivery:
    """The same for who has other things to do: an error is logged."""
    try:
        return deliver(settings, jobs, store)
    except (TiebreakError, redis.RedisError) as error:
        log.warning("alerts wait", project=store.project_key, why=str(error))
        return Delivery("failed", why=str(error) if isinstance(error, ModelUnavailable) else "the queues are away")


def send(settings: Settings, to: Format, it: Due, now: float) -> None:
    """Raises NotDelivered, whose words never have the address or the secret in them."""
    if it.message is None or settings.alert_url is None:
        return
    secret = settings.alert_secret.get_secret_value() if settings.alert_secret else ""
    body = json.dumps(to.payload(it.message, secret, now), ensure_ascii=False).encode("utf-8", "replace")
    with _unlogged():
        answer = asyncio.run(_post(settings.alert_url.get_secret_value(), body))
    if why := to.refusal(answer):
        raise NotDelivered(why)


async def _post(url: str, body: bytes) -> bytes:
    import httpx

    headers = {"content-type": "application/json; charset=utf-8", "user-agent": "tiebreak"}
    headers["accept-encoding"] = "identity"  # so that what is read is what was sent
    try:
        async with (
            asyncio.timeout(SECONDS),
            httpx.AsyncClient(timeout=SECONDS, follow_redirects=False, trust_env=not _is_here(url)) as client,
            client.stream("POST", url, content=body, headers=headers) as response,
        ):
            answer = b""
            async for piece in response.aiter_bytes():
                answer += piece
                if len(answer) > MOST_ANSWER:
                    break
            status, asked = response.status_code, response.headers.get("retry-after", "")
    except TimeoutError:
        raise NotDelivered(f"the receiver did not answer within {SECONDS:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:  # their words may hold the address
        raise NotDelivered(f"the receiver cannot be reached ({type(error).__name__})") from None
    if 300 <= status < 400:
        raise NotDelivered(f"the receiver redirects (status {status}), which is not followed")
    if status >= 300:
        raise NotDelivered(f"the receiver answered with status {status}", _seconds(asked))
    return answer[:MOST_ANSWER]


@contextmanager
def _unlogged() -> Iterator[None]:
    """httpx logs the address of every request, where it may log at all; not those of this thread meanwhile."""
    mine, logger = threading.get_ident(), logging.getLogger("httpx")

    def others(record: logging.LogRecord) -> bool:
        return record.thread != mine

    logger.addFilter(others)
    try:
        yield
    finally:
        logger.removeFilter(others)


def _seconds(asked: str) -> float:
    """Of a Retry-After header; 0 where it is a date or nothing."""
    with suppress(ValueError):
        return min(max(float(asked), 0.0), MOST_WAIT)
    return 0.0


def _is_here(url: str) -> bool:
    """No proxy leads to this machine."""
    from urllib.parse import urlsplit

    with suppress(ValueError):
        return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    return False


def summary(it: Delivery) -> dict[str, Any]:
    return {"outcome": it.outcome, "told": it.told, **({"why": it.why} if it.why else {})}
