"""What the checks look at: each connection opened once, when first asked for, and closed at the end."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import httpx

from ml_backend.labeling.errors import ConfigError, TiebreakError
from ml_backend.queues import Jobs

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio

SECONDS = 5.0
"""For one request to the backend."""


class Patient:
    def __init__(self, settings: Settings, named: str | None = None) -> None:
        self.settings = settings
        self.named = named
        """The project as the caller named it."""
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @cached_property
    def studio(self) -> Studio:
        """Raises StudioUnauthorized where no token is set."""
        from ml_backend.studio import Studio

        studio = Studio.connect(self.settings)
        self._open.callback(studio.close)
        return studio

    @cached_property
    def project(self) -> dict[str, Any]:
        """As Label Studio's API gives it."""
        from sdk_scripts.sources import find_project

        return find_project(str(self.named), self.settings)[1]

    @cached_property
    def jobs(self) -> Jobs:
        """Raises ConfigError, QueueUnavailable."""
        return self._open.enter_context(Jobs(self.settings, timeout=SECONDS))

    def ask_backend(self, path: str, *, signed: bool = True) -> httpx.Response:
        """An answer of the backend at TIEBREAK_BACKEND_URL. Raises ConfigError where that is not set, TiebreakError
        where nothing answers."""
        auth = None
        if signed and self.settings.backend_user and self.settings.backend_password:
            auth = (self.settings.backend_user, self.settings.backend_password.get_secret_value())
        try:
            return httpx.get(f"{self.backend_url}{path}", auth=auth, timeout=SECONDS, trust_env=False)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TiebreakError(
                f"Nothing answers at {self.backend_url}: {error or type(error).__name__}.",
                mend="Start the backend (`tiebreak serve`), or correct TIEBREAK_BACKEND_URL.",
            ) from None

    @property
    def backend_url(self) -> str:
        if self.settings.backend_url is None:
            raise ConfigError(
                "TIEBREAK_BACKEND_URL is not set.", mend="Set it to the address where Label Studio reaches the backend."
            )
        return self.settings.backend_url
