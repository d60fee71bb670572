"""No job has failed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_backend.failed_jobs import failed_jobs
from sdk_scripts.doctor.checks import Check, Looked, register

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient


@register("failed jobs")
class FailedJobs(Check):
    place = 23
    needs = ("redis",)

    def look(self, patient: Patient) -> Looked:
        found = failed_jobs(patient.jobs)
        if not found:
            return Looked(True, "None.")
        newest = found[0]
        return Looked(
            False,
            f"{len(found)} in the last week; the newest, {newest.id}: {newest.why}",
            "`tiebreak jobs list` shows them. Mend what they name, then `tiebreak jobs retry --all`, or `drop` them.",
        )
