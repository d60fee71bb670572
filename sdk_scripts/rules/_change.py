"""Since when somebody's answers are wrong more often: the cumulative sum of what is wrong beyond expectation."""

from __future__ import annotations

import polars as pl

WHO = ["annotator", "control"]
MOST = 50
A_PERIOD = 200
"""Answers of all people that tell the trend of their time: few of them would make a trend of noise."""
MOST_PERIODS = 10
LEAST = 50
"""Of them, those of others."""


def beside_the_trend(known: pl.DataFrame) -> pl.DataFrame:
    """With `trend`: how much more the others had wrong about that time than they have of items alike (`stratum`), so
    that items which become harder are nobody's drift. 0 where there are no others."""
    period, at = ["control", "period"], pl.col("at")
    periods = (pl.len().over("control") // A_PERIOD).clip(1, MOST_PERIODS)
    wrong = pl.col("wrong").cast(pl.Float64)
    timed = known.filter(at.is_not_null()).with_columns(
        period=(at.rank("ordinal").over("control") - 1) * periods // pl.len().over("control"),
        rest=wrong - wrong.mean().over(*WHO, "stratum"),
        one=pl.lit(1, pl.Int64),
    )
    rest, one = pl.col("rest").sum(), pl.col("one").sum()
    others = one.over(period) - one.over("annotator", *period)
    trend = (rest.over(period) - rest.over("annotator", *period)) / others
    return timed.with_columns(trend=pl.when(others >= LEAST).then(trend).otherwise(0.0)).drop("period", "rest", "one")


def changes(known: pl.DataFrame, order: str) -> pl.DataFrame:
    """Of `Inspected.known`, a row an annotator and control that says where in `order` the cumulative sum of wrong
    answers (1, else 0), less the `trend` where the rows have one, and less the annotator's own share of wrong ones
    among those alike (`stratum`), is lowest: CUSUM, Page, Biometrika 41, 1954.

        n, since    judgements; the last value of `order` before the change, null where there is none
        before, after, n_before, n_after   shares of wrong answers
        rise, low   after - before, adjusted for trend and strata, and the lower end of its interval (95 %)
        p           of a sum as low where the order means nothing: the bound exp(-2x²) of the Brownian bridge that it
                    then is (Smirnov, 1939); what is right or wrong makes smaller sums than that, so it is on the safe
                    side
    """
    alike = [*WHO, "stratum"]
    excess = pl.col("wrong") - pl.col("trend") if "trend" in known.columns else pl.col("wrong")
    placed = (
        known.filter(pl.col(order).is_not_null())
        .sort(*WHO, order)
        .with_columns(wrong=pl.col("wrong").cast(pl.Float64))
        .with_columns(size=pl.len().over(alike), rest=excess - excess.mean().over(alike))
        .with_columns(
            sum=pl.col("rest").cum_sum().over(WHO),
            wrongs=pl.col("wrong").cum_sum().over(WHO),
            n_before=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over(WHO),
            n=pl.len().over(WHO).cast(pl.Int64),
            all_wrong=pl.col("wrong").sum().over(WHO),
            spread=(pl.col("rest") ** 2 * pl.col("size") / (pl.col("size") - 1).clip(1)).sum().over(WHO),
        )
    )
    last = (pl.col(order) != pl.col(order).shift(-1).over(WHO)) & (pl.col("n_before") < pl.col("n"))
    lowest = placed.filter(last).sort("sum", maintain_order=True).unique(WHO, keep="first", maintain_order=True)
    n_after = pl.col("n") - pl.col("n_before")
    per = 1 / pl.col("n_before") + 1 / n_after
    telling = pl.col("spread") > 1e-9
    return (
        placed.unique(WHO, keep="first", maintain_order=True)
        .select(*WHO, "n", "all_wrong")
        .join(lowest.drop("n", "all_wrong"), on=WHO, how="left", maintain_order="left")
        .with_columns(
            since=order,
            before=pl.col("wrongs") / pl.col("n_before"),
            after=(pl.col("all_wrong") - pl.col("wrongs")) / n_after,
            n_after=n_after,
            rise=-pl.col("sum") * per,
            low=-pl.col("sum") * per - 1.96 * (pl.col("spread") / pl.col("n") * per).sqrt(),
            p=pl.when(telling).then((-2 * pl.col("sum") ** 2 / pl.col("spread")).exp()).otherwise(1.0),
        )
        .select(*WHO, "n", "since", "before", "after", "n_before", "n_after", "rise", "low", "p")
        .with_columns(pl.col("rise", "low", "before", "after").fill_null(0.0), pl.col("p").fill_null(1.0).clip(0, 1))
    )


def wrong_since(known: pl.DataFrame, order: str, annotator: str, control: str, since: object) -> tuple[int, ...]:
    """The tasks answered wrong after that, the most severe first."""
    mine = (pl.col("annotator") == annotator) & (pl.col("control") == control) & pl.col("wrong")
    rows = known.filter(mine & (pl.col(order) > pl.lit(since)))
    return tuple(rows.sort("severity", order, descending=True)["task"].head(MOST).to_list())
