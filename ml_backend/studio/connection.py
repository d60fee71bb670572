"""One call to Label Studio: sign-in, repeats, time limits, JSON."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from ml_backend.labeling.arms import Arms
from ml_backend.labeling.errors import StudioError, StudioNotFound, StudioRefused, StudioUnauthorized, StudioUnreachable
from ml_backend.studio.payloads import encode
from ml_backend.studio.refusals import NEW_TOKEN, NotSent, Unsettled, plain, reasons_of, refusal
from ml_backend.studio.trail import Trail

if TYPE_CHECKING:
    from label_studio_sdk.base_client import LabelStudioBase

ATTEMPTS = 4
LOOKS = 4
"""At what was made, where no answer came, before it is made again."""
_CHANGING = re.compile(
    r"PATCH /api/(projects|tasks|annotations|predictions|dm/views|webhooks|ml)/\d+/?"
    r"|DELETE /api/(annotations|dm/views|webhooks|ml)/\d+/?"
)
"""What is read before it is changed, so that the trail can take it back."""
BULK_SECONDS = 300.0
"""The least time a bulk import is given: Label Studio does it inside the request."""


class Connection:
    """Calls Label Studio's API. The SDK is imported, and the first byte sent, with the first call."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float = 60.0,
        public_url: str | None = None,
        pause: float = 0.5,
        policy_secret: str = "",
        transport: httpx.BaseTransport | None = None,
        trail: Trail | None = None,
    ) -> None:
        """`timeout` is in seconds for one call, `pause` those before the first repeat (doubling from there);
        `public_url` is where people reach the server, if not at `url`; `policy_secret` opens seals (`labeling.arms`);
        `trail` is told of every change.

        Raises StudioUnauthorized for what cannot be a token.
        """
        if not token.isascii() or not token.isprintable() or " " in token:
            raise StudioUnauthorized("The token for Label Studio has characters that no token has.", mend=NEW_TOKEN)
        self.url = url.rstrip("/")
        self.public_url = (public_url or url).rstrip("/")
        self.timeout = timeout
        self.arms = Arms(policy_secret)
        self._token = token
        self._pause = pause
        self._transport = transport
        self._trail = trail
        if trail is not None:
            trail.url = self._shown
        self._sdk: LabelStudioBase | None = None
        self._opening = Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown!r})"

    def close(self) -> None:
        """Closes the connections that are open; a later call opens new ones."""
        with self._opening:
            if self._sdk is not None:
                self._sdk._client_wrapper.httpx_client.httpx_client.close()
                self._sdk = None

    @property
    def _shown(self) -> str:
        """The address without the password that may be in it."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def _get(self, path: str, params: Mapping[str, Any] | None = None, *, what: str = "") -> Any:
        return self._call("GET", path, params=params, what=what)

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        timeout: float | None = None,
        repeatable: bool | None = None,
        known: Mapping[str, Any] | None = None,
        what: str = "",
    ) -> Any:
        """The JSON that was answered, or None where there was none.

        What surely did not happen is tried again; so is what may have happened, where doing it twice is as good as
        once (`repeatable`; every method but POST unless told). `known` is for the trail: what the caller knows that an
        undo needs; without it, what is to be changed is read first. Raises a StudioError: NotSent or Unsettled where
        it stayed without an answer.
        """
        outcome: Any = None
        if self._trail is not None and known is None and _CHANGING.fullmatch(f"{method} {path}"):
            known = {"before": self.stored(path)}
        try:
            outcome = self._repeated(method, path, params, json, content, timeout, repeatable, what)
        except StudioError as error:
            outcome = error
            raise
        finally:
            if self._trail is not None:
                self._trail.note(method, path, params, content if json is None else json, outcome, known)
        return outcome

    def stored(self, path: str) -> dict[str, Any] | None:
        """What is at an address of the API; None where nothing is, or nothing that this account may see."""
        try:
            found = self._get(path, {"resolve_uri": "false"} if path.startswith("/api/tasks/") else None)
        except (StudioNotFound, StudioRefused):
            return None
        return found if isinstance(found, dict) else None

    def _repeated(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        json: Any,
        content: bytes | None,
        timeout: float | None,
        repeatable: bool | None,
        what: str,
    ) -> Any:
        again = method != "POST" if repeatable is None else repeatable
        content = encode(json) if json is not None else content

        def worth_it(error: BaseException) -> bool:
            return isinstance(error, NotSent) or (again and isinstance(error, Unsettled))

        retrying = Retrying(
            retry=retry_if_exception(worth_it), stop=stop_after_attempt(ATTEMPTS), wait=self._wait, reraise=True
        )
        for attempt in retrying:
            with attempt:
                try:
                    return self._once(method, path, params, content, timeout or self.timeout, what)
                except StudioNotFound:
                    if method == "DELETE" and attempt.retry_state.attempt_number > 1:
                        return None  # the attempt whose answer was lost did it
                    raise
        raise AssertionError("unreachable: tenacity raises the last error")

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, NotSent) else 0.0
        return max(asked, wait_random_exponential(multiplier=self._pause, max=8.0)(state))

    def _create(
        self,
        path: str,
        fields: Mapping[str, Any],
        *,
        same: Callable[[], dict[str, Any] | None],
        what: str = "",
    ) -> dict[str, Any]:
        """POST something new. Where no answer came, `same` looks for it among what is there before it is sent again; a
        few times, as Label Studio may still be at it."""
        try:
            return self._call("POST", path, json=fields, what=what)
        except Unsettled:
            for attempt in range(LOOKS):
                if (made := same()) is not None:
                    return made
                time.sleep(self._pause * 2**attempt)
            return same() or self._call("POST", path, json=fields, what=what)

    def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        content: bytes | None,
        timeout: float,
        what: str,
        *,
        signing_in_again: bool = False,
    ) -> Any:
        response = self._send(method, path, params, content, timeout)
        status = response.status_code
        if status == 401 and not signing_in_again and self._forget_access_token():
            return self._once(method, path, params, content, timeout, what, signing_in_again=True)
        if status == 429:
            error = NotSent(f"Label Studio at {self._shown} asks for fewer calls (429).", mend="Try again later.")
            error.retry_after = _seconds(response.headers.get("retry-after"))
            raise error
        if status in (502, 503, 504):
            raise Unsettled(
                f"Label Studio at {self._shown} is not there or too slow: {status} to {method} {path}.",
                mend="Start it, or look at the proxy that TIEBREAK_STUDIO_URL names.",
            )
        if 300 <= status < 400:
            target = plain(response.headers.get("location", ""), self._token)
            raise StudioError(
                f"Label Studio at {self._shown} sends {method} {path} on to {target or 'nowhere'} ({status}).",
                mend="Set TIEBREAK_STUDIO_URL to the address that answers itself (https:// rather than http://?).",
            )
        if status >= 300:
            raise refusal(
                status, _body(response), call=f"{method} {path}", url=self._shown, what=what, secret=self._token
            )
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            raise StudioError(
                f"{self._shown} did not answer {method} {path} as Label Studio does (no JSON).",
                mend="Set TIEBREAK_STUDIO_URL to where Label Studio runs, without a page's path.",
            ) from None

    def _send(
        self, method: str, path: str, params: Mapping[str, Any] | None, content: bytes | None, timeout: float
    ) -> httpx.Response:
        from label_studio_sdk.core.api_error import ApiError

        options = {"timeout_in_seconds": timeout, "max_retries": 0}
        headers = {"Content-Type": "application/json"} if content is not None else None
        try:
            return self._client()._client_wrapper.httpx_client.request(
                path,
                method=method,
                params=dict(params) if params else None,
                content=content,
                headers=headers,
                request_options=options,
            )
        except ApiError as error:  # the exchange of a personal access token, or an expired one
            if error.status_code == 401 or error.status_code is None:
                said = "; ".join(plain(reason, self._token) for reason in reasons_of(error.body)) or "no reason given"
                raise StudioUnauthorized(
                    f"Label Studio at {self._shown} does not accept the personal access token: {said}.", mend=NEW_TOKEN
                ) from None
            raise refusal(
                error.status_code, error.body, call="the token", url=self._shown, what="", secret=self._token
            ) from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotSent(
                f"Label Studio does not answer at {self._shown}: {plain(error, self._token) or 'no connection'}.",
                mend="Start it, or set TIEBREAK_STUDIO_URL to where it runs.",
            ) from None
        except httpx.TimeoutException:
            raise Unsettled(
                f"Label Studio at {self._shown} did not answer {method} {path} within {timeout:g} s.",
                mend="Is it overloaded? TIEBREAK_STUDIO_TIMEOUT (seconds) raises the limit.",
            ) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise StudioUnreachable(
                f"{self._shown!r} is not an address.",
                mend="Set TIEBREAK_STUDIO_URL to something like http://host:8080.",
            ) from None
        except httpx.HTTPError as error:
            raise Unsettled(
                f"The connection to Label Studio at {self._shown} broke during {method} {path}: "
                f"{plain(error, self._token) or type(error).__name__}.",
                mend="Did it stop? Is TIEBREAK_STUDIO_URL right?",
            ) from None
        except ValueError:  # the SDK reads whatever answers its exchange of tokens as JSON
            raise StudioError(
                f"{self._shown} did not answer as Label Studio does.",
                mend="Set TIEBREAK_STUDIO_URL to where Label Studio runs, without a page's path.",
            ) from None

    def _client(self) -> LabelStudioBase:
        from label_studio_sdk.base_client import LabelStudioBase

        with self._opening:
            if self._sdk is None:
                # The SDK's default of following redirects would turn a POST into a GET.
                http = httpx.Client(
                    timeout=self.timeout,
                    follow_redirects=False,
                    transport=self._transport,
                    trust_env=not _is_here(self.url),
                )
                # Its exchange of tokens drops the last part of a base URL that has no slash at its end.
                self._sdk = LabelStudioBase(base_url=f"{self.url}/", api_key=self._token, httpx_client=http)
            return self._sdk

    def _forget_access_token(self) -> bool:
        """A personal access token's short-lived half may be refused although this clock thinks it good."""
        tokens = self._client()._client_wrapper._tokens_client
        if tokens._use_legacy_token or tokens._access_token is None:
            return False
        tokens._access_token = None
        return True


def _is_here(url: str) -> bool:
    """On this machine, where the environment's proxy has no business."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _body(response: httpx.Response) -> Any:
    if "json" not in response.headers.get("content-type", ""):
        return None  # a page of HTML says nothing
    try:
        return response.json()
    except ValueError:
        return None


def _seconds(value: str | None) -> float:
    try:
        return min(max(float(value or 0), 0.0), 30.0)
    except ValueError:
        return 0.0
