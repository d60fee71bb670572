"""What annotators see on the screen is the live version's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_backend.labeling.results import project_key
from ml_backend.model_registry import ModelRegistry
from sdk_scripts.doctor.checks import Looked, OfProject, register

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient


@register("model version")
class ModelVersion(OfProject):
    """Label Studio shows the predictions of the one version that the project names."""

    place = 53
    needs = ("project", "models")

    def look(self, patient: Patient) -> Looked:
        project = patient.project
        id, shown = project["id"], project["model_version"] or ""
        live = ModelRegistry(patient.settings.models).live(project_key(project))
        stored = patient.studio.model_versions(id)
        prelabel = f"Run `tiebreak prelabel {id}`."
        if not stored:
            return Looked(False, "No task has a prediction.", prelabel)
        if not project["show_collab_predictions"]:
            return Looked(
                False,
                "Predictions are not shown to annotators.",
                "Switch on Settings > Annotation > Use predictions to prelabel tasks.",
            )
        if not shown:
            return Looked(False, f"The project shows no version; stored are {', '.join(sorted(stored))}.", prelabel)
        if live and shown != live:
            return Looked(False, f"The project shows {shown}, but {live} is live.", prelabel)
        if not stored.get(shown):
            return Looked(False, f"The project shows {shown}, of which no prediction is stored.", prelabel)
        return Looked(True, f"{shown}: {stored[shown]:,} predictions.")
