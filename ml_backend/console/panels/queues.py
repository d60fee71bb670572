"""How long the queues are."""

from __future__ import annotations

from typing import Any

from ml_backend.console.panels import FromRedis, Panel, register
from ml_backend.console.panels._jobs import QUEUES, REGISTRIES, registry_key


@register("queues")
class Queues(Panel):
    where = "redis"

    def collect(self, given: FromRedis) -> dict[str, Any]:
        """rows: queue, and how many jobs are waiting, running, scheduled, deferred, failed and finished. Failed
        ones are kept for a week, finished ones for a day."""
        queues = [given.jobs.queue(name) for name in QUEUES]
        with given.jobs.redis.pipeline(transaction=False) as pipe:
            for queue in queues:
                pipe.llen(queue.key)
                for state in REGISTRIES:
                    pipe.zcard(registry_key(state, queue))
            counts = iter(pipe.execute())
        return {"rows": [{"queue": it.name, **{s: next(counts) for s in ("waiting", *REGISTRIES)}} for it in queues]}
