"""What the large model cost: today, and in the seven days up to it (UTC)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from ml_backend.console.panels import FromRedis, Panel, newest, register
from ml_backend.large_model import RedisLedger
from ml_backend.large_model.ledger import Day
from ml_backend.project_state import known_projects

DAYS = 7
_SUMS = ("requests", "input_tokens", "output_tokens", "money", "labels", "seconds")


@register("large_model")
class LargeModelSpend(Panel):
    where = "redis"

    def collect(self, given: FromRedis) -> dict[str, Any]:
        """rows, one a project that asked it: today and week, each with requests, input_tokens, output_tokens, money (as
        the project's policy prices tokens), labels (answers), seconds; whether there is one (`on`)."""
        today = datetime.now(UTC).date()
        rows = []
        for key in newest(known_projects(given.jobs.redis)):
            ledger = RedisLedger(given.jobs.redis, key)
            days = [ledger.day((today - timedelta(days=ago)).isoformat()) for ago in range(DAYS)]
            if any(day.requests for day in days):
                rows.append({"key": key, "today": _sums(days[:1]), "week": _sums(days)})
        return {"rows": rows, "on": given.settings.llm_url is not None}


def _sums(days: list[Day]) -> dict[str, float]:
    each = [asdict(day) for day in days]
    return {name: round(sum(day[name] for day in each), 6) for name in _SUMS}
