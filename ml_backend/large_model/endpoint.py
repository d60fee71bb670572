"""One request to an OpenAI-compatible endpoint: repeats, time and size limits, and what it turns out not to take.

EndpointError       a ModelUnavailable, with the reason
├── Refused         this request is wrong for it (too long, say): the next may do
├── Outage          it does not answer, or is overloaded, and was asked often enough
└── Stopped         no request will do: the key, the model or the address is wrong
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Semaphore
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from ml_backend.labeling.errors import UNREADABLE, ConfigError, ModelUnavailable
from ml_backend.large_model.requests import Request, manners_of
from ml_backend.studio.refusals import plain

ATTEMPTS = 4
PATIENCE = 30.0
"""Seconds that a Retry-After is waited for at most."""
MOST_BYTES = 16_000_000
"""Of an answer: twenty ways on for each token add up."""


class EndpointError(ModelUnavailable):
    pass


class Refused(EndpointError):
    pass


class Outage(EndpointError):
    retry_after: float = 0.0
    """Seconds it asked to be left alone."""


class Stopped(EndpointError):
    pass


@dataclass(frozen=True)
class Said:
    text: str
    finish: str
    """Why it ended: "stop", or "length" where it was cut off."""
    logprobs: Any
    input_tokens: int | None
    output_tokens: int | None
    """None where the endpoint does not count them."""


class Endpoint:
    """Thread-safe; at most `concurrency` requests at once."""

    def __init__(
        self, url: str, model: str, key: str = "", *, timeout: float = 60.0, concurrency: int = 4, pause: float = 0.5
    ) -> None:
        """`url` is the base, up to /v1; `timeout` is in seconds for one try, `pause` those before the first repeat
        (doubling from there). Raises ConfigError for what cannot be a key."""
        if key and (not key.isascii() or not key.isprintable() or " " in key):
            raise ConfigError("TIEBREAK_LLM_KEY has characters that no key has.", mend="Set it to the endpoint's key.")
        self.url, self.model, self.timeout = url.rstrip("/"), model, timeout
        self.manners = manners_of(self.url, model)
        self._key, self._pause = key, pause
        self._seats = Semaphore(concurrency)
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {})
        here = (urlsplit(url).hostname or "") in ("localhost", "127.0.0.1", "::1")
        self._http = httpx.Client(headers=headers, timeout=timeout, follow_redirects=False, trust_env=not here)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown!r}, {self.model!r})"

    def close(self) -> None:
        self._http.close()

    def ask(self, request: Request) -> Said:
        """Raises EndpointError."""
        with self._seats:
            retrying = Retrying(
                retry=retry_if_exception_type(Outage),
                stop=stop_after_attempt(ATTEMPTS),
                wait=self._wait,
                reraise=True,
            )
            return retrying(self._settled, request)

    def _settled(self, request: Request) -> Said:
        """Asked again, with less, for as long as it refuses something it can do without."""
        while True:
            body = self.manners.body(self.model, request)
            try:
                return self._once(body)
            except Refused as error:
                if not self.manners.learn(error.what, body):
                    return self._bare(body, error)

    def _bare(self, body: Mapping[str, Any], error: Refused) -> Said:
        """Some do not say what they refuse. What helps is remembered; the text may be what is wrong."""
        bare = {name: body[name] for name in ("model", "messages", self.manners.limit)}
        if bare == body:
            raise error
        try:
            said = self._once(bare)
        except Refused:
            raise error from None
        self.manners.leave_out_all()
        return said

    def _once(self, body: Mapping[str, Any]) -> Said:
        status, headers, content = self._send(body)
        if status == 200:
            return self._said(content)
        said = plain(_reason(content), self._key) or "no reason given"
        where = f"The large model at {self._shown}"
        if status == 403 and "logprobs" in said and "logprobs" in body:  # some of OpenAI's models
            raise Refused(f"{where} refuses the request ({status}): {said}.")
        if status in (401, 403):
            raise Stopped(f"{where} does not accept the key ({status}): {said}.", mend="Check TIEBREAK_LLM_KEY.")
        if status in (402, 404, 405):
            raise Stopped(
                f"{where} does not offer {self.model!r} ({status}): {said}.",
                mend="Check TIEBREAK_LLM_MODEL, and TIEBREAK_LLM_URL, which ends in /v1 with most endpoints.",
            )
        if status == 429 or status >= 500:
            why = "asks for fewer requests" if status == 429 else "fails"
            outage = Outage(f"{where} {why} ({status}): {said}.", mend="Try again later.")
            outage.retry_after = _seconds(headers.get("retry-after"))
            raise outage
        if 300 <= status < 400:
            raise Stopped(
                f"{where} sends requests on to another address ({status}).",
                mend="Set TIEBREAK_LLM_URL to the address that answers itself (https:// rather than http://?).",
            )
        raise Refused(f"{where} refuses the request ({status}): {said}.")

    def _send(self, body: Mapping[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        """httpx limits the time of each read; here it is that of the whole answer."""
        deadline = time.monotonic() + self.timeout
        try:
            with self._http.stream("POST", f"{self.url}/chat/completions", json=body) as response:
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > MOST_BYTES:
                        raise Refused(f"The large model's answer is over {MOST_BYTES // 1_000_000} MB.")
                    if time.monotonic() > deadline:
                        raise httpx.ReadTimeout("too slow")
                return response.status_code, response.headers, bytes(content)
        except httpx.TimeoutException:
            raise Outage(
                f"The large model at {self._shown} did not answer within {self.timeout:g} s.",
                mend="TIEBREAK_LLM_TIMEOUT (seconds) raises the limit.",
            ) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise Stopped(f"{self._shown!r} is not an address.", mend="Check TIEBREAK_LLM_URL.") from None
        except httpx.HTTPError as error:
            raise Outage(
                f"The large model does not answer at {self._shown}: {plain(error, self._key) or type(error).__name__}.",
                mend="Is TIEBREAK_LLM_URL right?",
            ) from None

    def _said(self, content: bytes) -> Said:
        try:
            answer = json.loads(content)
            choice = answer["choices"][0]
            text = choice["message"].get("content")
            usage = answer.get("usage") or {}
            counts = [
                it if isinstance(it := usage.get(name), int) and it >= 0 else None
                for name in ("prompt_tokens", "completion_tokens")
            ]
        except UNREADABLE:
            raise Outage(
                f"{self._shown} does not answer as an OpenAI-compatible endpoint does.",
                mend="Set TIEBREAK_LLM_URL to its base address, up to /v1.",
            ) from None
        return Said(
            text if isinstance(text, str) else "", str(choice.get("finish_reason")), choice.get("logprobs"), *counts
        )

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, Outage) else 0.0
        return max(asked, wait_random_exponential(multiplier=self._pause, max=8.0)(state))

    @property
    def _shown(self) -> str:
        """The address without the password that may be in it."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _reason(content: bytes) -> str:
    try:
        error = json.loads(content[:100_000])
    except (ValueError, RecursionError):
        return ""  # a page of HTML says nothing
    for name in ("error", "message", "detail"):
        error = error.get(name, error) if isinstance(error, dict) else error
    return error if isinstance(error, str) else json.dumps(error)[:2000]


def _seconds(value: str | None) -> float:
    """Of a Retry-After: a number of seconds, or a date."""
    try:
        wait = float(value or 0)
    except ValueError:
        try:
            wait = (parsedate_to_datetime(value or "") - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return 0.0
    return min(PATIENCE, max(0.0, wait))
