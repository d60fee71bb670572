"""What asks for a report, once: the clock, new labels, a complete batch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ml_backend.report_schedule import Schedule
from ml_backend.report_triggers import BACK, Look, Seen, next_report
from tests.unit.reporting.projects import STEPS, Project

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86400.0
DAILY = Schedule("0 6 * * *")
BATCHES = Schedule(on_completion=True)


def look(at: float, labels: int = 0, batch: int | None = None) -> Look:
    return Look(at, labels, batch)


def test_a_schedule_begins_with_its_next_time() -> None:
    why, seen = next_report(DAILY, Seen(), look(NOON))
    assert why == ""
    assert next_report(DAILY, seen, look(NOON + 17 * HOUR))[0] == ""
    assert next_report(DAILY, seen, look(NOON + 18 * HOUR))[0] == "schedule"


def test_after_three_weeks_without_workers_there_is_one_report() -> None:
    _, seen = next_report(DAILY, Seen(), look(NOON))
    why, seen = next_report(DAILY, seen, look(NOON + 21 * DAY))
    assert why == "schedule"
    assert next_report(DAILY, seen, look(NOON + 21 * DAY + 60))[0] == ""
    assert next_report(DAILY, seen, look(NOON + 22 * DAY))[0] == "schedule"


def test_another_cron_begins_anew_and_so_does_one_that_was_off() -> None:
    _, seen = next_report(DAILY, Seen(), look(NOON))
    why, moved = next_report(Schedule("0 7 * * *"), seen, look(NOON + 5 * DAY))
    assert (why, moved.since) == ("", NOON + 5 * DAY)
    _, off = next_report(BATCHES, seen, look(NOON + DAY))
    assert next_report(DAILY, off, look(NOON + 5 * DAY))[0] == ""


def test_a_clock_that_was_a_year_ahead_for_a_while_stops_nothing() -> None:
    _, seen = next_report(DAILY, Seen(), look(NOON + 365 * DAY))
    why, seen = next_report(DAILY, seen, look(NOON))
    assert why == ""
    assert next_report(DAILY, seen, look(NOON + DAY))[0] == "schedule"


def test_a_clock_that_is_set_back_an_hour_makes_no_report_twice() -> None:
    _, seen = next_report(DAILY, Seen(), look(NOON))
    why, seen = next_report(DAILY, seen, look(NOON + 18 * HOUR + 60))
    assert why == "schedule"
    for back in (HOUR, 0.0, -HOUR):
        why, seen = next_report(DAILY, seen, look(NOON + 18 * HOUR - back))
        assert why == ""
    assert BACK > HOUR


@given(pauses=st.lists(st.integers(1, 3 * 24 * 60), min_size=1, max_size=12))
def test_a_look_finds_a_report_exactly_where_a_due_time_lies_since_the_last_look(pauses: list[int]) -> None:
    schedule, now = Schedule("0 6,18 * * *"), datetime.fromtimestamp(NOON, UTC)
    _, seen = next_report(schedule, Seen(), look(now.timestamp()))
    for minutes in pauses:
        before, now = now, now + timedelta(minutes=minutes)
        why, seen = next_report(schedule, seen, look(now.timestamp()))
        hours = ((before + timedelta(minutes=n)).time() for n in range(1, minutes + 1))
        assert why == ("schedule" if any((it.hour, it.minute) in ((6, 0), (18, 0)) for it in hours) else "")


def test_so_many_new_labels_ask_for_a_report_and_then_as_many_more() -> None:
    schedule = Schedule(every_labels=100)
    why, seen = next_report(schedule, Seen(), look(NOON, 5000))
    assert why == ""
    for labels, expected in [(5099, ""), (5100, "labels"), (5150, ""), (5199, ""), (5205, "labels"), (5300, "")]:
        why, seen = next_report(schedule, seen, look(NOON, labels))
        assert why == expected, labels


def test_labels_that_were_deleted_are_not_waited_for_again() -> None:
    schedule = Schedule(every_labels=100)
    _, seen = next_report(schedule, Seen(), look(NOON, 5000))
    _, seen = next_report(schedule, seen, look(NOON, 10))
    assert next_report(schedule, seen, look(NOON, 110))[0] == "labels"


def test_one_report_is_made_for_all_that_ask_at_once() -> None:
    everything = Schedule("0 6 * * *", every_labels=10, on_completion=True)
    _, seen = next_report(everything, Seen(), look(NOON))
    why, seen = next_report(everything, seen, look(NOON + DAY, 50, batch=20))
    assert why == "batch"
    assert next_report(everything, seen, look(NOON + DAY + 60, 55, batch=20))[0] == ""


@given(steps=st.lists(st.sampled_from(STEPS), max_size=40))
def test_between_two_reports_of_batches_tasks_were_imported(steps: list[str]) -> None:
    project, seen, imported = Project(), Seen(), False
    for step in ("nothing", *steps, "import", "label all"):
        project.do(step)
        imported |= step == "import"
        complete = bool(project.tasks) and not project.open
        newest = project.newest_task(7) if complete else None
        why, seen = next_report(BATCHES, seen, look(NOON, batch=newest))
        assert bool(why) == (complete and imported)
        imported &= not why
