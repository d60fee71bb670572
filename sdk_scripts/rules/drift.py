"""Somebody's answers are wrong more often since a certain day."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._change import beside_the_trend, changes, wrong_since


class Drifts(Parameters):
    minimum: int = Field(default=60, ge=20, description="least number of answers that something tells right or wrong")
    rise: float = Field(default=0.15, gt=0, lt=1, description="rise of the share of wrong answers that matters")


@register("drift")
class Drift:
    """CUSUM (Page, Biometrika 41, 1954) over time of somebody's answers that are wrong by a decision, else by what most
    of the others say, beyond what the others had wrong at that time; see `_change`. Off where the share of wrong
    answers rose by `rise` or more, and the interval (95 %) of the rise is above 0. Getting better is no finding,
    nor is staying the same while the others get better."""

    dimension = "process"
    severity: Severity = "medium"
    why = "Something changed that day: a habit, a misread guideline, fatigue; all that was labelled since is in doubt."
    do = "Ask what changed, and review a sample of what was labelled since."
    parameters = Drifts

    @staticmethod
    def bad() -> Dataset:
        return _answered(lambda task: task % 10 == 0 or (task > 60 and task % 2 == 0))

    @staticmethod
    def good() -> Dataset:
        return _answered(lambda task: task % 7 == 0)

    def __call__(self, inspected: Inspected, parameters: Drifts) -> Iterator[Observation]:
        known = inspected.known
        if known.is_empty():
            raise NotEnoughLabels(
                "No answer has anything to be compared with.", mend="Let several people label a task."
            )
        found = changes(beside_the_trend(known), "at").filter(pl.col("n") >= parameters.minimum)
        for row in found.iter_rows(named=True):
            off = row["rise"] >= parameters.rise and row["low"] > 0 and row["after"] > row["before"]
            told = "wrong answers are spread evenly over time"
            evidence: tuple[int, ...] = ()
            if row["since"] is not None:
                told = (
                    f"wrong in {row['before']:.0%} of {row['n_before']} answers up to {row['since']:%Y-%m-%d %H:%M}, "
                )
                told += f"in {row['after']:.0%} of {row['n_after']} since"
            if off:
                evidence = wrong_since(known, "at", row["annotator"], row["control"], row["since"])
            yield Observation(
                subject=row["annotator"],
                control=row["control"],
                value=row["rise"],
                threshold=parameters.rise,
                n=row["n"],
                off=off,
                p=row["p"],
                evidence=evidence,
                message=f"{told[0].upper()}{told[1:]} (by what is known or most of the others say).",
            )


def _answered(wrong: Callable[[int], bool]) -> Dataset:
    return example(
        Given(task, who, "neutral" if who == "ana" and wrong(task) else "positive")
        for task in range(1, 121)
        for who in ("ana", "ben", "chi")
    )
