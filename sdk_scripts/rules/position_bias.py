"""The first or the last option is picked, whatever is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.prelabelers import options
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._chance import at_least
from sdk_scripts.rules._usual import taken_for

ENDS = {"first": 0, "last": -1}


class Position(Parameters):
    minimum: int = Field(
        default=40,
        ge=20,
        description="least number of answers to items that call for another option, all controls together",
    )
    margin: float = Field(
        default=0.15, gt=0, lt=1, description="share by which a position may exceed what the items call for"
    )


@register("position_bias")
class PositionBias:
    """Share of answers that are the option on top, or at the bottom, where the item calls for another
    (`Inspected.known`), over all controls of labels together; in at least two of them more than half the margin beyond
    how often the others take it for those (`taken_for`). One control alone cannot tell a position from a label: that is
    `straight_lining`. Off where the lower bound of the Wilson interval (95 %; JASA 22, 1927) is above what is expected
    and the margin; p is binomial, twice that of the worse end (Bonferroni), which is what is told. Known from
    questionnaires (Krosnick & Alwin, Public Opinion Quarterly 51, 1987)."""

    dimension = "attention"
    severity: Severity = "medium"
    why = "The hand finds the same place on the screen without the eyes."
    do = "Ask the annotator to slow down, use hotkeys by letter, and review a sample."
    parameters = Position

    @staticmethod
    def bad() -> Dataset:
        return _answered(ana=lambda task: {"sentiment": "positive", "severity": "low"})

    @staticmethod
    def good() -> Dataset:
        return _answered(ana=_right)

    def __call__(self, inspected: Inspected, parameters: Position) -> Iterator[Observation]:
        known = inspected.known.filter(pl.col("annotator") != "")
        if known.is_empty():
            raise NotEnoughLabels("Of no item it is known what is right.", mend="Have some tasks labelled twice.")
        ends = _ends(inspected)
        if ends["control"].n_unique() < 2:
            raise NotEnoughLabels(
                "Fewer than two controls have options, so no position can be told from a label.",
                mend="Nothing to do; `position_bias: false` in rules.yaml leaves the rule out.",
            )
        asked = known.select("annotator", "control").unique().join(ends, on="control")
        told = taken_for(known, asked).with_columns(
            pl.col("expected") / pl.col("n"), share=pl.col("given") / pl.col("n")
        )
        placed = told.join(ends, on=["control", "answer"]).sort("annotator", "control")
        found: dict[str, Observation] = {}
        for end in ENDS:
            there = placed.filter(pl.col("end") == end)
            for (annotator,), rows in there.group_by("annotator", maintain_order=True):
                controls = rows["control"].to_list()
                n, given = int(rows["n"].sum()), int(rows["given"].sum())
                if n < parameters.minimum or len(controls) < 2:
                    continue
                share, usual = given / n, float((rows["expected"] * rows["n"]).sum()) / n
                excess = rows.filter(pl.col("share") - pl.col("expected") > parameters.margin / 2)
                threshold = usual + parameters.margin
                low, _ = wilson_interval(share, n)
                off = low > threshold and len(excess) >= 2
                p = min(1.0, 2 * at_least(given, n, min(threshold, 1.0)))
                if (before := found.get(str(annotator))) is not None and (before.off, -(before.p or 0)) >= (off, -p):
                    continue
                found[str(annotator)] = Observation(
                    subject=str(annotator),
                    control="",
                    value=share,
                    threshold=threshold,
                    n=n,
                    off=off,
                    p=p,
                    evidence=_tasks(inspected, str(annotator), rows) if off else (),
                    message=f"{given} of {n} answers to items that call for another are the {end} option "
                    f"({share:.0%}); the others pick it for {usual:.0%} of those.",
                )
        yield from found.values()


def _ends(inspected: Inspected) -> pl.DataFrame:
    """[control, answer, end] of the options at the ends of each control of three or more, or of two."""
    from ml_backend.labeling.kinds import kind_of

    rows = []
    for name, control in inspected.controls.items():
        kind, offered = kind_of(control), [option for option in options(control) if option.leaf]
        if kind is not None and len(offered) >= 2:
            rows += [(name, kind.key(offered[place].answer), end) for end, place in ENDS.items()]
    return pl.DataFrame(rows, schema={"control": pl.String, "answer": pl.String, "end": pl.String}, orient="row")


def _tasks(inspected: Inspected, annotator: str, rows: pl.DataFrame) -> tuple[int, ...]:
    mine = inspected.judgements.filter(pl.col("annotator") == annotator)
    found = mine.join(rows.select("control", "answer"), on=["control", "answer"])
    known = pl.coalesce("truth", "others")
    return tuple(found.sort(known == pl.col("answer"), "task")["task"].unique(maintain_order=True).head(MAX_EVIDENCE))


def _right(task: int) -> dict[str, str]:
    return {
        "sentiment": ("positive", "neutral", "negative")[task % 3],
        "severity": "low" if task % 2 else "high",
    }


def _answered(ana: Callable[[int], dict[str, str]]) -> Dataset:
    rows = [Given(task, "ana", ana(task)) for task in range(1, 61)]
    return example([*rows, *(Given(task, who, _right(task)) for task in range(1, 61) for who in ("ben", "chi"))])
