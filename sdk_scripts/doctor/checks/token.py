"""The token is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdk_scripts.doctor.checks import Check, Looked, register

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient


@register("token")
class Token(Check):
    place = 11
    needs = ("label studio",)

    def look(self, patient: Patient) -> Looked:
        account = patient.studio.account(None)
        email = patient.studio.annotators().get(account or 0, str(account))
        return Looked(True, f"Tiebreak signs in as {email}.")
