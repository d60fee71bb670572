"""The figures of a process whose parameters are known: the intervals hold them, as often as they promise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from unit.bottlenecks.simulated import START, Simulation, mean_seconds

from sdk_scripts.bottlenecks import Asked, bottlenecks
from sdk_scripts.bottlenecks.estimates import times
from sdk_scripts.bottlenecks.model import Bottlenecks, Estimate, Lever, Pace

SEEDS = range(8)
BUSY = Simulation(
    days=21,
    arrivals=40.0,
    second=0.5,
    review=12.0,
    again=0.05,
    changed=0.07,
    skipped=0.1,
    open_tabs=0.01,
    wait=6.0,
    second_wait=10.0,
)
EACH = mean_seconds(BUSY.seconds)
LABELS = 1 + BUSY.second + BUSY.again
"""A task's, on the average."""


@pytest.fixture(scope="module")
def runs() -> list[Bottlenecks]:
    asked = Asked(hourly=18.0, currency="EUR", clear_in=2.0)
    return [bottlenecks(replace(BUSY, seed=seed).work(), asked=asked) for seed in SEEDS]


@pytest.fixture(scope="module")
def found(runs: list[Bottlenecks]) -> Bottlenecks:
    return runs[0]


def holds(runs: list[Bottlenecks], read: Callable[[Bottlenecks], Estimate], truth: float) -> bool:
    """Whether at least six intervals of eight hold the truth (fewer do by chance once in 170 times), and none is wider
    than twice the truth."""
    found = [read(it) for it in runs]
    assert all(it.low is not None and it.high is not None and it.high - it.low < 2 * truth for it in found)
    return sum(it.low <= truth <= it.high for it in found) >= 6


def lever(found: Bottlenecks, name: str, setting: str) -> Lever:
    return next(it for it in found.levers if it.lever == name and it.setting.startswith(setting))


def test_throughput_is_labels_a_day_a_week_and_an_hour_of_work(runs: list[Bottlenecks]) -> None:
    assert holds(runs, lambda it: it.throughput.per_day, BUSY.arrivals * LABELS)
    assert holds(runs, lambda it: it.throughput.per_week, 7 * BUSY.arrivals * LABELS)
    assert holds(runs, lambda it: it.throughput.per_hour, 3600 / EACH)


@pytest.mark.parametrize("person", range(BUSY.people))
def test_every_annotator_has_a_pace_of_their_own(runs: list[Bottlenecks], person: int) -> None:
    def pace(found: Bottlenecks) -> Pace:
        return next(it for it in found.throughput.people if it.annotator.startswith(f"person-{person}@"))

    assert holds(runs, lambda it: pace(it).per_active_day, BUSY.arrivals * LABELS / BUSY.people)
    assert holds(runs, lambda it: pace(it).per_hour, 3600 / EACH)


def test_lead_times_are_as_drawn_and_tabs_left_open_do_not_move_them(
    runs: list[Bottlenecks], found: Bottlenecks
) -> None:
    measured = found.lead_times
    assert holds(runs, lambda it: it.lead_times.overall.median, BUSY.seconds)
    assert measured.overall.p90 == pytest.approx(BUSY.seconds * math.exp(0.5 * 1.2816), rel=0.1)
    assert measured.overall.p95 == pytest.approx(BUSY.seconds * math.exp(0.5 * 1.6449), rel=0.1)
    assert measured.left_open / measured.timed == pytest.approx(BUSY.open_tabs, rel=0.5)
    assert measured.seconds_left_out >= 86_400 * measured.left_open
    assert sum(it.count for it in measured.histogram) == measured.timed


def test_waits_that_are_not_over_count_too(runs: list[Bottlenecks], found: Bottlenecks) -> None:
    assert holds(runs, lambda it: it.queues[0].wait_hours_median, BUSY.wait * math.log(2))
    assert holds(runs, lambda it: it.queues[0].wait_hours_p90, BUSY.wait * math.log(10))
    assert holds(runs, lambda it: it.queues[1].wait_hours_median, BUSY.second_wait * math.log(2))
    assert found.queues[0].waiting == pytest.approx(BUSY.arrivals / 24 * BUSY.wait, abs=10)


def test_a_long_wait_at_the_end_is_not_forgotten() -> None:
    """Of waits of 10 days in 14, most are not over: the median of those that are would be much too short."""
    slow = Simulation(days=14, wait=240.0, seed=3)
    (first, *_) = bottlenecks(slow.work()).queues
    assert first.wait_hours_median.low is not None
    assert first.wait_hours_median.low <= 240 * math.log(2) <= (first.wait_hours_median.high or math.inf)


def test_reviews_take_as_long_as_they_do(runs: list[Bottlenecks], found: Bottlenecks) -> None:
    assert holds(runs, lambda it: it.review_hours, BUSY.review * math.log(2))
    assert "last annotator" in found.review_basis


def test_rework_is_measured_by_kind(runs: list[Bottlenecks], found: Bottlenecks) -> None:
    assert holds(runs, lambda it: it.rework.again, BUSY.again / LABELS)
    assert holds(runs, lambda it: it.rework.again_otherwise, 2 * BUSY.accuracy * (1 - BUSY.accuracy))
    assert holds(runs, lambda it: it.rework.changed, BUSY.changed)
    assert holds(runs, lambda it: it.rework.skips, BUSY.skipped / (LABELS + BUSY.skipped))
    assert found.rework.beyond_overlap.value == 0


