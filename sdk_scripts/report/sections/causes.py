"""Hard cases by what made them suspicious: how many, how many nothing else would have found, and what to do."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, RootModel

from sdk_scripts.hard_cases import HardCase
from sdk_scripts.report.model import HardCaseRow
from sdk_scripts.report.sections import Cell, Given, Section, Sheet, register
from sdk_scripts.signals import SIGNALS
from sdk_scripts.tables import plain

MOST_EXAMPLES = 3
DO = {
    "disagreement": "Read a few together; where each answer can be defended, the guidelines need a rule.",
    "feedback": "Answer those who spoke up, and say in the guidelines what they asked.",
    "instruction_like": "Have an expert decide; nobody should follow a text that gives orders.",
    "label_error": "Look at the label again: most of these are slips.",
    "model_against_human": "Review them: either a label is wrong, or the model has something to learn.",
    "near_duplicates": "Give the same answer to the same item, or say what tells the two apart.",
    "novelty": "Decide them with care and keep the decisions as precedents.",
    "risk_words": "Have a second person look before the label counts.",
    "routed": "Experts decide these, as the policy asks.",
    "self_inconsistency": "Ask the person what changed their mind: that is where the line has to be drawn.",
    "skips": "Ask why it was skipped; add a label or a rule for such items.",
    "uncertainty": "Let a second person label them: these teach the model most.",
    "wrong_consensus": "Let one more person, or an expert, decide.",
}
"""Signal -> what helps, in a sentence."""


class CauseRow(BaseModel, frozen=True):
    signal: str
    cases: int
    share: float
    """Of the hard cases."""
    first: int
    """Cases of which it is the strongest reason."""
    only: int
    """Cases that no other signal suspects."""
    why: str
    """Why to care, by the signal's own documentation."""
    do: str
    examples: list[HardCaseRow]
    """The hardest of which it is the strongest reason, then others; `reasons` is what it says of them."""


class CausesPart(RootModel[list[CauseRow]]):
    """The most frequent cause first."""


@register("causes")
class Causes(Section):
    title = "Hard cases by cause"
    place = 72

    def collect(self, given: Given) -> CausesPart | None:
        shown = {row.task: row for row in given.core.hard_cases}
        rows = cause_rows([case for case in given.cases if case.task in shown], shown)
        return CausesPart(rows) if rows else None

    def sheets(self, part: CausesPart) -> Iterable[Sheet]:
        rows: list[list[Cell]] = [[it.signal, it.cases, it.share, it.first, it.only, it.why, it.do] for it in part.root]
        columns = ["signal", "hard cases", "share", "strongest reason", "only reason", "why care", "what helps"]
        yield Sheet("Causes", columns, rows, shares=["share"])


def cause_rows(cases: Sequence[HardCase], shown: dict[int, HardCaseRow]) -> list[CauseRow]:
    """`cases` are the hard ones, the hardest first; `shown` their rows by task."""
    counted, first, only = Counter[str](), Counter[str](), Counter[str]()
    examples: dict[str, list[tuple[bool, int, str]]] = {}
    for case in cases:
        named = {reason.signal for reason in case.reasons}
        counted.update(named)
        first[case.reasons[0].signal] += 1
        if len(named) == 1:
            only.update(named)
        for place, reason in enumerate(case.reasons):
            kept = examples.setdefault(reason.signal, [])
            if len(kept) < MOST_EXAMPLES or (place == 0 and not kept[-1][0]):
                kept.append((place == 0, case.task, reason.detail))
                kept.sort(key=lambda it: not it[0])
                del kept[MOST_EXAMPLES:]
    return [
        CauseRow(
            signal=signal,
            cases=n,
            share=n / len(cases),
            first=first[signal],
            only=only[signal],
            why=_why(signal),
            do=DO.get(signal, "Review them."),
            examples=[
                shown[task].model_copy(update={"reasons": [plain(detail)]}) for _, task, detail in examples[signal]
            ],
        )
        for signal, n in sorted(counted.items(), key=lambda it: (-it[1], it[0]))
    ]


def _why(signal: str) -> str:
    """What the signal's documentation says after "Why care:"."""
    told = inspect.getdoc(SIGNALS[signal]) or "" if signal in SIGNALS else ""
    _, _, why = told.partition("Why care:")
    words = " ".join(why.split())
    return words[:1].upper() + words[1:]
