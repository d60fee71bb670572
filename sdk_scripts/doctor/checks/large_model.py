"""The large model's endpoint answers, where one is set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from sdk_scripts.doctor.checks import Check, Looked, register
from sdk_scripts.doctor.patient import SECONDS

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient

MEND = "Correct TIEBREAK_LLM_URL, TIEBREAK_LLM_MODEL or TIEBREAK_LLM_KEY."


@register("large model")
class LargeModel(Check):
    """Asked for its list of models, which costs nothing."""

    place = 41

    def look(self, patient: Patient) -> Looked:
        settings = patient.settings
        if settings.llm_url is None:
            return Looked(None, "None is set: TIEBREAK_LLM_URL.")
        headers = {"Authorization": f"Bearer {settings.llm_key.get_secret_value()}"} if settings.llm_key else {}
        try:
            answer = httpx.get(f"{settings.llm_url}/models", headers=headers, timeout=SECONDS, follow_redirects=False)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Looked(False, f"Nothing answers at {settings.llm_url}: {type(error).__name__}.", MEND)
        if answer.status_code in (401, 403):
            return Looked(False, f"{settings.llm_url} does not accept the key.", MEND)
        if answer.status_code >= 500:
            return Looked(False, f"{settings.llm_url} fails ({answer.status_code}).", "Ask again later.")
        names = _names(answer)
        if names and settings.llm_model not in names:
            return Looked(False, f"{settings.llm_url} has no model {settings.llm_model!r}.", MEND)
        return Looked(True, f"{settings.llm_url} answers.")


def _names(answer: httpx.Response) -> set[str]:
    """Empty where the endpoint does not list its models."""
    try:
        return {str(model["id"]) for model in answer.json()["data"]}
    except (ValueError, KeyError, TypeError):
        return set()
