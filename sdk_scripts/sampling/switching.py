"""How strictly the next lot is inspected, by what became of those before (ISO 2859-1:1999, 9.3).

- normal → tightened: two of five or fewer lots in a row not accepted.
- tightened → normal: five lots in a row accepted. Five not accepted while tightened: inspection is discontinued until
  something was done about the labels.
- normal → reduced: a switching score of 30, where the project allows it. After each lot that was accepted it grows by 3
  if the lot would have passed by an AQL one step tighter (acceptance numbers of 2 or more), or by 2 (of 0 or 1); else
  it begins at 0 again.
- reduced → normal: a lot not accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sdk_scripts.sampling.tables import LETTERS, TABLES, Inspection, Level, code_letter, column

ENOUGH = 30
DISCONTINUED_AT = 5


@dataclass(frozen=True, slots=True)
class Inspected:
    """A lot whose verdict is known."""

    size: int
    accepted: bool
    nonconforming: int


@dataclass(frozen=True, slots=True)
class State:
    inspection: Inspection = "normal"
    score: int = 0
    discontinued: bool = False
    why: str = "no lot has been inspected yet"


def switched(lots: Iterable[Inspected], *, aql: float, level: Level, reduced: bool) -> State:
    """The state after these lots, in their order. With `reduced`, inspection may become reduced."""
    state, recent, run, failed = State(), list[bool](), 0, 0
    for lot in lots:
        run = run + 1 if lot.accepted else 0
        recent = [*recent, lot.accepted][-5:]
        if state.inspection == "normal":
            score = _score(state.score, lot, aql, level)
            if recent.count(False) >= 2:
                state, recent, run, failed = State("tightened", why="two of five lots were not accepted"), [], 0, 0
            elif reduced and score >= ENOUGH:
                state, recent = State("reduced", score, why=f"the switching score reached {score}"), []
            else:
                state = State("normal", score, why=f"the switching score is {score}")
        elif state.inspection == "reduced":
            if not lot.accepted:
                state, recent = State(why="a lot was not accepted under reduced inspection"), [False]
        else:
            failed += not lot.accepted
            if run >= 5:
                state, recent = State(why="five lots in a row were accepted under tightened inspection"), []
            else:
                stop = failed >= DISCONTINUED_AT
                why = f"{failed} lots were not accepted under tightened inspection" if failed else state.why
                state = State("tightened", 0, stop, why)
    return state


def _score(before: int, lot: Inspected, aql: float, level: Level) -> int:
    table, place = TABLES["normal"], column(aql)
    row, accept = table.resolve(LETTERS.index(code_letter(max(lot.size, 2), level)), place)
    if not lot.accepted:
        return 0
    if accept <= 1:
        return before + 2
    return before + 3 if lot.nonconforming <= table.cell(row, place - 1) else 0
