"""The sections of the report, one file each: what it says (a part), its sheets, and `templates/sections/<name>.html`.

A section that has nothing to say gives None and is left out. One that cannot be worked out raises a TiebreakError,
which becomes a note: never an error of the report. Some only show what the core holds, and add nothing to report.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel

from ml_backend.labeling.errors import TiebreakError
from ml_backend.labeling.plugins import Registry

if TYPE_CHECKING:
    import polars as pl

    from ml_backend.settings import Settings
    from sdk_scripts.evidence import Evidence
    from sdk_scripts.hard_cases import HardCase
    from sdk_scripts.report.model import Report

Cell = str | float | int | bool | datetime | None


@dataclass(frozen=True)
class Given:
    """What sections look at."""

    evidence: Evidence
    settings: Settings
    core: Report
    """The report without its sections: overview, controls, annotators, hard cases, versions, days."""
    cases: Sequence[HardCase]
    """Every suspicion, the hardest first; `core.hard_cases` are those more likely in doubt than not."""
    before: Mapping[str, Any] | None = None
    """The report (`Report.to_json`) that this one is compared with; None where there is none."""
    notes: list[str] = field(default_factory=list)
    """A section adds what could not be said."""
    parts: dict[str, BaseModel] = field(default_factory=dict)
    """What the sections collected so far say, by name."""


class Chart(NamedTuple):
    """A native chart of the workbook, over columns of its sheet."""

    title: str
    kind: Literal["bar", "column", "line", "scatter"]
    across: str
    """The column of categories, or of x."""
    up: Sequence[str]
    """The columns of values, a series each."""
    interval: tuple[str, str] | None = None
    """Columns with the lower and upper bound of the first series, drawn as a line through it whatever the kind."""
    most: int = 25
    """Only so many rows are drawn, from the top."""


class Sheet(NamedTuple):
    """A table of the workbook. Its texts are shown as they are, never run as formulas."""

    name: str
    columns: Sequence[str]
    """Different from one another."""
    rows: Sequence[Sequence[Cell]] | pl.DataFrame
    shares: Sequence[str] = ()
    """Columns in [0, 1], shown as per cent."""
    links: Sequence[str] = ()
    """Columns of web addresses that can be clicked."""
    charts: Sequence[Chart] = ()


class Section:
    """What a file in this folder registers a subclass of."""

    name: str
    """Key of its part in report.json, name of its template."""
    title: str
    """Its heading, and its entry in the navigation."""
    place: int
    """Sections follow one another by it."""
    looks_back: bool = False
    """Whether it is collected after all that do not, because it reads their parts."""

    def collect(self, given: Given) -> BaseModel | None:
        """What it adds to report.json; None: nothing. May raise TiebreakError."""
        return None

    def part(self, report: Report) -> Any:
        """What its template and sheets show; None: it is left out. Those that show the core pick it here."""
        return report.sections.get(self.name)

    def charts(self, part: Any) -> Mapping[str, Any]:
        """SVGs that its template names as `charts.<name>`; a table with the numbers stands beside each."""
        return {}

    def sheets(self, part: Any) -> Iterable[Sheet]:
        return ()


SECTIONS: Registry[Section] = Registry("report section", __name__)
register = SECTIONS.register_class


def in_order() -> list[Section]:
    return sorted((section for _, section in SECTIONS.items()), key=lambda section: (section.place, section.name))


def shown(report: Report) -> Iterator[tuple[Section, Any]]:
    """The sections that have something to show, in order of place, with their parts."""
    for section in in_order():
        if (part := section.part(report)) is not None:
            yield section, part


def collect_sections(given: Given) -> dict[str, BaseModel]:
    """By name, in order of place."""
    sections = in_order()
    for section in sorted(sections, key=lambda section: section.looks_back):
        try:
            part = section.collect(given)
        except TiebreakError as error:
            given.notes.append(f"{section.title}: {error}")
            continue
        if part is not None:
            given.parts[section.name] = part
    return {section.name: given.parts[section.name] for section in sections if section.name in given.parts}
