"""Alerts that wait to be sent."""

from __future__ import annotations

from typing import Any, cast

from ml_backend.console.panels import FromRedis, Panel, register, text, when
from ml_backend.project_state import ALERTS

MOST = 50


@register("alerts")
class Alerts(Panel):
    where = "redis"

    def collect(self, given: FromRedis) -> dict[str, Any]:
        """rows: project, and when its alert is due, the first ones; total; whether anybody is to be told (`on`)."""
        with given.jobs.redis.pipeline(transaction=False) as pipe:
            pipe.zrange(ALERTS, 0, MOST - 1, withscores=True)
            pipe.zcard(ALERTS)
            first, total = cast("tuple[list[tuple[bytes, float]], int]", pipe.execute())
        rows = [{"project": text(key.decode(errors="replace"), 60), "due": when(at)} for key, at in first]
        return {"rows": rows, "total": total, "on": given.settings.alert_url is not None}
