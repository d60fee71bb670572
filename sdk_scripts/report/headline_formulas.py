"""The figures of the workbook's first sheet: each a formula over the other sheets, and the value it gives, which
readers show that do not calculate."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sdk_scripts.report.sheets import Table

NONE = "–"
"""What a formula gives where there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    formula: str
    """With a place `{0}`, `{1}` … for each column."""
    value: Callable[..., float | str]
    """The same, of the columns' cells."""
    columns: tuple[tuple[str, str], ...]
    """(sheet, column)"""
    look: Literal["whole", "number", "share"] = "whole"


def _known(cells: list[Any]) -> list[float]:
    return [cell for cell in cells if isinstance(cell, int | float) and not isinstance(cell, bool) and cell == cell]


def _counted(least: int) -> Callable[[list[int], list[int]], int]:
    return lambda people, tasks: sum(n for who, n in zip(people, tasks, strict=True) if who >= least)


def _open_findings(severities: list[str], states: list[str]) -> int:
    pairs = zip(severities, states, strict=True)
    return sum(severity == "high" and state not in ("cleared", "acknowledged") for severity, state in pairs)


def _live(live: list[bool], accuracy: list[float | None]) -> float | str:
    return min((right for on, right in zip(live, accuracy, strict=True) if on and right is not None), default=NONE)


_BY_PEOPLE = (("Tasks", "annotators"), ("Tasks", "tasks"))
_FIGURES = (
    Figure("Tasks", "SUM({0})", sum, (("Tasks", "tasks"),)),
    Figure("Labeled", 'SUMIF({0},">=1",{1})', _counted(1), _BY_PEOPLE),
    Figure("By two people or more", 'SUMIF({0},">=2",{1})', _counted(2), _BY_PEOPLE),
    Figure("With a prediction", "SUM({0})", sum, (("Tasks", "with a prediction"),)),
    Figure("Skipped", "SUM({0})", sum, (("Tasks", "skipped"),)),
    Figure("Judgements", "COUNT({0})", len, (("Judgements", "task"),)),
    Figure("Judgements", "SUM({0})", sum, (("Annotators", "judgements"),)),
    Figure("Annotators", "COUNTA({0})", len, (("Annotators", "annotator"),)),
    Figure(
        "Median seconds a task, of the middle annotator",
        f'IF(COUNT({{0}})=0,"{NONE}",MEDIAN({{0}}))',
        lambda cells: statistics.median(_known(cells)) if _known(cells) else NONE,
        (("Annotators", "median seconds"),),
        "number",
    ),
    Figure(
        "Lowest alpha",
        f'IF(COUNT({{0}})=0,"{NONE}",MIN({{0}}))',
        lambda cells: min(_known(cells), default=NONE),
        (("Agreement", "alpha"),),
        "number",
    ),
    Figure("Hard cases", "COUNT({0})", len, (("Hard cases", "task"),)),
    Figure(
        "Findings of high severity that are open",
        'COUNTIFS({0},"high",{1},"<>cleared",{1},"<>acknowledged")',
        _open_findings,
        (("Inspection", "severity"), ("Inspection", "state")),
    ),
    Figure(
        "The live model is right on (weakest control)",
        f'IF(COUNTIFS({{0}},TRUE,{{1}},">=0")=0,"{NONE}",MIN(IF({{0}},IF(ISNUMBER({{1}}),{{1}}))))',
        _live,
        (("Models", "live"), ("Models", "accuracy")),
        "share",
    ),
)


def headline_formulas(tables: Mapping[str, Table]) -> Iterator[tuple[Figure, str, float | str]]:
    """(figure, formula, its value) of those whose columns the workbook has in full: the first of each name."""
    told = set()
    for figure in _FIGURES:
        sources = [(tables.get(name), column) for name, column in figure.columns]
        found = [(it, column) for it, column in sources if it and column in it.columns and not it.left_out]
        if len(found) == len(sources) and figure.name not in told:
            told.add(figure.name)
            formula = figure.formula.format(*(table.range(column) for table, column in found))
            yield figure, f"={formula}", figure.value(*(table.values(column) for table, column in found))
