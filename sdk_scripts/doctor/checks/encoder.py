"""The encoder can be loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdk_scripts.doctor.checks import Check, Looked, register

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient


@register("encoder")
class Encoder(Check):
    place = 30
    needs = ("home",)

    def look(self, patient: Patient) -> Looked:
        from ml_backend.encoder import load_encoder

        encoder = load_encoder(patient.settings)
        width = len(encoder.encode(["A text that nobody has written before."])[0])
        return Looked(True, f"{encoder.id}: {width} dimensions.")
