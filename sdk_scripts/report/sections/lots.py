"""The certificates of the lots on record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup
from pydantic import RootModel

from sdk_scripts.report.sections import Cell, Given, Section, Sheet, register

_MOST_SHOWN = 10


class LotsPart(RootModel[list[dict[str, Any]]]):
    """As `sampling.certificate`, oldest first."""


@register("lots")
class Lots(Section):
    title = "Lots"
    place = 90

    def collect(self, given: Given) -> LotsPart | None:
        """None for a project without lots. Raises TiebreakError."""
        from sdk_scripts.sampling.certificate import certificate
        from sdk_scripts.sampling.inspect_lot import outcomes

        dataset = given.evidence.dataset
        found = [certificate(it, dataset) for it in outcomes(dataset, given.settings)]
        return LotsPart(found) if found else None

    def charts(self, part: LotsPart) -> Mapping[str, Sequence[Markup]]:
        """The newest certificates as they are shown."""
        from sdk_scripts.sampling.certificate import certificate_html

        return {"certificates": [certificate_html(lot, level=3) for lot in part.root[-_MOST_SHOWN:][::-1]]}

    def sheets(self, part: LotsPart) -> Iterable[Sheet]:
        columns = [
            "lot",
            "control",
            "labels",
            "drawn",
            "verdict",
            "inspected",
            "waiting",
            "wrong labels",
            "low",
            "high",
        ]
        rows: list[list[Cell]] = []
        for lot in part.root:
            rate = lot["error_rate"] or {}
            drawn = datetime.fromisoformat(lot["created_at"])
            found = [len(lot["inspected"]), len(lot["waiting"]), *(rate.get(it) for it in ("value", "low", "high"))]
            rows.append([lot["lot"], lot["control"], lot["size"], drawn, lot["verdict"], *found])
        yield Sheet("Lots", columns, rows, shares=["wrong", "low", "high"])
