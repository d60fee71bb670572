"""Workers run, reach what they need, and are set up as this machine is."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ml_backend.model_files import ModelFiles
from ml_backend.queues import WORK_QUEUE
from ml_backend.redis_connection import reaching
from sdk_scripts.doctor.checks import Check, Looked, register
from sdk_scripts.doctor.jobs import LOOK_JOB, setup_of
from sdk_scripts.doctor.marker import Marker

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient

SECONDS = 30.0
"""How long a worker may take to answer: one that works on something answers later."""


@register("workers")
class Workers(Check):
    place = 21
    needs = ("redis",)

    def look(self, patient: Patient) -> Looked:
        running = patient.jobs.workers()
        if running:
            return Looked(True, f"{running} running.")
        return Looked(False, "None is running.", "Start one with `tiebreak worker`; as many as you like, anywhere.")


@register("worker's work")
class Work(Check):
    """A worker is given a job, which looks at what it reaches."""

    place = 22
    needs = ("workers", "models")

    def look(self, patient: Patient) -> Looked:
        files = ModelFiles(patient.settings.models)
        with Marker(files) as marker:
            answer = self._ask(patient, marker.name)
            ours = setup_of(patient.settings, marker.name)
        if answer is None:
            return Looked(None, f"No worker was free within {SECONDS:.0f} s.", "Start more workers, or ask again.")
        where = f"The worker on {answer['host']}"
        if answer["studio"]:
            return Looked(False, f"{where}: {answer['studio']}", answer["mend"])
        if not answer["marker"]:
            return Looked(
                False,
                f"{where} does not see our models; it keeps its own at {answer['models']}.",
                "Set TIEBREAK_MODELS_URL to the same storage on all machines.",
            )
        for name, value in ours.items():
            if answer["setup"].get(name) != value:
                return Looked(
                    False,
                    f"{where} has another {name} than this machine.",
                    "Set all machines up alike: the same version of Tiebreak and the same settings.",
                )
        return Looked(True, f"{where} reaches Label Studio and the models. Tiebreak {version('tiebreak')}.")

    def _ask(self, patient: Patient, marker: str) -> dict[str, Any] | None:
        queue = patient.jobs.queue(WORK_QUEUE)
        with reaching():
            job = queue.enqueue(LOOK_JOB, args=(marker,), at_front=True, job_timeout=60, ttl=60, result_ttl=60)
            try:
                until = time.monotonic() + SECONDS
                while time.monotonic() < until:
                    if job.is_finished:
                        found = job.return_value()
                        return found if isinstance(found, dict) else None
                    if job.is_failed:
                        return None
                    time.sleep(0.1)
                return None
            finally:
                job.delete()
