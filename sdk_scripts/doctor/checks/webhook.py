"""Webhooks come through."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from ml_backend.studio.refusals import BANNED_WEBHOOK
from sdk_scripts.doctor.checks import Looked, OfProject, register

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient

SYNC = "Run `tiebreak sync --apply`, which mends it; labels are found by polling meanwhile."
SECONDS = 5.0
"""For Label Studio to send one."""


@register("webhook")
class Webhook(OfProject):
    """The project is saved as it is, so that Label Studio sends one; the backend counts those that arrive."""

    place = 52
    needs = ("connection", "backend")

    def look(self, patient: Patient) -> Looked:
        url, project = f"{patient.backend_url}/webhook", patient.project["id"]
        hook = next(
            (one for one in patient.studio.webhooks(project) if str(one["url"]).rstrip("/") == url),
            None,
        )
        if hook is None:
            return Looked(False, f"The project has no webhook to {url}.", SYNC)
        if not hook["is_active"] or not (hook["send_for_all_actions"] or hook["actions"]):
            return Looked(False, f"The webhook to {url} is switched off.", SYNC)
        if not hook["send_payload"]:
            return Looked(False, f"The webhook to {url} does not say what happened.", SYNC)
        if not hook["send_for_all_actions"] and "PROJECT_UPDATED" not in hook["actions"]:
            return Looked(None, f"The webhook to {url} is there; it does not send what could be tried.")
        before = _arrived(patient)
        patient.studio.update_project(project, {"title": patient.project["title"]})
        until = time.monotonic() + SECONDS
        while (now := _arrived(patient)) == before:
            if time.monotonic() > until:
                return Looked(
                    False,
                    f"Label Studio's webhook to {url} does not arrive.",
                    f"{BANNED_WEBHOOK} Behind a balancer another backend may have got it: then ask again.",
                )
            time.sleep(0.1)
        if now.get("401", 0) > before.get("401", 0):
            return Looked(
                False,
                f"The webhook to {url} does not bear its project's secret, which comes from TIEBREAK_WEBHOOK_SECRET.",
                SYNC,
            )
        return Looked(True, f"Label Studio's webhook to {url} arrives.")


def _arrived(patient: Patient) -> Mapping[str, Any]:
    """Status -> how many webhooks were answered with it."""
    text = patient.ask_backend("/metrics").text
    return {
        sample.labels["status"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "tiebreak_requests_total" and sample.labels.get("path") == "/webhook"
    }
