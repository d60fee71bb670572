"""What a change would save is coverage times time, less audits; where nothing tells, it says what to record."""

from __future__ import annotations

from typing import Any

import pytest
from unit.analysis.working import CONFIG, Person, worked
from unit.bottlenecks.simulated import Simulation, mean_seconds

from ml_backend.labeling.judgements import judgements
from sdk_scripts.bottlenecks import bottlenecks
from sdk_scripts.bottlenecks.accept_risks import Accepting, AcceptRisk, risks_of
from sdk_scripts.bottlenecks.model import Bottlenecks, Lever
from sdk_scripts.bottlenecks.work import work_of
from sdk_scripts.sources import Dataset

PLAIN = Simulation(days=21, arrivals=40.0)


def risk(error: float, coverage: float, control: str = "sentiment") -> AcceptRisk:
    return AcceptRisk(control, error, 0.9 if coverage else None, coverage, 1000)


def found(*risks: AcceptRisk, **more: Any) -> Bottlenecks:
    return bottlenecks(PLAIN.work(), Accepting("v7", risks, **more))


def levers(found: Bottlenecks, name: str) -> list[Lever]:
    return [it for it in found.levers if it.lever == name]


def test_auto_accept_saves_coverage_times_the_median_less_audits_at_each_risk() -> None:
    lax, strict = levers(found(risk(0.05, 0.6), risk(0.02, 0.3), audit=0.1), "auto-accept")
    for it, coverage, error in ((lax, 0.6, 0.05), (strict, 0.3, 0.02)):
        hours = it.hours_per_1000_tasks
        assert hours.value == pytest.approx(coverage * 0.9 * PLAIN.seconds / 3.6, rel=0.05)
        assert hours.low < hours.value < hours.high
        assert (it.errors_per_1000_tasks.value, it.errors_per_1000_tasks.low) == (None, 0.0)
        assert it.errors_per_1000_tasks.high == pytest.approx(1000 * coverage * error, rel=0.15)


def test_a_risk_that_no_threshold_can_promise_saves_nothing_and_says_why() -> None:
    (it,) = levers(found(risk(0.01, 0.0)), "auto-accept")
    assert it.hours_per_1000_tasks.value == 0
    assert "No threshold of v7" in it.basis


def test_several_controls_have_to_be_sure_together() -> None:
    (it,) = levers(found(risk(0.05, 0.8), risk(0.05, 0.7, "policy")), "auto-accept")
    assert it.hours_per_1000_tasks.value is None
    most = 0.9 * PLAIN.seconds / 3.6
    assert 0.4 * most < it.hours_per_1000_tasks.low < 0.5 * most
    assert 0.7 * most < it.hours_per_1000_tasks.high < 0.8 * most


def test_another_risk_than_that_in_force_is_counted_against_it() -> None:
    three = found(risk(0.01, 0.1), risk(0.02, 0.3), risk(0.05, 0.6), in_force=0.02)
    lax, strict = sorted(levers(three, "routing"), key=lambda it: -(it.hours_per_1000_tasks.value or 0))
    assert lax.hours_per_1000_tasks.value == pytest.approx(0.3 * 0.9 * PLAIN.seconds / 3.6, rel=0.05)
    assert strict.hours_per_1000_tasks.value == pytest.approx(-0.2 * 0.9 * PLAIN.seconds / 3.6, rel=0.05)
    assert lax.errors_per_1000_tasks.high > 0 > strict.errors_per_1000_tasks.low
    assert "in force" in next(it.basis for it in levers(three, "auto-accept") if "2 %" in it.setting)


def test_without_a_model_it_says_to_train_one() -> None:
    (it,) = levers(bottlenecks(PLAIN.work()), "auto-accept")
    assert not it.hours_per_1000_tasks.known
    assert "tiebreak train" in it.record


def test_risks_are_read_from_a_version_s_metrics() -> None:
    threshold = {"error": 0.05, "certainty": 0.95, "confidence": 0.91, "coverage": 0.4}
    metrics = {"verdict": {"labels": 200, "thresholds": [threshold]}, "empty": {"labels": 0}, "odd": 3}
    assert risks_of(metrics) == (AcceptRisk("verdict", 0.05, 0.91, 0.4, 200),)


def test_pre_labeling_saves_what_the_blind_holdout_shows() -> None:
    people = [Person(f"p{it}@shop.example", looks=1.0, seconds=30.0, faster=0.6) for it in range(4)]
    tasks, _, _ = worked(people, 300)
    dataset = Dataset("worked", CONFIG, tasks)
    work = work_of(dataset, judgements(tasks, CONFIG), labels_per_task=4)
    on, off = levers(bottlenecks(work), "pre-labeling")
    blind = sum(a.arm == "blind" for task in tasks for a in task.annotations) / 1200
    usual = 4 * 30 * 0.6 * mean_seconds(1)
    assert on.hours_per_1000_tasks.value == pytest.approx(blind * 0.4 * usual / 3.6, rel=0.35)
    assert 0 < on.hours_per_1000_tasks.low < on.hours_per_1000_tasks.value < on.hours_per_1000_tasks.high
    assert off.hours_per_1000_tasks.value == pytest.approx(-(1 - blind) * (1 / 0.6 - 1) * usual / 3.6, rel=0.35)
    assert off.hours_per_1000_tasks.high < 0
    assert "of 1,200 labels had a prediction" in on.basis


def test_without_a_holdout_it_says_to_have_one() -> None:
    (it,) = levers(bottlenecks(PLAIN.work()), "pre-labeling")
    assert not it.hours_per_1000_tasks.known
    assert "blind" in it.record


def test_what_saves_most_comes_first_and_what_is_not_known_last() -> None:
    listed = found(risk(0.02, 0.3), risk(0.05, 0.6)).levers
    known = [it.hours_per_1000_tasks.known for it in listed]
    assert known == sorted(known, reverse=True)
    values = [it.hours_per_1000_tasks.value for it in listed if it.hours_per_1000_tasks.value is not None]
    assert values == sorted(values, reverse=True)
