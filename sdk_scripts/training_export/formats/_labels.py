"""A control's training labels, in an order that each format numbers them by."""

from __future__ import annotations

from collections.abc import Iterable

from ml_backend.labeling.errors import InputError
from sdk_scripts.training_export.model import ControlSet


class Labels:
    """Those of the mapping; where that lists none, those that the control's rows have, in alphabetical order."""

    def __init__(self, controls: ControlSet) -> None:
        self._control = controls.control.name
        self.names = controls.labels or tuple(sorted(_seen(controls)))
        self._places = {label: place for place, label in enumerate(self.names)}

    def place(self, label: str, task: int) -> int:
        """From 0. Raises InputError for a label that the mapping does not list."""
        if label not in self._places:
            raise InputError(
                f"Task {task} has the label {label!r} in control {self._control!r}, which is none of its training "
                "labels.",
                mend="Say in the mapping what becomes of it.",
            )
        return self._places[label]

    def places(self, labels: Iterable[str], task: int) -> list[int]:
        return [self.place(label, task) for label in labels]


def _seen(controls: ControlSet) -> set[str]:
    found: set[str] = set()
    for row in controls.rows:
        found.update(row.labels, row.soft, *(region.labels for region in row.regions))
    return found
