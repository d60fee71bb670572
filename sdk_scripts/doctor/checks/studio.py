"""Label Studio answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ml_backend.labeling.errors import StudioUnauthorized
from sdk_scripts.doctor.checks import Check, Looked, register

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient


@register("label studio")
class LabelStudio(Check):
    place = 10

    def look(self, patient: Patient) -> Looked:
        url, began = patient.settings.studio_url, time.perf_counter()
        try:
            version = patient.studio.version()
        except StudioUnauthorized:  # `token` tells of it
            return Looked(True, f"{url} is the address.")
        return Looked(True, f"{url} answers in {1000 * (time.perf_counter() - began):.0f} ms: version {version}.")
