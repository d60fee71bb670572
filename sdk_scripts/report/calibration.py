"""The report's part about calibration: the newest round, and the rounds before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sdk_scripts.sources import Dataset

Table = Callable[[str, Sequence[str], Sequence[Sequence[Any]]], object]


def newest_round(dataset: Dataset) -> dict[str, Any] | None:
    """As `tiebreak calibrate report` gives it; None for a file, and for a project without rounds. Raises
    StudioError."""
    from sdk_scripts.calibration.report import report
    from sdk_scripts.calibration.rounds import rounds_of

    if dataset.studio is None or dataset.project is None or not rounds_of(dataset.studio, dataset.project):
        return None
    return report(dataset)


def sheets(table: Table, found: Mapping[str, Any] | None) -> None:
    """The sheets of a workbook, each made by `table(name, columns, rows)`."""
    if found is None:
        return
    rounds = ("round", "policy", "tasks", "alpha", "alpha_low", "alpha_high", "passed", "complete")
    rows = [[it[name] for name in rounds] for it in found["history"]]
    table("Calibration", [name.replace("_", " ") for name in rounds], rows)
    confused = [
        [found["round"], it["control"], *it["labels"], it["items"], it["share"], _example(it)]
        for it in found["confusions"]
    ]
    table("Confused labels", ["round", "control", "one", "other", "tasks", "share", "example"], confused)
    biases = [[who, sentence] for who, it in found["annotators"].items() for sentence in it["biases"]]
    table("Leanings", ["annotator", "what the round shows"], biases)


def _example(confusion: Mapping[str, Any]) -> str:
    return str(confusion["examples"][0]["text"]) if confusion["examples"] else ""
