"""People agree less than they did."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import timedelta

import polars as pl
from pydantic import Field
from scipy.stats import norm

from ml_backend.labeling.agreement import agreement
from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register


class Drop(Parameters):
    minimum: int = Field(default=30, ge=10, description="least number of tasks that several people answered, each time")
    days: float = Field(
        default=7, gt=0, description="the window: the newest days, or the newer half if that is shorter"
    )


@register("agreement_drop")
class AgreementDrop:
    """Krippendorff's alpha and the share of equal pairs, of the tasks whose last answer is in the window and of those
    before. Off where both fell and neither pair of intervals (95 %: bootstrap over tasks; Wilson, JASA 22, 1927)
    overlaps: alpha alone also falls where one label becomes frequent, the share where none is any more. p is the
    greater of the two (an intersection-union test; Berger, Technometrics 24, 1982), each of a difference of independent
    normal values. Of each control of the project: who it is about, other rules say."""

    dimension = "process"
    severity: Severity = "medium"
    why = "Labels of the window can be trusted less: other items came, other people, or a guideline that is read twice."
    do = "Look at the items of the window that people are divided about, and hold a calibration round."
    parameters = Drop

    @staticmethod
    def bad() -> Dataset:
        return _answered(lambda task: task % 10 == 0 or (task > 80 and task % 5 < 2))

    @staticmethod
    def good() -> Dataset:
        return _answered(lambda task: task % 6 == 0)

    def __call__(self, inspected: Inspected, parameters: Drop) -> Iterator[Observation]:
        item = ["control", "task"]
        table = inspected.judgements.filter(pl.col("control").is_in(list(inspected.controls)))
        shared = table.filter(pl.len().over(item) > 1).with_columns(closed=pl.col("at").max().over(item))
        shared = shared.filter(pl.col("closed").is_not_null())
        if shared.is_empty():
            raise NotEnoughLabels("No task has answers of several people.", mend="Raise the overlap of some tasks.")
        closed, days = pl.col("closed"), timedelta(days=parameters.days)
        begin = pl.max_horizontal((closed.max() - days).over("control"), closed.median().over("control"))
        shared = shared.with_columns(late=closed > begin)
        tasks = shared.group_by("control", "late").agg(pl.col("task").n_unique()).iter_rows()
        counts = {(control, late): n for control, late, n in tasks}
        enough = [
            name
            for name in inspected.controls
            if min(counts.get((name, late), 0) for late in (True, False)) >= parameters.minimum
        ]
        columns = list(inspected.all_judgements.columns)
        looked = shared.filter(pl.col("control").is_in(enough))
        if not enough:
            return
        config = inspected.evidence.config
        then, now = (agreement(looked.filter(late=it).select(columns), config).controls for it in (False, True))
        for name in enough:
            before, after = then[name], now[name]
            ends = before.alpha, before.alpha_low, after.alpha, after.alpha_high
            if not all(map(math.isfinite, (*ends, before.alpha_high, after.alpha_low))):
                continue
            share_then, share_now = (wilson_interval(it.percent, it.items) for it in (before, after))
            p = max(
                _fell(
                    before.alpha, before.alpha_low, before.alpha_high, after.alpha, after.alpha_low, after.alpha_high
                ),
                _fell(before.percent, *share_then, after.percent, *share_now),
            )
            apart = after.alpha_high < before.alpha_low and share_now[1] < share_then[0]
            late = looked.filter("late", control=name).sort("closed", "task", descending=True)
            split = late.filter(pl.col("answer").n_unique().over("task") > 1)["task"].unique(maintain_order=True)
            yield Observation(
                subject="",
                control=name,
                value=after.alpha,
                threshold=before.alpha_low,
                n=after.items,
                off=apart and len(split) > 0,
                p=p,
                evidence=tuple(split.head(MAX_EVIDENCE).to_list()),
                message=f"Agreement (alpha) is {after.alpha:.2f} (at most {after.alpha_high:.2f}; {after.percent:.0%} "
                f"of pairs) in the newest {after.items} tasks and was {before.alpha:.2f} (at least "
                f"{before.alpha_low:.2f}; {before.percent:.0%}) in {before.items} before.",
                about="process",
            )


def _fell(was: float, was_low: float, was_high: float, now: float, now_low: float, now_high: float) -> float:
    """P(a fall as deep by chance), by the widths of the intervals."""
    spread = math.hypot(was_high - was_low, now_high - now_low) / (2 * 1.96)
    return float(norm.sf((was - now) / spread)) if spread > 1e-9 else float(now >= was)


def _answered(differs: Callable[[int], bool]) -> Dataset:
    rows = []
    for task in range(1, 161):
        label = "positive" if task % 2 else "negative"
        rows += [Given(task, "ana", label), Given(task, "ben", "neutral" if differs(task) else label)]
    return example(rows)
