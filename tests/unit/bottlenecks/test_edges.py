"""Sources that lack things, contradict themselves, or want to be believed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from unit.analysis import exports
from unit.analysis.exports import choice

from ml_backend.labeling.judgements import judgements
from sdk_scripts.bottlenecks import Asked, bottlenecks
from sdk_scripts.bottlenecks.model import Bottlenecks
from sdk_scripts.bottlenecks.steps import Process
from sdk_scripts.bottlenecks.work import Work, work_of

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


def work(*tasks: dict[str, Any], at: datetime | None = NOON, xml: str = exports.SENTIMENT, **more: Any) -> Work:
    dataset = exports.dataset(tasks, xml)
    return work_of(dataset, judgements(dataset.tasks, dataset.config), at=at, **more)


def found_in(*tasks: dict[str, Any], asked: Asked | None = None, **more: Any) -> Bottlenecks:
    return bottlenecks(work(*tasks, **more), asked=asked or Asked())


def said(
    id: int, who: object, label: str = "positive", *, hours: float = 1.0, seconds: float | None = 10.0, **more: Any
):
    """An annotation submitted so many hours before NOON."""
    at = (NOON - timedelta(hours=hours)).isoformat()
    times = {"created_at": at, "updated_at": at, "lead_time": seconds}
    return exports.annotation(id, who, choice("sentiment", label), **{**times, **more})


def came(hours: float) -> str:
    return (NOON - timedelta(hours=hours)).isoformat()


def steps(*tasks: dict[str, Any], **more: Any) -> dict[int, str]:
    """Annotation -> step."""
    return dict(Process(work(*tasks, **more)).done.select("annotation", "step").iter_rows())


def test_a_project_in_which_nothing_happened_says_nothing() -> None:
    found = found_in(exports.task(1, "text"))
    assert found.said == ["1 task waits for its first label; nothing says since when."]
    assert found.costs.accepted == 0
    assert found.costs.seconds_per_label.value is None
    assert found.throughput.per_day.value is None
    json.dumps(found.model_dump(mode="json"), allow_nan=False)


def test_a_source_without_any_time_still_counts_rework_and_says_what_it_cannot_say() -> None:
    bare = {"created_at": None, "updated_at": None, "lead_time": None}
    tasks = [exports.task(id, "text", [said(id, 1, **bare), said(id + 100, 1, **bare)]) for id in range(1, 9)]
    found = found_in(*tasks)
    assert found.rework.again.value == 0.5
    assert found.lead_times.untimed == 16
    assert found.costs.seconds_per_label.value is None
    assert found.capacity.accepted_per_day.value is None
    assert any("when tasks came" in note for note in found.notes)
    assert all(it.hours is None for it in found.steps if it.work)


def test_a_lead_time_of_nothing_is_no_lead_time() -> None:
    tasks = [exports.task(id, "text", [said(id, 1, seconds=0.0 if id < 4 else 20.0)]) for id in range(1, 13)]
    times = found_in(*tasks).lead_times
    assert (times.timed, times.untimed) == (9, 3)
    assert times.overall.median.value == 20.0


def test_what_was_not_measured_counts_as_the_mean_of_the_others() -> None:
    tasks = [exports.task(id, "text", [said(id, 1, seconds=None if id < 4 else 20.0)]) for id in range(1, 13)]
    found = found_in(*tasks)
    assert found.costs.seconds_per_label.value == pytest.approx(20.0)
    assert found.steps[0].untimed == 3


def test_a_tab_left_open_counts_as_the_others_and_is_told() -> None:
    tasks = [exports.task(id, "text", [said(id, 1, seconds=200_000.0 if id == 1 else 20.0)]) for id in range(1, 13)]
    found = found_in(*tasks)
    assert found.lead_times.left_open == 1
    assert found.costs.seconds_per_label.value == pytest.approx(20.0)
    assert any("tabs left open" in sentence for sentence in found.said)


def test_nobody_looks_at_a_task_for_longer_than_a_day_whatever_is_usual() -> None:
    tasks = [exports.task(id, "text", [said(id, 1, seconds=20.0 if id == 1 else 1e12)]) for id in range(1, 13)]
    assert found_in(*tasks).costs.seconds_per_label.value == pytest.approx(20.0)


def test_times_before_there_was_label_studio_are_left_out_and_counted() -> None:
    early = {"created_at": "0001-01-01T00:00:00Z", "updated_at": "0001-01-01T00:00:00Z"}
    tasks = [exports.task(id, "text", [said(id, 1, **(early if id == 1 else {}))]) for id in range(1, 13)]
    assert any("2 times lie in the future or before 2000" in note for note in found_in(*tasks).notes)


def test_times_in_the_future_are_left_out_and_counted() -> None:
    tasks = [exports.task(id, "text", [said(id, 1, hours=-48.0 if id == 1 else 2.0)]) for id in range(1, 13)]
    found = found_in(*tasks)
    assert any("2 times lie in the future" in note for note in found.notes)
    assert found.throughput.weeks[-1].annotations == 11


def test_labels_that_are_older_than_their_task_say_nothing_about_waiting() -> None:
    imported = [exports.task(id, "text", [said(id, 1, hours=50)], created_at=came(2)) for id in range(1, 9)]
    found = found_in(*imported)
    first = found.queues[0]
    assert (first.over, first.wait_hours_median.value) == (0, None)
    assert "8 came with their labels" in first.note
    assert found.throughput.imported
    assert not any("a day" in sentence for sentence in found.said)


def test_labels_without_a_lead_time_say_nothing_about_waiting_either() -> None:
    imported = [exports.task(id, "text", [said(id, 1, seconds=None)], created_at=came(2)) for id in range(1, 9)]
    assert found_in(*imported).queues[0].over == 0


def test_one_clock_that_is_off_does_not_spoil_the_others() -> None:
    tasks = [exports.task(id, "text", [said(id, 1, hours=2)], created_at=came(5)) for id in range(1, 13)]
    tasks[0]["created_at"] = came(1)
    first = found_in(*tasks).queues[0]
    assert first.over == 11
    assert first.wait_hours_median.value == pytest.approx(3.0, abs=0.01)


def test_few_observations_have_no_interval_and_few_times_no_quantiles() -> None:
    found = found_in(*(exports.task(id, "text", [said(id, 1, hours=id)]) for id in range(1, 4)))
    assert found.lead_times.overall.median.value is None
    assert found.lead_times.by_annotator[0].n == 3
    assert found.rework.again.value is None
    assert found.throughput.people[0].per_hour.low is None


def test_a_single_person_and_a_single_label_are_enough_for_what_they_tell() -> None:
    tasks = [exports.task(id, "text", [said(id, 1, hours=id)]) for id in range(1, 31)]
    found = found_in(*tasks)
    assert [(it.group, it.n) for it in found.lead_times.by_label] == [("positive", 30)]
    assert len(found.throughput.people) == 1
    (second,) = [it for it in found.levers if it.lever == "second annotator"]
    assert "twice" in second.record
    assert not [it for it in found.levers if it.lever == "guideline"]


def test_hours_and_weekdays_are_those_of_utc_whatever_the_zone_of_the_source() -> None:
    """02:30 on the Sunday when clocks go forward in Berlin, where that hour does not exist: 01:30 UTC."""
    at = {"created_at": "2026-03-29T03:30:00+02:00", "updated_at": "2026-03-29T03:30:00+02:00"}
    tasks = [exports.task(id, "text", [said(id, 1, **at)]) for id in range(1, 7)]
    times = found_in(*tasks).lead_times
    assert [(it.group, it.n) for it in times.by_hour] == [("01:00", 6)]
    assert [(it.group, it.n) for it in times.by_weekday] == [("Sunday", 6)]


def test_a_file_is_looked_at_from_its_last_moment() -> None:
    tasks = [exports.task(id, "text", [said(id, 1, hours=3.0)], created_at=came(30)) for id in range(1, 3)]
    tasks.append(exports.task(3, "text", created_at=came(27)))
    found = found_in(*tasks, at=None)
    assert found.at == NOON - timedelta(hours=3)
    assert found.queues[0].age_hours_oldest == pytest.approx(24.0)


def test_each_annotation_is_one_step_of_the_work() -> None:
    task = exports.task(
        1,
        "text",
        [
            said(1, 1, hours=9),
            said(2, 2, hours=8),
            said(3, 1, "negative", hours=7),
            said(4, 3, hours=6),
            said(5, 4, hours=5, was_cancelled=True),
        ],
        overlap=2,
    )
    assert steps(task) == {
        1: "first label",
        2: "second label",
        3: "labelled again",
        4: "beyond the overlap",
        5: "skipped",
    }


def test_nobody_known_never_labels_a_task_again() -> None:
    task = exports.task(1, "text", [said(1, None, hours=9), said(2, None, hours=8)], overlap=2)
    assert list(steps(task).values()) == ["first label", "second label"]


def test_a_machine_s_annotation_is_nobody_s_work_and_people_on_its_task_audit_it() -> None:
    mark = {"meta": {"tiebreak": {"machine": "v1", "answer": '["positive"]'}}}
    by_machine = exports.annotation(1, 9, {**choice("sentiment", "positive"), **mark}, lead_time=None)
    tasks = [exports.task(1, "text", [by_machine, said(2, 1)]), exports.task(2, "text", [dict(by_machine, id=3)])]
    assert steps(*tasks) == {2: "audit"}
    costs = found_in(*tasks).costs
    assert (costs.accepted, costs.by_machine) == (2, 1)


def test_tasks_whose_annotators_differ_wait_for_a_decision_and_are_not_accepted() -> None:
    tasks = [
        exports.task(id, "text", [said(id, 1, hours=5), said(id + 100, 2, "negative", hours=4)], overlap=2)
        for id in range(1, 4)
    ]
    found = found_in(*tasks)
    decision = found.queues[2]
    assert (decision.stage, decision.waiting, decision.age_hours_oldest) == ("decision", 3, pytest.approx(4.0))
    assert found.costs.accepted == 0


def test_answers_that_are_never_quite_the_same_do_not_split_a_task() -> None:
    def wrote(id: int, who: int, text: str) -> dict[str, Any]:
        region = {"from_name": "why", "to_name": "text", "type": "textarea", "value": {"text": [text]}}
        return exports.annotation(id, who, region)

    task = exports.task(1, "text", [wrote(1, 1, "a replica"), wrote(2, 2, "it is a replica")], overlap=2)
    assert found_in(task, xml=exports.EVERY_KIND).costs.accepted == 1


def test_labels_per_task_given_outweighs_the_source() -> None:
    tasks = [exports.task(id, "text", [said(id, 1)], overlap=1) for id in range(1, 3)]
    assert found_in(*tasks).queues[1].waiting == 0
    assert found_in(*tasks, labels_per_task=2).queues[1].waiting == 2


def test_names_and_labels_are_shown_on_one_line_without_control_characters() -> None:
    evil = "\x1b[31m<b>\u202eevil"
    tasks = [
        exports.task(id, "text", [said(id, evil, f"{evil}\n1"), said(id + 100, "b", "fine")], overlap=2)
        for id in range(1, 9)
    ]
    sentences = found_in(*tasks).said
    assert sentences
    assert not any(set("\x1b\u202e\n") & set(sentence) for sentence in sentences)
