"""What is usual: how long a task takes, and which answers its items call for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ml_backend.labeling.errors import NotEnoughLabels

if TYPE_CHECKING:
    from sdk_scripts.inspected import Inspected

BINS = 8
"""Texts are compared with those of like length."""
REOPENED = 1.0
"""Seconds of lead time below which it may have been counted from opening a page again."""
LEAST = 5
"""Times of a person in a bin that tell anything."""


def timed(inspected: Inspected) -> pl.DataFrame:
    """The `Inspected.annotations` that are no skips and have a time, with

    lead_time  seconds; where it is below a second, the page was likely opened again: then the time since the person's
               last annotation in the session, if that is longer

    usual  seconds that a task like it takes: the median, over the annotators, of their median among texts of like
           length, with or without a prediction in sight; so nobody sets the pace by sheer number

    Raises NotEnoughLabels where Label Studio kept no times.
    """
    lead, since = pl.col("lead_time"), pl.col("at").diff().over("annotator", "session").dt.total_milliseconds() / 1000
    fair = pl.when(lead < REOPENED).then(pl.max_horizontal(lead, since)).otherwise(lead)
    table = inspected.annotations.with_columns(lead_time=fair).filter(~pl.col("skipped") & (pl.col("lead_time") > 0))
    if table.is_empty():
        raise NotEnoughLabels(
            "No annotation has a lead time.", mend="Imported annotations have none; label in the app."
        )
    ranks = pl.col("characters").rank("dense") - 1
    table = table.with_columns(bin=(ranks * BINS // (ranks.max() + 1)).cast(pl.Int64))
    like = ["bin", "shown"]
    own = table.group_by("annotator", *like).agg(own=pl.col("lead_time").median(), times=pl.len())
    usual = own.filter(pl.col("times") >= LEAST).group_by(like).agg(usual=pl.col("own").median())
    overall = middle(table.group_by("annotator").agg(pl.col("lead_time").median())["lead_time"])
    return table.join(usual, on=like, how="left").with_columns(usual=pl.col("usual").fill_null(overall))


def middle(numbers: pl.Series) -> float:
    """The median; 0 for none."""
    return float(numbers.cast(pl.Float64).median() or 0.0)  # type: ignore[arg-type]


def expected(inspected: Inspected) -> pl.DataFrame:
    """[annotator, control, answer, n, given, share, expected]: of all that somebody answered to a control of labels,
    how often the answer was given, as a share, and the share of it that the items call for. An item calls for its right
    answer where that is known; else for what the others answered to it; else, where nobody else did, for what the
    others answer to items of which the machine showed the same.

    Raises NotEnoughLabels where only one person labels.
    """
    table = (
        inspected.judgements.filter(pl.col("control").is_in(list(inspected.controls)) & (pl.col("annotator") != ""))
        .select("task", "control", "annotator", "answer", "truth", "others_n", like=pl.col("shown").fill_null(""))
        .with_columns(told=pl.col("truth").is_not_null() | (pl.col("others_n") > 0))
    )
    if table["annotator"].n_unique() < 2:
        raise NotEnoughLabels("Only one person labels, so nothing says what is usual.", mend="Have others label, too.")
    who, item = ["annotator", "control"], ["control", "task"]
    known = table.filter(pl.col("truth").is_not_null()).select(*who, answer="truth", calls=pl.lit(1.0))
    asked = table.filter(pl.col("truth").is_null() & (pl.col("others_n") > 0))
    votes = table.group_by(*item, "answer").len("votes")
    told = (
        asked.join(votes, on=item, suffix="_voted")
        .with_columns(theirs=pl.col("votes") - (pl.col("answer") == pl.col("answer_voted")).cast(pl.Int64))
        .select(*who, answer="answer_voted", calls=pl.col("theirs") / pl.col("others_n"))
    )
    calls = pl.concat([known, told, _by_machine(table)]).group_by(*who, "answer").agg(expected=pl.col("calls").sum())
    given = table.group_by(*who, "answer").agg(given=pl.len().cast(pl.Int64))
    all_of = table.group_by(who).agg(n=pl.len().cast(pl.Int64))
    return (
        calls.join(given, on=[*who, "answer"], how="full", coalesce=True)
        .join(all_of, on=who)
        .with_columns(pl.col("given", "expected").fill_null(0))
        .with_columns(share=pl.col("given") / pl.col("n"), expected=pl.col("expected") / pl.col("n"))
        .sort(*who, "answer")
    )


def _by_machine(table: pl.DataFrame) -> pl.DataFrame:
    """[annotator, control, answer, calls] of the items that nobody else answered."""
    who, like = ["annotator", "control"], ["control", "like"]
    mine = table.filter(~pl.col("told")).group_by(*who, "like").len("mine")
    answered = table.group_by(*like, "answer").len("all")
    own = table.group_by(*who, "like", "answer").len("own")
    theirs = (
        mine.join(answered, on=like)
        .join(own, on=[*who, "like", "answer"], how="left")
        .with_columns(theirs=(pl.col("all") - pl.col("own").fill_null(0)).cast(pl.Float64))
        .with_columns(others=pl.col("theirs").sum().over(*who, "like"))
        .filter(pl.col("others") > 0)
    )
    return theirs.select(*who, "answer", calls=pl.col("mine") * pl.col("theirs") / pl.col("others"))


def taken_for(table: pl.DataFrame, picked: pl.DataFrame) -> pl.DataFrame:
    """[annotator, control, answer, n, given, expected] for the (annotator, control, answer) of `picked`.

    Of somebody's answers in `table` (`Inspected.known`), `n` are to items whose right answer is another one, `given` of
    those are this one, and `expected` would be if the annotator took the one for the other as often as the rest of the
    team does: the rate for each right answer, drawn by two judgements towards the rate over all, and that towards 1/2.
    """
    who, by = ["annotator", "control"], ["annotator", "control", "answer"]
    own = table.group_by(*who, "known").agg(n=pl.len().cast(pl.Int64))
    cells = table.group_by(*by, "known").agg(given=pl.len().cast(pl.Int64))
    rows = (
        picked.select(by)
        .join(own, on=who)
        .filter(pl.col("known") != pl.col("answer"))
        .join(cells, on=[*by, "known"], how="left")
        .join(own.group_by("control", "known").agg(rest=pl.col("n").sum()), on=["control", "known"])
        .join(
            cells.group_by("control", "known", "answer").agg(theirs=pl.col("given").sum()),
            on=["control", "known", "answer"],
            how="left",
        )
        .with_columns(pl.col("given", "theirs").fill_null(0))
        .with_columns(rest=pl.col("rest") - pl.col("n"), theirs=pl.col("theirs") - pl.col("given"))
        .with_columns(overall=(pl.col("theirs").sum().over(by) + 1) / (pl.col("rest").sum().over(by) + 2))
        .with_columns(rate=(pl.col("theirs") + 2 * pl.col("overall")) / (pl.col("rest") + 2))
    )
    return rows.group_by(by).agg(pl.col("n", "given").sum(), expected=(pl.col("n") * pl.col("rate")).sum())
