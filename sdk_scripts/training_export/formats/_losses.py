"""What a format cannot hold: refused for a whole control, counted for a row, a span or a box."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from ml_backend.labeling.errors import InputError
from sdk_scripts.training_export.model import ControlSet, Export


class Losses:
    """Why -> the tasks, an entry for each thing lost or changed."""

    def __init__(self) -> None:
        self._tasks: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, why: str, task: int) -> None:
        self._tasks[why].append(task)

    @property
    def all(self) -> Mapping[str, tuple[int, ...]]:
        return {why: tuple(tasks) for why, tasks in sorted(self._tasks.items())}


def check_kinds(export: Export, format: str, kinds: Collection[str]) -> None:
    """Raises InputError, naming the first control of another kind."""
    for controls in export.controls:
        if controls.kind not in kinds:
            raise InputError(
                f"{format} cannot hold control {controls.control.name!r}: it asks for {controls.kind}, and {format} "
                f"holds {', '.join(sorted(kinds))}.",
                mend="Export that control in another format.",
            )


def answered(export: Export) -> list[ControlSet]:
    """The controls that have rows."""
    return [controls for controls in export.controls if controls.rows]


def nothing_left(controls: ControlSet, format: str, what: str) -> InputError:
    """For a control none of whose rows can be written. `what` says what they lack."""
    tasks = [row.task for row in controls.rows]
    listed = ", ".join(map(str, tasks[:5])) + (", …" if len(tasks) > 5 else "")
    return InputError(
        f"{format} cannot hold control {controls.control.name!r}: {what} (task {listed}).",
        mend="Export that control in another format.",
    )
