"""The certificates of the lots on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from pydantic import RootModel

from sdk_scripts.report.sections import Given, Section, register


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
        """Each certificate as it is shown."""
        from sdk_scripts.sampling.certificate import certificate_html

        return {"certificates": [certificate_html(lot, level=3) for lot in part.root]}
