"""A client of Redis, or of the bundled Valkey while it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ml_backend.labeling.errors import ConfigError, QueueUnavailable
from ml_backend.settings import Settings
from ml_backend.valkey import Valkey


class RedisConnection:
    """A context manager. Entering it raises ConfigError or QueueUnavailable."""

    def __init__(self, settings: Settings, *, timeout: float | None = None) -> None:
        self.settings = settings
        self._timeout = timeout
        self._bundled = None if settings.redis_url else Valkey(settings.home.absolute() / "valkey")
        self._redis: redis.Redis | None = None

    def __enter__(self) -> Self:
        if self._bundled is not None:
            url = self._bundled.start().url
        else:
            url = self.settings.redis_url.get_secret_value() if self.settings.redis_url else ""
        limits: dict[str, Any] = {"socket_connect_timeout": self._timeout or 5.0}
        if self._bundled is None and self.settings.redis_password:
            limits["password"] = self.settings.redis_password.get_secret_value()  # one in the URL comes first
        if self._timeout is not None:
            limits |= {"socket_timeout": self._timeout, "retry": Retry(NoBackoff(), 0)}
        try:
            self._redis = redis.Redis.from_url(url, health_check_interval=30, **limits)
        except ValueError:
            raise ConfigError(
                "TIEBREAK_REDIS_URL is not a Redis URL.",  # what is wrong with it may be the password
                mend="Write redis://:password@host:6379/0, with / # ? % of the password as %2F %23 %3F %25.",
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._redis is not None:
            self._redis.close()
        self._redis = None
        if self._bundled is not None:
            self._bundled.stop()

    def revive(self) -> None:
        """Start the bundled Valkey again where it died; its port and password stay. Another Redis is left alone."""
        if self._bundled is not None and self._redis is not None:
            self._bundled.start()

    @property
    def redis(self) -> redis.Redis:
        if self._redis is None:
            raise QueueUnavailable("The queues are not open yet.", mend="Try again in a moment.")
        return self._redis


@contextmanager
def connect_redis(settings: Settings, *, timeout: float | None = None) -> Iterator[redis.Redis]:
    """A client of TIEBREAK_REDIS_URL, or of the bundled Valkey, which runs at least as long as this is open.

    With `timeout` (seconds) a call fails after that long, and is not tried again. Raises ConfigError, QueueUnavailable.
    """
    with RedisConnection(settings, timeout=timeout) as connection:
        yield connection.redis


def redis_time(connection: redis.Redis) -> float:
    """Unix seconds by the clock that all machines share: Redis'."""
    seconds, micros = connection.time()
    return float(seconds + micros / 1e6)


@contextmanager
def reaching() -> Iterator[None]:
    """Errors of Redis become QueueUnavailable."""
    try:
        yield
    except redis.RedisError as error:
        raise QueueUnavailable(
            f"Redis cannot be used: {str(error).rstrip('.')}.", mend="Start it, or correct TIEBREAK_REDIS_URL."
        ) from error
