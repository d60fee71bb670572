"""Whose doing is it: the annotator's, the item's, or the guideline's?

Where an annotator is wrong by what is known (a decision, else what most of the others say), the others tell:

    item       most of the others are wrong on the same items, too
    guideline  not on the same items, but the same mix-up of two labels is common among the others
    annotator  neither: this person alone
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from ml_backend.labeling.kinds import kind_of

if TYPE_CHECKING:
    from sdk_scripts.inspected import Inspected
    from sdk_scripts.rules import About, Observation

HALF = 0.5
SHARED = 0.5
"""A mix-up is the guideline's where the others make it at least that often, as a share of this annotator's rate."""
COMMON = 0.1
"""And at all: in at least that share of the items with the same right answer."""
LEAST = 5
"""Judgements of others that are needed to say anything."""


@dataclass(frozen=True, slots=True)
class Blame:
    cause: About
    why: str


def blame(inspected: Inspected, it: Observation) -> Blame:
    if it.about != "annotator" or not it.subject:
        return Blame(it.about, "The rule is about it.")
    known = pl.coalesce("truth", "others")
    table = inspected.judgements.with_columns(known=known).filter(pl.col("known").is_not_null())
    if it.control:
        table = table.filter(pl.col("control") == it.control)
    wrong = pl.col("answer") != pl.col("known")
    mine = table.filter((pl.col("annotator") == it.subject) & wrong & pl.col("task").is_in(list(it.evidence)))
    if mine.is_empty():
        return Blame("annotator", "Nothing known is wrong in the evidence: it is how this person works.")
    rest = table.filter(pl.col("annotator") != it.subject)
    same_items = rest.join(mine.select("task", "control"), on=["task", "control"])
    if len(same_items) >= LEAST and (share := float(same_items.select(wrong.mean()).item())) >= HALF:
        return Blame("item", f"The others are wrong in {share:.0%} of their {len(same_items)} answers to these items.")
    pair, times = Counter(mine.select("control", "known", "answer").iter_rows()).most_common(1)[0]
    control, right, instead = pair
    here = (pl.col("control") == control) & (pl.col("known") == right)
    others = rest.filter(here)
    own = len(table.filter(here & (pl.col("annotator") == it.subject)))
    if times * 2 >= len(mine) and len(others) >= LEAST:
        rate, theirs = times / max(own, 1), float(others.select((pl.col("answer") == instead).mean()).item())
        if theirs >= COMMON and theirs >= SHARED * rate:
            shown = f"{_label(inspected, control, instead)} for {_label(inspected, control, right)}"
            return Blame("guideline", f"The others take {shown}, too: in {theirs:.0%} of {len(others)} answers.")
    return Blame("annotator", f"The others do not share it ({len(same_items)} of their answers are to the same items).")


def _label(inspected: Inspected, control: str, key: str) -> str:
    from sdk_scripts import wording

    it = inspected.evidence.config[control]
    return wording.show_key(it, key) if kind_of(it) else key
