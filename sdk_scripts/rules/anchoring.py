"""People say what the machine says more often where they see it than where they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.collaboration import compared
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._chance import drawn_at_least
from sdk_scripts.time_saved import band


class Shift(Parameters):
    minimum: int = Field(
        default=10, ge=5, description="least number of answers with the machine's on the screen and without"
    )
    tolerated: float = Field(
        default=0.1, ge=0, lt=1, description="shift that help alone may bring: who sees a right answer slips less"
    )


@register("anchoring")
class Anchoring:
    """Share of answers equal to the machine's where it was on the screen, less the share where it was not (blind
    tasks), at tasks that the machine was about as sure of (`collaboration.compared`); of each person and of all
    together. Off where the lower end of Newcombe's interval (95 %; Statist. Med. 17, 1998, method 10) is above what is
    tolerated; p is that of the exact test of no shift at all, stratified by the machine's confidence (`_chance`)."""

    dimension = "human-ai"
    severity: Severity = "medium"
    why = "Labels that echo the machine cannot teach it anything, and measure it as better than it is."
    do = "Raise the share of blind tasks, and compare both with decisions: is it help, or trust without a look."
    parameters = Shift

    @staticmethod
    def bad() -> Dataset:
        return _arms(lambda task: task % 2 == 0)

    @staticmethod
    def good() -> Dataset:
        return _arms(lambda task: task % 10 == 0)

    def __call__(self, inspected: Inspected, parameters: Shift) -> Iterator[Observation]:
        rows = inspected.seen.filter((pl.col("annotator") != "") & pl.col("control").is_in(list(inspected.controls)))
        shown = rows.filter((pl.col("arm") == "plain") & pl.col("shown").is_not_null())
        said = pl.DataFrame(
            [(task, control, key) for (task, control), key in inspected.blind.answers.items()],
            schema={"task": pl.Int64, "control": pl.String, "said": pl.String},
            orient="row",
        )
        unseen = (
            rows.filter(arm="blind")
            .join(said, on=["task", "control"], how="left")
            .with_columns(shown=pl.coalesce("said", "shown"))
            .filter(pl.col("shown").is_not_null())
        )
        if shown.is_empty() or unseen.is_empty():
            raise NotEnoughLabels(
                inspected.blind.why or "Nobody labelled both with the machine's answers and without.",
                mend="Have some tasks labelled blind: `policy: {blind: 0.05}` in project.yaml.",
            )
        shown, unseen = (it.with_columns(hit=pl.col("answer") == pl.col("shown")) for it in (shown, unseen))
        for control in shown["control"].unique(maintain_order=True):
            seen, hidden = shown.filter(control=control), unseen.filter(control=control)
            people = [name for name in hidden["annotator"].unique().sort() if name]
            with_of, without_of = (it.partition_by("annotator", as_dict=True) for it in (seen, hidden))
            parts = [(name, with_of.get((name,), seen.clear()), without_of[(name,)]) for name in people]
            for subject, with_it, without in (("", seen, hidden), *parts):
                if min(len(with_it), len(without)) >= parameters.minimum and (subject or len(people) > 1):
                    yield from _observe(subject, control, with_it, without, parameters)


def _observe(
    subject: str, control: str, seen: pl.DataFrame, hidden: pl.DataFrame, parameters: Shift
) -> Iterator[Observation]:
    first, second, found = compared(seen, hidden)
    if found["difference"] is None or found["low"] is None:
        return
    a, b = (it.group_by(band()).agg(n=pl.len(), hits=pl.col("hit").sum()) for it in (seen, hidden))
    both = a.join(b, on="band", suffix="_other").sort("band")
    strata = [(n + m, hits + others, n) for _, n, hits, m, others in both.iter_rows()]
    kept = seen.filter("hit")
    told = kept.filter((pl.col("reference") != pl.col("answer")).fill_null(False))
    evidence = pl.concat([told, kept]).unique("task", maintain_order=True)["task"].head(MAX_EVIDENCE)
    who = "" if subject else "All together: "
    yield Observation(
        subject=subject,
        control=control,
        value=found["difference"],
        threshold=parameters.tolerated,
        n=len(seen) + len(hidden),
        off=found["low"] > parameters.tolerated,
        p=drawn_at_least(int(both["hits"].sum()), strata),
        evidence=tuple(evidence.to_list()),
        message=f"{who}the machine's answer is given in {first['share']:.0%} of tasks that show it and "
        f"in {second['share']:.0%} of {len(hidden)} that do not "
        f"({found['difference']:+.0%}, at least {found['low']:+.0%}).",
        about="annotator" if subject else "process",
    )


def _arms(differs: Callable[[int], bool]) -> Dataset:
    """Blind, Ana differs from the machine where told; with it on the screen never."""
    blind = (
        Given(task, "ana", "neutral" if differs(task) else "positive", shown="positive", arm="blind")
        for task in range(1, 41)
    )
    return example([*blind, *(Given(task, "ana", "positive", shown="positive") for task in range(41, 121))])
