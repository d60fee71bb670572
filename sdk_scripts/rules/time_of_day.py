"""Answers are wrong more often late in a session, or at certain hours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
from pydantic import Field

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._chance import drawn_at_least
from sdk_scripts.rules._change import WHO, changes

HOURS = 4
"""Of a block of the day."""
LEAST = 20
"""Answers inside and outside of a block, from which it is looked at."""


class Hours(Parameters):
    minimum: int = Field(default=80, ge=40, description="least number of answers that something tells right or wrong")
    sessions: int = Field(default=3, ge=2, description="least number of sessions, or of days for hours")
    rise: float = Field(default=0.15, gt=0, lt=1, description="rise of the share of wrong answers that matters")


@register("time_of_day")
class TimeOfDay:
    """CUSUM (Page, Biometrika 41, 1954) of wrong answers over the position in the session, all sessions together (see
    `_change`; a pause of half an hour ends one), and the four hours of the day (UTC) with most wrong answers beyond
    expectation against the rest, by the exact test stratified like the CUSUM (see `_chance`). Each of the looks counts
    (Bonferroni). Off where the share of wrong answers rises by `rise` or more, and its interval (95 %) is above 0."""

    dimension = "process"
    severity: Severity = "low"
    why = "Tired people slip: the labels of those hours are worse than this person's others."
    do = "Propose shorter sessions or other hours, and review what was labelled then."
    parameters = Hours

    @staticmethod
    def bad() -> Dataset:
        return _sessions(lambda place: place >= 25 and place % 2 == 0)

    @staticmethod
    def good() -> Dataset:
        return _sessions(lambda place: place % 8 == 0)

    def __call__(self, inspected: Inspected, parameters: Hours) -> Iterator[Observation]:
        sessions = inspected.annotations.select(
            "annotation", "session", within=pl.int_range(pl.len(), dtype=pl.Int64).over("annotator", "session")
        )
        known = inspected.known.filter(pl.col("at").is_not_null()).join(
            sessions.unique("annotation"), on="annotation", how="inner", maintain_order="left"
        )
        if known.is_empty():
            raise NotEnoughLabels(
                "No answer has both a time and anything to be compared with.",
                mend="Let two people label some of the tasks.",
            )
        known = known.with_columns(block=pl.col("at").dt.hour() // HOURS)
        worked = known.group_by(WHO).agg(
            sessions=pl.col("session").n_unique(), days=pl.col("at").dt.date().n_unique(), n=pl.len()
        )
        enough = worked.filter(pl.col("n") >= parameters.minimum)
        hours = {
            (it["annotator"], it["control"]): it for it in _blocks(known.join(enough, on=WHO), parameters.sessions)
        }
        within = changes(known.join(enough, on=WHO, how="semi"), "within").join(enough.drop("n"), on=WHO)
        for row in within.iter_rows(named=True):
            who, control = row["annotator"], row["control"]
            looks: list[tuple[float, float, float, str, pl.Expr]] = []
            if row["sessions"] >= parameters.sessions and row["since"] is not None:
                said = f"Wrong in {row['before']:.0%} of the first {row['since'] + 1} answers of a session, "
                said += f"in {row['after']:.0%} of the {row['n_after']} later ones"
                looks.append((row["p"], row["rise"], row["low"], said, pl.col("within") > row["since"]))
            if block := hours.get((who, control)):
                first = block["block"] * HOURS
                said = f"Wrong in {block['inside']:.0%} of {block['n_inside']} answers given from {first}:00 to "
                said += f"{first + HOURS}:00 UTC, in {block['outside']:.0%} of the others"
                looks.append((block["p"], block["rise"], block["low"], said, pl.col("block") == block["block"]))
            if not looks:
                continue
            p, rise, low, said, where = min(looks, key=lambda it: it[0])
            off = rise >= parameters.rise and low > 0
            mine = (pl.col("annotator") == who) & (pl.col("control") == control) & pl.col("wrong") & where
            rows = known.filter(mine).sort("severity", "at", descending=True) if off else known.clear()
            yield Observation(
                subject=who,
                control=control,
                value=rise,
                threshold=parameters.rise,
                n=row["n"],
                off=off,
                p=min(1.0, p * len(looks)),
                evidence=tuple(rows["task"].head(MAX_EVIDENCE).to_list()),
                message=f"{said}.",
            )


def _blocks(known: pl.DataFrame, days: int) -> Iterator[dict[str, Any]]:
    """The worst block of each annotator and control: its share of wrong answers, and that of the others."""
    alike = [*WHO, "stratum"]
    wrong = pl.col("wrong").cast(pl.Float64)
    rows = known.with_columns(
        rest=wrong - wrong.mean().over(alike), spread=(wrong - wrong.mean().over(alike)).pow(2).sum().over(WHO)
    )
    blocks = (
        rows.group_by(*WHO, "block")
        .agg(
            n_inside=pl.len().cast(pl.Int64),
            of=pl.col("n").first().cast(pl.Int64),
            days=pl.col("at").dt.date().n_unique(),
            sum=pl.col("rest").sum(),
            inside=wrong.mean(),
            wrongs=pl.col("wrong").sum().cast(pl.Int64),
            spread=pl.col("spread").first(),
        )
        .with_columns(n_outside=pl.col("of") - pl.col("n_inside"))
        .filter(pl.min_horizontal("n_inside", "n_outside") >= LEAST, pl.col("days") >= days)
        .with_columns(per=1 / pl.col("n_inside") + 1 / pl.col("n_outside"))
        .with_columns(rise=pl.col("sum") * pl.col("per"))
        .with_columns(
            low=pl.col("rise") - 1.96 * (pl.col("spread") / pl.col("of") * pl.col("per")).sqrt(),
            looked=pl.len().over(WHO),
        )
    )
    worst = blocks.sort(*WHO, "rise", "block", descending=[False, False, True, False]).unique(
        WHO, keep="first", maintain_order=True
    )
    cells = (
        rows.join(worst.select(*WHO, worst="block"), on=WHO)
        .group_by(alike)
        .agg(size=pl.len(), hits=pl.col("wrong").sum(), drawn=(pl.col("block") == pl.col("worst")).sum())
    )
    strata: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
    for annotator, control, _, *counts in cells.sort(alike).iter_rows():
        strata.setdefault((annotator, control), []).append((counts[0], counts[1], counts[2]))
    totals = {(row[0], row[1]): row[2] for row in rows.group_by(WHO).agg(pl.col("wrong").sum()).iter_rows()}
    for row in worst.iter_rows(named=True):
        who = row["annotator"], row["control"]
        p = drawn_at_least(row["wrongs"], strata[who])
        outside = (totals[who] - row["wrongs"]) / row["n_outside"]
        yield {**row, "outside": outside, "p": min(1.0, p * row["looked"])}


def _sessions(wrong: Callable[[int], bool]) -> Dataset:
    """Four sessions of 50 answers, a day apart."""
    return example(
        Given(
            50 * day + place + 1, who, "neutral" if who == "ana" and wrong(place) else "positive", at=1440 * day + place
        )
        for day in range(4)
        for place in range(50)
        for who in ("ana", "ben", "chi")
    )
