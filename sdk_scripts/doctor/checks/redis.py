"""Redis answers, keeps what it is told, and its clock is ours."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from ml_backend.redis_connection import reaching
from sdk_scripts.doctor.checks import Check, Looked, register

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient

MOST_SKEW = 5.0
"""Seconds between two clocks: jobs are planned by the clock."""


@register("redis")
class Redis(Check):
    place = 20

    def look(self, patient: Patient) -> Looked:
        with reaching():
            redis = patient.jobs.redis
            info = redis.info("server")
            seconds, micros = redis.time()
            settings = self._settings(redis)
        name = f"{info.get('server_name', 'redis').title()} {info.get('valkey_version') or info.get('redis_version')}"
        skew = abs(seconds + micros / 1e6 - time.time())
        if skew > MOST_SKEW:
            return Looked(False, f"The clock of {name} is {skew:.0f} s off ours.", "Set both machines' clocks by NTP.")
        if settings.get("maxmemory-policy", "noeviction") != "noeviction" and settings.get("maxmemory") != "0":
            return Looked(
                False,
                f"{name} may throw jobs away when it is full (maxmemory-policy {settings['maxmemory-policy']}).",
                "Set maxmemory-policy noeviction.",
            )
        if settings.get("appendonly") == "no":
            return Looked(
                False,
                f"{name} forgets what it was told last when it dies (appendonly no).",
                "Set appendonly yes. What is lost, polling finds again, but later.",
            )
        return Looked(True, f"{name} answers" + (" and keeps what it is told." if settings else "."))

    def _settings(self, redis: Any) -> dict[str, str]:
        """Empty where the server does not tell (managed ones do not)."""
        try:
            return redis.config_get("appendonly", "maxmemory", "maxmemory-policy")
        except ResponseError:
            return {}
