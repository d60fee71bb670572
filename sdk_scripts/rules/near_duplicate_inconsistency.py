"""Somebody answers nearly the same items differently where the others do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._again import asked_again
from sdk_scripts.rules.self_consistency import changed


class Alike(Parameters):
    minimum: int = Field(default=10, ge=5, description="least number of answers to an item like one answered before")
    margin: float = Field(default=0.1, gt=0, lt=1, description="share of other answers beyond the others' that matters")
    usual: float = Field(default=0.15, ge=0, lt=1, description="share of other answers that the items may call for")


@register("near_duplicate_inconsistency")
class NearDuplicateInconsistency:
    """Share of answers that differ from the same person's answer to another task whose text is nearly the same and
    whose images are (`same_texts`: MinHash, Broder 1997). One word may make all the difference: pairs whose right
    answers (the known ones, else what most of the others say) differ are left out. The threshold is the rest of the
    team's share, or `usual` where that is more, and the margin; off where the lower bound of the Wilson interval (95 %;
    JASA 22, 1927) is beyond it; p is binomial at the threshold."""

    dimension = "reliability"
    severity: Severity = "medium"
    why = "At most one of two answers to nearly the same thing is right, and a model that learns both learns neither."
    do = "Show the pairs to the annotator; where the guidelines leave it open, settle one as a case."
    parameters = Alike

    @staticmethod
    def bad() -> Dataset:
        return _pairs(lambda pair: pair % 2 == 0)

    @staticmethod
    def good() -> Dataset:
        return _pairs(lambda pair: pair % 10 == 0)

    def __call__(self, inspected: Inspected, parameters: Alike) -> Iterator[Observation]:
        again = asked_again(inspected).filter(~pl.col("same") & ~pl.col("justified"))
        if again.is_empty():
            raise NotEnoughLabels("Nobody answered two tasks of nearly the same text.", mend="Label more.")
        yield from changed(again, parameters.minimum, parameters.usual, parameters.margin, "nearly the same text")


def _pairs(changes: Callable[[int], bool]) -> Dataset:
    """Task n and task 100 + n differ in one word; Ben answers both alike."""
    rows: list[Given] = []
    texts: dict[int, str] = {}
    for pair in range(1, 41):
        story = " ".join(f"{word}{pair * place}" for place, word in enumerate(("parcel", "seller", "refund") * 8, 3))
        texts |= {pair: f"{story} today", 100 + pair: f"{story} now"}
        rows += [Given(pair, who, "positive") for who in ("ana", "ben")]
        rows += [
            Given(100 + pair, "ana", "negative" if changes(pair) else "positive"),
            Given(100 + pair, "ben", "positive"),
        ]
    return example(rows, texts=texts)
