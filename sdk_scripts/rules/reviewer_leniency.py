"""One reviewer lets stand, or overturns, what other reviewers would not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import polars as pl
from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.judgements import decisions
from ml_backend.labeling.kinds import string
from ml_backend.labeling.results import Annotation
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._chance import drawn_at_least, drawn_at_most


class Leniency(Parameters):
    minimum: int = Field(default=20, ge=10, description="least number of decisions, of the reviewer and of the others")
    beyond: float = Field(default=0.2, gt=0, lt=1, description="difference from what the cases let expect that matters")


@register("reviewer_leniency")
class ReviewerLeniency:
    """Share of a reviewer's decisions that overturn what most annotators said, against the share among the other
    reviewers' cases alike: of the same control, as divided (unanimous, a majority, one answer only), and as severe
    (below 3, or from there on). Ties have nothing to overturn and are left out. Off where it is `beyond` more or less
    than those let expect, and that is outside the Wilson interval (95 %; JASA 22, 1927); p is twice that of the exact
    stratified test (see `_chance`), as both directions count."""

    dimension = "process"
    severity: Severity = "medium"
    why = "What is right depends on who reviewed it, and annotators learn the reviewer instead of the guideline."
    do = "Have two reviewers decide some cases blind to each other, and settle where they differ."
    parameters = Leniency

    @staticmethod
    def bad() -> Dataset:
        return _reviewed(lambda task: task % 2 == 0 and task % 4 != 0)

    @staticmethod
    def good() -> Dataset:
        return _reviewed(lambda task: task % 8 in (2, 3))

    def __call__(self, inspected: Inspected, parameters: Leniency) -> Iterator[Observation]:
        cases = _cases(inspected)
        if cases.is_empty() or cases["reviewer"].n_unique() < 2:
            raise NotEnoughLabels(
                "Fewer than two reviewers have decided anything that a majority had answered.",
                mend="Name two reviewers in `hard_cases`, and have tasks labelled by several people.",
            )
        alike = ["control", "divided", "severe"]
        overturned = pl.col("overturned")
        cells = cases.group_by("reviewer", *alike).agg(n=pl.len(), hits=overturned.sum())
        totals = cases.group_by(alike).agg(size=pl.len(), all=overturned.sum())
        joined = cells.join(totals, on=alike).filter(pl.col("size") > pl.col("n")).sort("reviewer", *alike)
        for (reviewer,), rows in joined.group_by(["reviewer"], maintain_order=True):
            n, hits = int(rows["n"].sum()), int(rows["hits"].sum())
            rest = int((rows["size"] - rows["n"]).sum())
            if min(n, rest) < parameters.minimum:
                continue
            theirs = (pl.col("all") - pl.col("hits")) / (pl.col("size") - pl.col("n"))
            expected = float(rows.select((theirs * pl.col("n")).sum()).item()) / n
            low, high = wilson_interval(hits / n, n)
            strata = list(rows.select("size", "all", "n").iter_rows())
            lenient = hits / n < expected
            p = drawn_at_most(hits, strata) if lenient else drawn_at_least(hits, strata)
            mine = cases.filter((pl.col("reviewer") == reviewer) & (overturned != lenient)).sort("task")
            yield Observation(
                subject=str(reviewer),
                value=hits / n,
                threshold=expected - parameters.beyond if lenient else expected + parameters.beyond,
                n=n,
                off=abs(hits / n - expected) >= parameters.beyond and not low <= expected <= high,
                p=min(1.0, 2 * p),
                evidence=tuple(mine["task"].unique(maintain_order=True).head(MAX_EVIDENCE).to_list()),
                message=f"As a reviewer, overturned {hits} of {n} answers that most annotators gave ({hits / n:.0%}); "
                f"other reviewers overturn {expected:.0%} of cases alike.",
                about="process",
            )


def _cases(inspected: Inspected) -> pl.DataFrame:
    """A row a decision of a case that had a majority: task, control, reviewer, overturned, divided, severe."""
    item = ["control", "task"]
    ranked = (
        inspected.judgements.group_by(*item, "answer").len("votes")
        .sort("votes", "answer", descending=[True, False])
        .group_by(item, maintain_order=True)
        .agg(
            was=pl.col("answer").first(),
            first=pl.col("votes").first().cast(pl.Int64),
            second=pl.col("votes").get(1, null_on_oob=True).fill_null(0).cast(pl.Int64),
        )
        .filter(pl.col("first") > pl.col("second"))
    )  # fmt: skip
    found = decisions(inspected.all_judgements).select(*item, "answer", "annotation", "annotator")
    severity = inspected.evidence.severity_of
    rows = found.join(ranked, on=item).sort(item)
    by = [
        _reviewer(inspected, task, annotation, control) or annotator
        for task, annotation, control, annotator in rows.select(
            "task", "annotation", "control", "annotator"
        ).iter_rows()
    ]
    first = pl.col("first")
    return rows.select(
        *item,
        overturned=pl.col("answer") != pl.col("was"),
        divided=pl.when(pl.col("second") > 0).then(2).when(first > 1).then(1).otherwise(0),
        severe=pl.Series([severity(task) >= 3 for task in rows["task"]], dtype=pl.Boolean),
        reviewer=pl.Series(by, dtype=pl.String),
    ).filter(pl.col("reviewer") != "")


def _reviewer(inspected: Inspected, task: int, annotation: int, control: str) -> str:
    """Who decided, as the decision says: whoever wrote it into the task is somebody else."""
    found: Annotation | None = next(
        (it for it in inspected.evidence.tasks[task].annotations if it.id == annotation), None
    )
    for item in found.regions if found else ():
        meta = item.get("meta")
        about = meta.get("tiebreak") if isinstance(meta, Mapping) else None
        if item.get("from_name") == control and isinstance(about, Mapping):
            return (string(about.get("reviewer")) or "").lower()
    return ""


def _reviewed(overturns: Callable[[int], bool]) -> Dataset:
    """Three answers alike to each task; Rea decides the even ones and Sam the odd ones."""
    tasks = range(1, 161)
    return example(
        (Given(task, who, "positive") for task in tasks for who in ("ana", "ben", "chi")),
        truths={task: "negative" if overturns(task) else "positive" for task in tasks},
        reviewers={task: "sam@example.com" if task % 2 else "rea@example.com" for task in tasks},
    )
