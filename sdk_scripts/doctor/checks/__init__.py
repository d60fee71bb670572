"""What the doctor looks at, one file a check."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ml_backend.labeling.plugins import Registry

if TYPE_CHECKING:
    from sdk_scripts.doctor.patient import Patient


@dataclass(frozen=True, slots=True)
class Looked:
    ok: bool | None
    """None: there is nothing to look at."""
    detail: str
    """A sentence with what was seen."""
    mend: str = ""


class Check(ABC):
    """What a file in this folder registers a subclass of."""

    name: str
    place: int
    """Checks follow one another by it."""
    needs: tuple[str, ...] = ()
    """Checks without which this one says nothing."""

    @abstractmethod
    def look(self, patient: Patient) -> Looked:
        """May raise TiebreakError, whose mend is then the check's."""


class OfProject(Check):
    """One that looks at a project of Label Studio."""


CHECKS: Registry[Check] = Registry("check of the doctor", __name__)
register = CHECKS.register_class
