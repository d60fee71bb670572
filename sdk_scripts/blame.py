"""Whose doing is it: the annotator's, the item's, or the guideline's?

Where an annotator is wrong by what is known (a decision, else what most of the others say), the others tell:

    item       most of the others are wrong on the same items, too
    guideline  not on the same items, but the same mix-up of two labels is common among the others
    item       neither, but the others are wrong about as often on the known items that this person answered
    annotator  none of it: this person alone

On an item that is not decided the others are judged by what most of them say, without this person: two who differ would
else both be wrong.
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
AS_OFTEN = 2 / 3
"""Of this annotator's share of wrong answers: from which on the others' is about the same."""
SHARED = 2 / 3
"""A mix-up is the guideline's where the others make it at least that often, as a share of this annotator's rate."""
COMMON = 0.1
"""And at all: in at least that share of the items with the same right answer."""
LEAST = 10
"""Judgements of others that are needed to say anything."""


@dataclass(frozen=True, slots=True)
class Blame:
    cause: About
    why: str


def blame(inspected: Inspected, it: Observation) -> Blame:
    if it.about != "annotator" or not it.subject:
        return Blame(it.about, "The rule is about it.")
    table = inspected.told.filter(control=it.control) if it.control else inspected.told
    wrong, proved = pl.col("answer") != pl.col("known"), pl.col("truth").is_not_null()
    everything = table.filter(annotator=it.subject)
    mine = everything.filter(wrong, pl.col("task").is_in(list(it.evidence)))
    if mine.is_empty() or mine["task"].n_unique() < HALF * len(it.evidence):
        return Blame("annotator", "Most of the evidence is not known to be wrong: it is how this person works.")
    rest = table.filter(pl.col("annotator") != it.subject)
    same_items = rest.join(mine.select("task", "control", right="known"), on=["task", "control"])
    if len(same_items) >= LEAST and (share := _share(same_items, pl.col("answer") != pl.col("right"))) >= HALF:
        return Blame("item", f"The others are wrong in {share:.0%} of their {len(same_items)} answers to these items.")
    pair, times = Counter(mine.select("control", "known", "answer").iter_rows()).most_common(1)[0]
    control, right, instead = pair
    here = (pl.col("control") == control) & (pl.col("known") == right)
    elsewhere = ~pl.col("task").is_in(everything["task"].unique().to_list())  # here it is I whom they differ from
    others, asked = rest.filter(here, proved | elsewhere), len(everything.filter(here))
    if times * 2 >= len(mine) and len(others) >= LEAST:
        rate, theirs = times / max(asked, 1), _share(others, pl.col("answer") == instead)
        if theirs >= COMMON and theirs >= SHARED * rate:
            shown = f"{_label(inspected, control, instead)} for {_label(inspected, control, right)}"
            return Blame("guideline", f"The others take {shown}, too: in {theirs:.0%} of {len(others)} answers.")
    if _share(mine, proved) >= HALF:
        own = everything.filter(proved)
        shared = rest.join(own.select("task", "control"), on=["task", "control"])
        if len(shared) >= LEAST and (theirs := _share(shared, wrong)) >= AS_OFTEN * _share(own, wrong):
            return Blame("item", f"The others are wrong in {theirs:.0%} of their {len(shared)} answers to known items.")
    return Blame("annotator", f"The others do not share it ({len(same_items)} of their answers are to the same items).")


def _share(rows: pl.DataFrame, of: pl.Expr) -> float:
    return float(rows.select(of.mean()).item())


def _label(inspected: Inspected, control: str, key: str) -> str:
    from sdk_scripts import wording

    it = inspected.evidence.config[control]
    return wording.show_key(it, key) if kind_of(it) else key