def test_a_label_costs_all_the_time_that_went_into_it(runs: list[Bottlenecks], found: Bottlenecks) -> None:
    seconds = EACH * (LABELS + BUSY.skipped)
    assert holds(runs, lambda it: it.costs.seconds_per_label, seconds)
    assert holds(runs, lambda it: it.costs.money_per_label, seconds / 3600 * 18)
    assert found.costs.currency == "EUR"
    assert "review" in found.costs.note  # their time stands in no export


def test_steps_have_their_share_of_work_and_the_slowest_comes_first(
    runs: list[Bottlenecks], found: Bottlenecks
) -> None:
    work = [it for it in found.steps if it.work]
    waits = [it for it in found.steps if not it.work]
    assert [it.step for it in work] == ["first label", "second label", "skipped", "labelled again", "review"]
    assert holds(runs, lambda it: it.steps[0].share, 1 / (LABELS + BUSY.skipped))
    assert holds(runs, lambda it: it.steps[1].share, BUSY.second / (LABELS + BUSY.skipped))
    assert work[-1].hours is None
    assert waits[0].step == "waiting for the first label"


def test_a_steady_process_keeps_littles_law(runs: list[Bottlenecks], found: Bottlenecks) -> None:
    capacity = found.capacity
    assert holds(runs, lambda it: it.capacity.arrivals_per_day, BUSY.arrivals)
    assert holds(runs, lambda it: it.capacity.utilisation, 1.0)
    assert capacity.waiting_on_average == pytest.approx(BUSY.arrivals / 24 * BUSY.wait, rel=0.15)
    assert capacity.littles_law == pytest.approx(capacity.waiting_on_average, rel=0.1)


def test_hours_to_clear_the_backlog_are_those_of_what_comes_and_what_waits(runs: list[Bottlenecks]) -> None:
    tasks = sum(it.capacity.backlog for it in runs) / len(runs) / 2 + BUSY.arrivals
    assert holds(runs, lambda it: it.capacity.hours_a_day_to_clear, tasks * EACH * (LABELS + BUSY.skipped) / 3600)


def test_without_a_second_annotator_its_time_is_saved_and_its_errors_stay(runs: list[Bottlenecks]) -> None:
    def off(found: Bottlenecks) -> Lever:
        return lever(found, "second annotator", "off")

    wrong = 1 - BUSY.accuracy
    assert holds(runs, lambda it: off(it).hours_per_1000_tasks, BUSY.second * EACH / 3.6)
    assert holds(runs, lambda it: off(it).errors_per_1000_tasks, 1000 * BUSY.second * wrong * BUSY.accuracy)


def test_a_second_annotator_on_every_task_costs_a_label_each(runs: list[Bottlenecks]) -> None:
    def cost(found: Bottlenecks) -> Estimate:
        return times(lever(found, "second annotator", "on every").hours_per_1000_tasks, -1)

    assert holds(runs, cost, BUSY.seconds / 3.6)


def test_a_clearer_guideline_saves_between_nothing_and_all_the_rework_of_its_tasks(found: Bottlenecks) -> None:
    it = lever(found, "guideline", "clearer")
    assert "negative" in it.setting
    assert (it.hours_per_1000_tasks.value, it.hours_per_1000_tasks.low) == (None, 0.0)
    assert it.hours_per_1000_tasks.high is None  # an export says nothing about the time of reviews


@pytest.mark.parametrize("faster", [True, False])
def test_a_backlog_is_cleared_when_more_gets_done_than_comes(faster: bool) -> None:
    """30 come a day for 28 days, onto 400 that were there; 40 get done, or 20."""
    from unit.analysis import exports

    from ml_backend.labeling.judgements import judgements
    from sdk_scripts.bottlenecks.work import work_of

    pace = 40 if faster else 20
    came = [START - timedelta(days=1)] * 400 + [START + timedelta(hours=0.8 * it) for it in range(28 * 30)]
    done = [START + timedelta(days=(it + 0.5) / pace) for it in range(28 * pace)]
    tasks = []
    for id, at in enumerate(came, start=1):
        given = []
        if id <= len(done):
            time = done[id - 1].isoformat()
            given = [exports.annotation(id, 1, exports.choice("sentiment", "positive"), created_at=time, lead_time=9.0)]
        tasks.append(exports.task(id, "text", given, created_at=at.isoformat(), overlap=1))
    dataset = exports.dataset(tasks)
    at = START + timedelta(days=28)
    capacity = bottlenecks(work_of(dataset, judgements(dataset.tasks, dataset.config), at=at)).capacity
    assert capacity.backlog == len(came) - len(done)
    assert capacity.backlog_trend_per_day.value == pytest.approx(30 - pace, abs=0.2)
    assert capacity.utilisation.value == pytest.approx(30 / pace, rel=0.01)
    assert capacity.days_to_clear_if_none_come.value == pytest.approx(capacity.backlog / pace, rel=0.01)
    if faster:
        assert capacity.days_to_clear.value == pytest.approx(capacity.backlog / 10, rel=0.05)
        assert capacity.clears == pytest.approx(1, abs=0.01)
    else:
        assert capacity.days_to_clear.value is None
        assert capacity.clears == pytest.approx(0, abs=0.01)
