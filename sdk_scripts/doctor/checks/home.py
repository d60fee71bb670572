"""There is room for what Tiebreak keeps, and it may write there."""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING

from ml_backend.labeling.errors import ModelUnavailable
from sdk_scripts.doctor.checks import Check, Looked, register

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient

LEAST = 2_000_000_000
"""Bytes free: models, vectors and the queues' log grow."""


@register("home")
class Home(Check):
    place = 1

    def look(self, patient: Patient) -> Looked:
        home = patient.settings.home.absolute()
        try:
            home.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=home, prefix=".doctor-"):
                free = shutil.disk_usage(home).free
        except OSError as error:
            return Looked(
                False, f"{home} cannot be written: {error.strerror}.", "Set TIEBREAK_HOME to a folder that can."
            )
        if free < LEAST:
            return Looked(False, f"{home} has {free / 1e9:.1f} GB free.", f"Make room: {LEAST / 1e9:.0f} GB at least.")
        return Looked(True, f"{home} has {free / 1e9:.0f} GB free.")


@register("models")
class Models(Check):
    """The storage of the models, which all workers and backends share."""

    place = 2
    needs = ("home",)

    def look(self, patient: Patient) -> Looked:
        from ml_backend.model_files import ModelFiles
        from sdk_scripts.doctor.marker import Marker

        files = ModelFiles(patient.settings.models)
        with Marker(files) as marker:
            if not marker.seen(files):
                raise ModelUnavailable(
                    f"What is written to {files.url} cannot be read there.", mend="Check TIEBREAK_MODELS_URL."
                )
        return Looked(True, f"{files.url} can be written and read.")
