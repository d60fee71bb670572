"""Reviews of a live project, from the tasks of its review project as Label Studio returns them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from unit.analysis import exports
from unit.analysis.reviews import PEOPLE, decision, review_task
from unit.bottlenecks.simulated import Simulation

from ml_backend.labeling.judgements import judgements
from sdk_scripts.bottlenecks import bottlenecks
from sdk_scripts.bottlenecks.reviews import read
from sdk_scripts.bottlenecks.work import REVIEWS, work_of

ASKED, DECIDED = "2026-01-01T00:00:00Z", "2026-01-01T06:00:00Z"


def decided(id: int, lead_time: float | None = 60.0) -> dict[str, Any]:
    return decision(id, 7, "positive", created_at=DECIDED, updated_at=DECIDED, lead_time=lead_time)


def test_a_review_waits_from_being_made_to_being_decided() -> None:
    tasks = [review_task(1, decided(5), task=10), review_task(2, task=11), review_task(3, task=12, source_project=4)]
    rows = read([{**it, "created_at": ASKED} for it in tasks], PEOPLE, source=3)
    assert rows.schema == pl.Schema(REVIEWS)
    asked, at = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 6, tzinfo=UTC)
    assert rows.rows() == [
        (10, "sentiment", 1, "rev@example.com", asked, at, 60.0),
        (11, "sentiment", 1, "", asked, None, None),
    ]


def test_their_time_is_work_and_those_open_are_a_queue() -> None:
    made = [review_task(id, decided(100 + id), task=id) for id in range(1, 9)]
    made += [review_task(20, task=9), review_task(21, decided(130), task=8, round=2)]
    reviews = read([{**it, "created_at": ASKED} for it in made], PEOPLE, source=3)
    tasks = []
    for id in range(1, 10):
        given = [
            exports.annotation(10 * id + who, who, exports.choice("sentiment", label), lead_time=30.0)
            for who, label in ((1, "positive"), (2, "negative"))
        ]
        if id < 9:
            mark = {"meta": {"tiebreak": {"review": f"5/{id}/1"}}}
            region = {**exports.choice("sentiment", "positive"), **mark}
            given.append(exports.annotation(10 * id + 9, 7, region, ground_truth=True, lead_time=None))
        tasks.append(exports.task(id, "text", given, overlap=2, created_at="2025-12-31T00:00:00Z"))
    dataset = exports.dataset(tasks)
    at = datetime(2026, 1, 2, tzinfo=UTC)
    found = bottlenecks(work_of(dataset, judgements(dataset.tasks, dataset.config), reviews=reviews, at=at))
    waiting = found.queues[2]
    assert (waiting.stage, waiting.waiting, waiting.over, waiting.age_hours_oldest) == ("review", 1, 9, 24.0)
    assert found.review_hours.value == pytest.approx(6.0)
    review = next(it for it in found.steps if it.step == "review")
    assert (review.n, review.hours) == (9, pytest.approx(9 * 60 / 3600))
    assert found.costs.note == ""
    assert found.costs.seconds_per_label.value == pytest.approx((9 * 2 * 30 + 9 * 60) / 8)
    assert (found.rework.reviewed_again.value, found.rework.reviewed_again.n) == (pytest.approx(1 / 8), 8)
    guideline = next(it for it in found.levers if it.lever == "guideline")
    assert guideline.hours_per_1000_tasks.high == pytest.approx(60 / 3.6, rel=0.35)
    assert guideline.hours_per_1000_tasks.low == 0


def test_without_any_review_the_latency_is_not_known() -> None:
    found = bottlenecks(Simulation(days=7).work())
    assert not found.review_hours.known
    assert found.review_basis == "No review is on record."
