"""The sections of the report, one file each: what it says (a part), its sheets, and `templates/sections/<name>.html`.

A section that has nothing to say gives None and is left out. One that cannot be worked out raises a TiebreakError,
which becomes a note: never an error of the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup
from pydantic import BaseModel

from ml_backend.labeling.errors import TiebreakError
from ml_backend.labeling.plugins import Registry

if TYPE_CHECKING:
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


class Sheet(NamedTuple):
    """A table of the workbook."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    shares: Sequence[str] = ()
    """Columns in [0, 1], shown as per cent."""


class Section:
    """What a file in this folder registers a subclass of."""

    name: str
    """Key of its part in report.json, name of its template."""
    title: str
    """Its heading, and its entry in the navigation."""
    place: int
    """Sections follow one another by it."""

    def collect(self, given: Given) -> BaseModel | None:
        """What it says; None: nothing. May raise TiebreakError."""
        raise NotImplementedError

    def charts(self, part: Any) -> Mapping[str, Markup]:
        """SVGs that its template names as `charts.<name>`; a table with the numbers stands beside each."""
        return {}

    def sheets(self, part: Any) -> Iterable[Sheet]:
        return ()


SECTIONS: Registry[Section] = Registry("report section", __name__)
register = SECTIONS.register_class


def in_order() -> list[Section]:
    return sorted((section for _, section in SECTIONS.items()), key=lambda section: (section.place, section.name))


def collect_sections(given: Given) -> dict[str, BaseModel]:
    """By name, in order of place."""
    for section in in_order():
        try:
            part = section.collect(given)
        except TiebreakError as error:
            given.notes.append(f"{section.title}: {error}")
            continue
        if part is not None:
            given.parts[section.name] = part
    return given.parts
