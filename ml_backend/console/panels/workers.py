"""Who works: the workers on all machines, what they are at, and when they were last heard of."""

from __future__ import annotations

from typing import Any, cast

from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from ml_backend.console.panels import FromRedis, Panel, register, text
from ml_backend.console.panels._jobs import QUEUES, some_jobs

MOST = 100
"""Workers shown."""
_FIELDS = ("hostname", "pid", "state", "birth", "last_heartbeat", "successful_job_count", "failed_job_count")


@register("workers")
class Workers(Panel):
    where = "redis"

    def collect(self, given: FromRedis) -> dict[str, Any]:
        """rows: name, host, pid, state, job (what and project), heartbeat, since, done, failed; total. A worker that
        died is listed until RQ has missed it, for a minute at the most."""
        connection = given.jobs.redis
        keys = cast("set[bytes]", connection.sunion([WORKERS_BY_QUEUE_KEY % name for name in QUEUES]))
        with connection.pipeline(transaction=False) as pipe:
            for key in sorted(keys)[: 10 * MOST]:
                pipe.hmget(key.decode(), *_FIELDS)
            found = cast("list[list[bytes | None]]", pipe.execute())
        busy = {it.job.worker_name: it for it in some_jobs(given.jobs, ("running",))}
        rows = []
        for key, values in zip(sorted(keys), found, strict=False):
            host, pid, state, birth, beat, done, failed = ((it or b"").decode(errors="replace") for it in values)
            if not birth:  # its entry has expired
                continue
            name = key.decode().rpartition(":")[2]
            at = busy.get(name)
            rows.append(
                {
                    "name": text(name, 80),
                    "host": text(host, 80),
                    "pid": int(pid or 0),
                    "state": text(state, 20) or "starting",
                    "job": {"what": at.what, "project": at.project} if at else None,
                    "heartbeat": beat or None,
                    "since": birth or None,
                    "done": int(done or 0),
                    "failed": int(failed or 0),
                }
            )
        return {"rows": rows[:MOST], "total": len(rows), "busy": sum(it["state"] == "busy" for it in rows)}
