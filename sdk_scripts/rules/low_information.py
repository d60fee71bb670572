"""Answers that say nothing of the items."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field
from scipy.stats import ncx2

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register

WHO = ["annotator", "control"]
TEAM, ATTENTIVE = 3, 0.4
"""With fewer people measured, the team's share is at least ATTENTIVE of the items of which a truth is known or two
others said the same: that they do shows that there is something to know."""
COMMON = 8
"""Answers of a control that count one by one; the rarer ones are taken together."""

_BACKED = pl.col("truth").is_not_null() | (pl.col("others_n") > 1)


class Information(Parameters):
    minimum: int = Field(default=40, ge=20, description="least number of items whose answer is known or others gave")
    share: float = Field(default=0.25, gt=0, lt=1, description="of the team's information that an answer must have")


@register("low_information")
class LowInformation:
    """Mutual information of the answers with what is right (`Inspected.known`), as a share of the entropy of what is
    right among these items (Theil's uncertainty coefficient), so that who got only items of one kind is not blamed.
    2 n times the information is the G statistic, which is about noncentral chi-square with (rows - 1)(columns - 1)
    degrees of freedom and noncentrality 2 n times the true information (Agresti, Categorical Data Analysis, 3rd ed.,
    ch. 16.3): p is the probability of as little where the true one is `share` of the team's median. Off where that is
    below 2.5 %, which is where the upper bound of the interval (95 %) is below it."""

    dimension = "attention"
    severity: Severity = "high"
    why = "Answers that do not depend on the item are noise, even if each of them looks plausible."
    do = "Stop counting these labels until some were reviewed, and have the items labelled by somebody else."
    parameters = Information

    @staticmethod
    def bad() -> Dataset:
        return _answered(lambda task: _right(task * task // 7))

    @staticmethod
    def good() -> Dataset:
        return _answered(lambda task: _right(task if task % 4 else task + 1))

    def __call__(self, inspected: Inspected, parameters: Information) -> Iterator[Observation]:
        known = inspected.known.filter(pl.col("annotator") != "")
        if known.is_empty():
            raise NotEnoughLabels("Of no item it is known what is right.", mend="Have some tasks labelled twice.")
        measured = [it for it in _measured(known) if it.n >= parameters.minimum and it.entropy > 0]
        telling = known.select(*WHO, "task", "wrong", "severity", backed=_BACKED).partition_by(WHO, as_dict=True)
        for control in dict.fromkeys(it.control for it in measured):
            here = [it for it in measured if it.control == control]
            median = float(np.median([it.information / it.entropy for it in here]))
            for it in here:
                mine = telling[it.annotator, control]
                backed = float(mine.select(pl.col("backed").mean()).item())
                team = median if len(here) >= TEAM else max(median, ATTENTIVE * backed)
                needed = parameters.share * team * it.entropy
                p = _as_little(it.statistic, it.freedom, 2 * it.n * needed)
                worst = mine.sort("wrong", "severity", "task", descending=[True, True, False])["task"]
                yield Observation(
                    subject=it.annotator,
                    control=control,
                    value=it.information / it.entropy,
                    threshold=parameters.share * team,
                    n=it.n,
                    off=p < 0.025,
                    p=p,
                    evidence=tuple(worst.unique(maintain_order=True).head(MAX_EVIDENCE).to_list()),
                    message=f"{it.n} answers tell {it.information / it.entropy:.0%} of what there is to know of the "
                    f"items; {team:.0%} are usual.",
                )


class _Measured:
    """Of one annotator and control; information and entropy in nats."""

    def __init__(self, annotator: str, control: str, table: Any) -> None:
        self.annotator, self.control, self.n = annotator, control, int(table.sum())
        self.freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
        right = table.sum(axis=1) / self.n
        chance = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / self.n
        seen = table > 0
        self.entropy = -float((right * np.log(right)).sum())
        self.statistic = 2 * float((table[seen] * np.log(table[seen] / chance[seen])).sum())
        self.information = max(0.0, self.statistic - self.freedom) / (2 * self.n)
        """Less what chance adds: the statistic's mean without any is its degrees of freedom."""


def _measured(known: pl.DataFrame) -> Iterator[_Measured]:
    ranks = known.group_by("control", "known").len().sort("len", "known", descending=[True, False])
    common = ranks.group_by("control", maintain_order=True).head(COMMON).select("control", kept="known")
    for name in ("known", "answer"):
        kept = common.with_columns(**{f"{name}_kept": pl.col("kept")}).rename({"kept": name})
        known = known.join(kept, on=["control", name], how="left").with_columns(pl.col(f"{name}_kept").fill_null(""))
    cells = known.group_by(*WHO, "known_kept", "answer_kept").len().sort(*WHO, "known_kept", "answer_kept")
    for (annotator, control), rows in cells.group_by(WHO, maintain_order=True):
        right = rows["known_kept"].rank("dense").to_numpy() - 1
        given = rows["answer_kept"].rank("dense").to_numpy() - 1
        table = np.zeros((int(right.max()) + 1, int(given.max()) + 1))
        table[right, given] = rows["len"].to_numpy()
        yield _Measured(str(annotator), str(control), table)


def _as_little(statistic: float, freedom: int, noncentrality: float) -> float:
    """P(a statistic as small); where one answer was all that was given, that of a single degree of freedom at 0 is
    bounded by the density without any (Siegel, Biometrika 66, 1979)."""
    if freedom == 0:
        return math.exp(-noncentrality / 2)
    return float(ncx2.cdf(statistic, freedom, noncentrality)) if noncentrality > 0 else 1.0


def _right(task: int) -> str:
    return ("positive", "neutral", "negative")[task % 3]


def _answered(ana: Callable[[int], str]) -> Dataset:
    rows = [Given(task, "ana", ana(task)) for task in range(1, 121)]
    return example(
        [*rows, *(Given(task, who, _right(task)) for task in range(1, 121) for who in ("ben", "chi", "dan"))]
    )
