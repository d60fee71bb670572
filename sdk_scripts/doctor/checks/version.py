"""Label Studio is of a version that Tiebreak is tested with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdk_scripts.doctor.checks import Check, Looked, register

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient

TESTED = ("1.23.2", "1.22.0", "1.21.0")
"""The pinned one first; then those that `make matrix` runs the contract tests with."""


@register("version")
class Version(Check):
    place = 12
    needs = ("token",)

    def look(self, patient: Patient) -> Looked:
        """Older ones lack what Tiebreak counts on; newer ones may have changed it."""
        found = patient.studio.version()
        if _release(found) > _release(TESTED[0]):
            return Looked(True, f"{found} is newer than the {TESTED[0]} that Tiebreak is tested with.")
        if _release(found) >= _release(TESTED[-1]):
            return Looked(True, f"{found}; Tiebreak is tested with {', '.join(TESTED)}.")
        return Looked(
            False,
            f"{found} is older than the {TESTED[-1]} that Tiebreak is tested with.",
            f"Upgrade Label Studio to {TESTED[0]}.",
        )


def _release(version: str) -> tuple[int, ...]:
    """Major and minor, which decide."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split(".")[:2])
