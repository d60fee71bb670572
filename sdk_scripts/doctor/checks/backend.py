"""The backend answers where Label Studio is told to look for it, and takes our credentials."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from sdk_scripts.doctor.checks import Check, Looked, register

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient

MEND = "Is it another service? Correct TIEBREAK_BACKEND_URL."


@register("backend")
class Backend(Check):
    place = 40

    def look(self, patient: Patient) -> Looked:
        health = patient.ask_backend("/health", signed=False)
        said = _json(health)
        if said.get("model_class") != "TiebreakModel":
            return Looked(False, f"What answers at {patient.backend_url} is not Tiebreak's backend.", MEND)
        answer = patient.ask_backend("/version")
        if answer.status_code == 401:
            return Looked(
                False,
                f"{patient.backend_url} does not accept our user and password.",
                "Set TIEBREAK_BACKEND_USER and TIEBREAK_BACKEND_PASSWORD as they are where it runs.",
            )
        ours, theirs = version("tiebreak"), _json(answer).get("version")
        if theirs != ours:
            return Looked(
                False, f"{patient.backend_url} runs Tiebreak {theirs}; this is {ours}.", "Upgrade the older one."
            )
        if not said.get("ready"):
            return Looked(
                False,
                f"{patient.backend_url} answers, but its encoder is not loaded.",
                "Wait a minute after its start; then its log says what is wrong.",
            )
        return Looked(True, f"{patient.backend_url} is ready.")


def _json(answer: object) -> dict[str, object]:
    try:
        said = answer.json()  # type: ignore[attr-defined]  # httpx's
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
