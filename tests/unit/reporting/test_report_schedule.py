"""When cron's times come, on clocks that are put forward and back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.labeling.errors import ConfigError
from ml_backend.report_schedule import NEVER, Schedule, cron_problem, last_due, schedule_of
from ml_backend.roles import role_of
from sdk_scripts.manifest import Manifest, load_manifest
from sdk_scripts.quality import Quality, quality_of

MINUTE = timedelta(minutes=1)
CHANGES = {  # of the clocks; the last one has none
    "Europe/Berlin": ["2026-03-29T01:00", "2026-10-25T01:00"],
    "America/New_York": ["2026-03-08T07:00", "2026-11-01T06:00"],
    "Australia/Lord_Howe": ["2026-04-04T15:00", "2026-10-03T15:30"],  # by half an hour
    "Africa/Casablanca": ["2026-02-15T02:00", "2026-03-22T02:00"],
    "Asia/Shanghai": ["2026-03-29T01:00"],
}


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("0 6", "there are 2"),
        ("0 0 6 * * *", "there are 6"),
        ("@daily", "there is 1"),
        ("60 * * * *", "the minute must be 0-59"),
        ("R * * * *", "the minute"),
        ("*/0 * * * *", "the minute"),
        ("0 24 * * *", "the hour must be 0-23"),
        ("0 6 L * *", "the day of month must be 1-31"),
        ("0 6 * 13 *", "the month must be 1-12 or jan-dec"),
        ("0 6 * * 8", "the day of week must be 0-7 or sun-sat"),
        ("0 6 * * moonday", "the day of week"),
        ("0 0 30 2 *", "never comes"),
        (f"{'9' * 90} * * * *", "the minute"),
    ],
)
def test_a_cron_that_cannot_be_read_names_its_field_and_gives_an_example(cron: str, said: str) -> None:
    problem = cron_problem(cron)
    assert said in problem
    assert "'0 6 * * mon' is every Monday at 6:00" in problem
    assert last_due(Schedule(cron), at("2026-11-26T12:00")) is None


@pytest.mark.parametrize("cron", ["0 6 * * mon", "*/15 8-18 * * MON-FRI", "0 0 29 2 *", "5,35 0 1 jan,jul 7"])
def test_five_fields_of_cron_are_taken(cron: str) -> None:
    assert cron_problem(cron) == ""


@given(st.text(max_size=30))
def test_whatever_is_written_is_a_cron_or_told_what_is_wrong(cron: str) -> None:
    assert isinstance(cron_problem(cron), str)
    last_due(Schedule(cron, "Europe/Berlin"), at("2026-11-26T12:00"))


def test_cron_reads_the_clock_of_its_zone() -> None:
    now = at("2026-11-26T12:00")
    assert last_due(Schedule("0 6 * * *"), now) == at("2026-11-26T06:00")
    assert last_due(Schedule("0 6 * * *", "Asia/Shanghai"), now) == at("2026-11-25T22:00")
    assert last_due(Schedule("0 12 * * *"), now) == now
    assert last_due(Schedule("1 12 * * *"), now) == now - timedelta(days=1) + MINUTE


def test_a_skipped_time_comes_as_much_later_as_the_clocks_were_put_forward() -> None:
    nightly = Schedule("30 2 * * *", "Europe/Berlin")
    assert last_due(nightly, at("2026-03-29T23:00")) == at("2026-03-29T03:30", "Europe/Berlin")


def test_a_skipped_time_may_come_after_one_that_the_clock_shows_later() -> None:
    both = Schedule("1,30 2 * * *", "Australia/Lord_Howe")  # 2:00 is put forward to 2:30, so 2:01 comes at 2:31
    assert last_due(both, at("2026-10-03T16:01")) == at("2026-10-03T15:31")


def test_a_repeated_time_comes_once() -> None:
    nightly, berlin = Schedule("30 2 * * *", "Europe/Berlin"), "Europe/Berlin"
    first = at("2026-10-25T02:30", berlin)
    assert last_due(nightly, first) == last_due(nightly, first + timedelta(hours=12)) == first


def named(schedule: Schedule, first: datetime, last: datetime) -> list[datetime]:
    """Every time from `first` to `last`, by looking at each minute; of cron, minutes and hours only."""
    minutes, hours = ([int(it) for it in field.split(",")] for field in schedule.cron.split()[:2])
    zone, shown, moment = ZoneInfo(schedule.time_zone), {}, first - timedelta(days=1)
    while moment <= last:
        shown.setdefault(moment.astimezone(zone).replace(tzinfo=None), moment)
        moment += MINUTE
    wall, end, before = min(shown), max(shown), first
    found = []
    while wall <= end:
        before = shown[wall] if wall in shown else before + MINUTE
        if wall.minute in minutes and wall.hour in hours and first <= before <= last:
            found.append(before)
        wall += MINUTE
    return sorted(set(found))


def crons() -> st.SearchStrategy[str]:
    minutes = st.sets(st.integers(0, 59), min_size=1, max_size=3)
    hours = st.sets(st.sampled_from([0, 1, 2, 3, 12, 23]), min_size=1, max_size=4)
    return st.builds(lambda m, h: f"{','.join(map(str, m))} {','.join(map(str, h))} * * *", minutes, hours)


@settings(max_examples=100)
@given(zone=st.sampled_from(sorted(CHANGES)), which=st.integers(0, 1), cron=crons(), off=st.integers(-180, 1500))
def test_due_times_are_those_of_a_walk_through_every_minute(zone: str, which: int, cron: str, off: int) -> None:
    change = at(CHANGES[zone][which % len(CHANGES[zone])])
    now, schedule = change + off * MINUTE, Schedule(cron, zone)
    expected = named(schedule, now - timedelta(days=2), now)
    assert last_due(schedule, now) == expected[-1]


REPORTS = 'reports: {cron: "0 6 * * mon", time_zone: Europe/Berlin, every_labels: 500, on_completion: true, keep: 12}'


def test_the_schedule_goes_through_the_description_to_the_workers(manifest: Callable[..., Manifest]) -> None:
    loaded = manifest("quality: rules.yaml", **{"rules.yaml": REPORTS})
    assert loaded.quality is not None
    project = {"id": 7, "description": f"Reviews.\n\ntiebreak quality: {loaded.quality.line()}"}
    assert role_of(project).reports == Schedule("0 6 * * mon", "Europe/Berlin", 500, on_completion=True)
    assert quality_of(project).reports.keep == 12


def test_without_reports_in_the_rules_none_is_made() -> None:
    assert not role_of({"description": f"tiebreak quality: {Quality(automatic=True).line()}"}).reports


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ('reports: {cron: "0 25 * * *"}', "rules.yaml:1: reports.cron: the hour must be 0-23"),
        ("reports: {time_zone: Berlin}", "rules.yaml:1: reports.time_zone: is no time zone"),
        ("reports: {time_zone: ../../etc/passwd}", "rules.yaml:1: reports.time_zone: is no time zone"),
        ("reports: {every_labels: 0}", "rules.yaml:1: reports.every_labels: "),
        ("reports: {keep: 1}", "rules.yaml:1: reports.keep: "),
        ("reports: {on_complete: true}", "reports.on_complete: is not a field, did you mean on_completion"),
    ],
)
def test_a_broken_schedule_is_told_with_line_and_field(folder: Callable[..., Path], rules: str, reason: str) -> None:
    path = folder("name: reviews\ntitle: Reviews\nquality: rules.yaml", **{"rules.yaml": rules})
    with pytest.raises(ConfigError) as caught:
        load_manifest(path)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "said",
    [None, 3, [], {"cron": 5}, {"cron": "0 6 * * *", "time_zone": None}, {"every_labels": True}, {"every_labels": -5}],
)
def test_what_people_broke_in_the_description_asks_for_nothing(said: object) -> None:
    assert schedule_of(said) == NEVER


@pytest.mark.parametrize("said", [{"cron": "0 6"}, {"cron": "0 6 * * *", "time_zone": "Mars/Base"}])
def test_a_cron_that_people_broke_in_the_description_never_comes(said: dict[str, str]) -> None:
    assert last_due(schedule_of(said), at("2026-11-26T12:00")) is None
