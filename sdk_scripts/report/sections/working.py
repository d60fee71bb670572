"""Working with the machine: what becomes of its answers, and of the wrong ones shown on purpose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sdk_scripts.report.model import Part
from sdk_scripts.report.sections import Given, Section, Sheet, register
from sdk_scripts.tables import plain


class WorkingRow(Part):
    """An annotator's work with the machine, as `collaboration_words.people`."""

    annotator: str
    shown: int
    accepted: float | None
    seeded: int
    stamped: float | None
    stamped_low: float | None
    stamped_high: float | None
    blind: int
    time_ratio: float | None


class WorkingPart(Part):
    said: list[str]
    people: list[WorkingRow]
    figures: dict[str, Any]
    """As `tiebreak collaboration` gives them."""


@register("working")
class Working(Section):
    title = "Working with the machine"
    place = 45

    def collect(self, given: Given) -> WorkingPart | None:
        """None where nobody labelled with a prediction on the screen."""
        from sdk_scripts.collaboration import of_dataset, says_anything
        from sdk_scripts.collaboration_words import people, sentences

        evidence = given.evidence
        found = of_dataset(evidence.dataset, given.settings, evidence.all_judgements, evidence.seen)
        if not says_anything(found):
            return None
        rows = [WorkingRow.model_validate({**row, "annotator": plain(row["annotator"])}) for row in people(found)]
        return WorkingPart(said=[plain(it) for it in sentences(found)], people=rows, figures=found)

    def sheets(self, part: WorkingPart) -> Iterable[Sheet]:
        columns = list(WorkingRow.model_fields)
        yield Sheet(
            "Working with the machine",
            [name.replace("_", " ") for name in columns],
            [[getattr(row, name) for name in columns] for row in part.people],
            shares=["accepted", "stamped", "stamped low", "stamped high", "time ratio"],
        )
