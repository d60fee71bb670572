"""The newest calibration round, and the rounds before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import RootModel

from sdk_scripts.report.sections import Given, Section, Sheet, register


class CalibrationPart(RootModel[dict[str, Any]]):
    """As `tiebreak calibrate report` gives it."""


@register("calibration")
class Calibration(Section):
    title = "Calibration"
    place = 60

    def collect(self, given: Given) -> CalibrationPart | None:
        """None for a file, and for a project without rounds. Raises StudioError."""
        from sdk_scripts.calibration.report import report
        from sdk_scripts.calibration.rounds import rounds_of

        dataset = given.evidence.dataset
        if dataset.studio is None or dataset.project is None or not rounds_of(dataset.studio, dataset.project):
            return None
        return CalibrationPart(report(dataset))

    def sheets(self, part: CalibrationPart) -> Iterable[Sheet]:
        found = part.root
        rounds = ("round", "policy", "tasks", "alpha", "alpha_low", "alpha_high", "passed", "complete")
        rows = [[it[name] for name in rounds] for it in found["history"]]
        yield Sheet("Calibration", [name.replace("_", " ") for name in rounds], rows)
        confused = [
            [found["round"], it["control"], *it["labels"], it["items"], it["share"], _example(it)]
            for it in found["confusions"]
        ]
        columns = ["round", "control", "one", "other", "tasks", "share", "example"]
        yield Sheet("Confused labels", columns, confused, shares=["share"])
        biases = [[who, sentence] for who, it in found["annotators"].items() for sentence in it["biases"]]
        yield Sheet("Leanings", ["annotator", "what the round shows"], biases)


def _example(confusion: Mapping[str, Any]) -> str:
    return str(confusion["examples"][0]["text"]) if confusion["examples"] else ""
