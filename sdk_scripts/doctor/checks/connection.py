"""Label Studio reaches the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_backend.studio.refusals import BANNED_BACKEND, plain
from sdk_scripts.doctor.checks import Looked, OfProject, register

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient

CONNECT = "Run `tiebreak sync` with `backend:` in its project.yaml, or add it in Settings > Model."


@register("connection")
class Connection(OfProject):
    """Label Studio calls the backend's `/health` and `/setup` to answer this."""

    place = 51
    needs = ("project",)

    def look(self, patient: Patient) -> Looked:
        url = patient.backend_url
        found = patient.studio.backends(patient.project["id"])
        ours = next((one for one in found if str(one["url"]).rstrip("/") == url), None)
        if ours is None:
            others = ", ".join(plain(one["url"]) for one in found)
            return Looked(
                False, f"The project has no backend at {url}{f'; it has {others}' if others else ''}.", CONNECT
            )
        if ours["state"] == "CO":
            return Looked(True, f"Label Studio reaches {url}.")
        said = plain(ours.get("error_message") or "it does not say why")
        if "reserved network address" in said:
            return Looked(False, f"Label Studio may not call {url}: {said}", BANNED_BACKEND)
        if "401" in said or "nauthorized" in said:
            mend = "Run `tiebreak sync --apply`, which gives it the credentials anew."
            return Looked(False, f"Label Studio signs in to {url} with credentials that it does not accept.", mend)
        return Looked(
            False,
            f"Label Studio does not reach {url}: {said}",
            "Set TIEBREAK_BACKEND_URL to an address that Label Studio's machine reaches, then sync.",
        )
