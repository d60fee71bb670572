"""`tiebreak doctor`: is everything there that Tiebreak needs, and if not, what mends it.

Checks run in order of place. One that needs another which failed is not looked at: one fault has one mend. Looking
changes nothing but for a small file and a job of its own, which are removed, and Label Studio's project being saved as
it is, which makes it send a webhook.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.errors import TiebreakError
from sdk_scripts.doctor.checks import CHECKS, Check, Looked, OfProject

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from sdk_scripts.doctor.patient import Patient

__all__ = ["Checked", "diagnose"]


@dataclass(frozen=True, slots=True)
class Checked:
    name: str
    ok: bool | None
    """None: it was not looked at."""
    detail: str
    mend: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "detail": self.detail, "mend": self.mend}


def diagnose(settings: Settings, project: str | None = None) -> Iterator[Checked]:
    """Every check, one after the other. `project` is an id or a project.yaml; without it, its checks are left out."""
    from sdk_scripts.doctor.patient import Patient

    healthy: set[str] = set()
    with Patient(settings, project) as patient:
        for check in sorted((check for _, check in CHECKS.items()), key=lambda check: check.place):
            found = _check(check, patient, healthy)
            if found.ok:
                healthy.add(check.name)
            yield found


def _check(check: Check, patient: Patient, healthy: set[str]) -> Checked:
    if isinstance(check, OfProject) and patient.named is None:
        return Checked(check.name, None, "Name a project to have this looked at.")
    if missing := [name for name in check.needs if name not in healthy]:
        return Checked(check.name, None, f"It cannot be looked at before this is mended: {', '.join(missing)}.")
    try:
        looked = check.look(patient)
    except TiebreakError as error:
        looked = Looked(False, error.what, error.mend.strip())
    return Checked(check.name, looked.ok, looked.detail, looked.mend)
