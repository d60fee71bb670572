"""The project is there, and is one that people label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_backend.policy import policy_of
from ml_backend.roles import role_of
from sdk_scripts.doctor.checks import Looked, OfProject, register

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient


@register("project")
class Project(OfProject):
    place = 50
    needs = ("token",)

    def look(self, patient: Patient) -> Looked:
        from ml_backend.labeling.config import parse
        from ml_backend.labeling.kinds import kind_of

        project = patient.project
        name = f"{project['title']!r} ({project['id']})"
        if not role_of(project).learns:
            return Looked(
                False, f"{name} holds reviews, cases or a round of another project.", "Name the project people label."
            )
        known = [control.name for control in parse(project["label_config"]).controls if kind_of(control)]
        if not known:
            return Looked(
                False, f"No control of {name} is of a kind that Tiebreak knows.", "The README lists the kinds."
            )
        policy = policy_of(project)
        if (policy.blind or policy.seeded) and not patient.settings.policy_secret.get_secret_value():
            return Looked(
                False,
                f"The policy of {name} shows seeded or blind tasks, and TIEBREAK_POLICY_SECRET is not set.",
                "Set it to the same 16 characters or more on all machines.",
            )
        return Looked(True, f"{name}: {', '.join(known)}.")
