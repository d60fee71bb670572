"""No job has failed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rq.job import Job
from rq.serializers import JSONSerializer

from ml_backend.queues import TRAIN_QUEUE, WORK_QUEUE, reaching
from sdk_scripts.doctor.checks import Check, Looked, register

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient


@register("failed jobs")
class FailedJobs(Check):
    place = 23
    needs = ("redis",)

    def look(self, patient: Patient) -> Looked:
        queues = [patient.jobs.queue(name) for name in (TRAIN_QUEUE, WORK_QUEUE)]
        with reaching():
            ids = [id for queue in queues for id in queue.failed_job_registry.get_job_ids()]
            found = [job for job in Job.fetch_many(ids, patient.jobs.redis, JSONSerializer) if job is not None]
            if not found:
                return Looked(True, "None.")
            newest = max(found, key=lambda job: job.ended_at or job.created_at)
            latest = newest.latest_result()
        lines = ((latest.exc_string if latest else None) or "it was stopped").strip().splitlines()
        return Looked(
            False,
            f"{len(found)} in the last day; the newest, {newest.id}: {lines[-1][:300]}",
            "The worker's log says more. Whatever is still due is planned anew by itself.",
        )
