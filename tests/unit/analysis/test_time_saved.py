from __future__ import annotations

import polars as pl
import pytest

from ml_backend.labeling.arms import Arms
from ml_backend.labeling.judgements import SCHEMA, judgements
from sdk_scripts.time_saved import time_saved
from tests.unit.analysis.working import ARMS, CONFIG, Person, worked

CAREFUL = Person("careful@example.com", looks=1.0, skill=0.9)
HALF = Person("half@example.com", looks=0.5, skill=0.9)


def test_the_time_saved_is_found_though_the_fast_label_other_tasks_than_the_slow() -> None:
    """Simpson's paradox: who is slow works blind more often here."""
    fast, slow = Person("fast", 1.0, seconds=5, faster=0.8), Person("slow", 1.0, seconds=60, faster=0.8)
    found = []
    for person, blind in ((fast, 0.05), (slow, 0.5)):
        arms = Arms(ARMS.secret, blind, 0.0)
        table = judgements(worked([person], 1_500, arms=arms, seed=int(person.seconds))[0], CONFIG)
        found.append(table.with_columns(pl.col("annotation") + int(1e7 * person.seconds)))
    both = pl.concat(found)
    raw = both.filter(arm="plain")["lead_time"].mean() / both.filter(arm="blind")["lead_time"].mean()  # type: ignore[operator]
    assert raw < 0.6
    saved = time_saved(both)
    assert saved["low"] <= 0.8 <= saved["high"]
    assert saved["ratio"] == pytest.approx(0.8, abs=0.06)
    assert saved["saved"] == pytest.approx(1 - saved["ratio"])
    assert saved["saved_low"] == pytest.approx(1 - saved["high"])


def test_one_who_left_for_lunch_does_not_decide() -> None:
    rows = judgements(worked([CAREFUL, HALF], 400)[0], CONFIG)
    lunch = rows.with_columns(
        lead_time=pl.when((pl.col("arm") == "plain") & (pl.col("task") % 50 == 0)).then(36_000.0).otherwise("lead_time")
    )
    assert time_saved(lunch)["ratio"] == pytest.approx(time_saved(rows)["ratio"], rel=0.08)


def test_the_interval_of_time_saved_holds_the_truth_about_as_often_as_it_says() -> None:
    holds_it = 0
    for seed in range(40):
        people = [Person(f"{i}", 1.0, seconds=10 + 5 * i, faster=0.7) for i in range(6)]
        found = time_saved(judgements(worked(people, 60, seed=seed)[0], CONFIG), seed=seed)
        holds_it += found["low"] <= 0.7 <= found["high"]
    assert holds_it >= 33  # 95 % of 40 is 38


def test_without_time_or_without_blind_tasks_nothing_is_said_of_it() -> None:
    for table in (
        pl.DataFrame(schema=SCHEMA),
        judgements(worked([CAREFUL], 60, arms=Arms())[0], CONFIG),
        judgements(worked([CAREFUL], 200)[0], CONFIG).with_columns(lead_time=pl.lit(0.0)),
    ):
        found = time_saved(table)
        assert found["ratio"] is found["saved"] is None
        assert "Nobody" in found["note"]
