"""A project is watched, with what is kept of it: look, follow up, acknowledge, report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from ml_backend.labeling.errors import InputError
from ml_backend.queues import Jobs
from ml_backend.settings import Settings
from ml_backend.valkey import Valkey
from sdk_scripts.blame import Blame
from sdk_scripts.evidence import Evidence
from sdk_scripts.monitoring.findings_store import FindingsStore
from sdk_scripts.monitoring.watching import Shown, Watched, acknowledge, follow_up, look, suspicions
from sdk_scripts.quality import Quality
from sdk_scripts.report.collect import collect
from sdk_scripts.report.sections.inspection import InspectionPart
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.sources import Dataset
from tests.unit.monitoring.inspections import finding
from tests.unit.monitoring.receiver import receiving

PROJECT = {"id": 7, "created_at": "2026-11-22T12:31:05Z", "title": "Reviews", "description": ""}
KEY = "7.1795350665"
TRUTHS = dict.fromkeys(range(1, 61), "positive")


def project(*bad: str, truths: dict[int, str] = TRUTHS) -> Dataset:
    """A project in which these people have half of what is known wrong."""
    rows = [
        Given(task, who, "negative" if who in bad and task % 2 else "positive")
        for task in TRUTHS
        for who in ("ana", "bob", "cho", "dee", "eli")
    ]
    made = example(rows, truths=truths, project=PROJECT)
    return replace(made, url="http://studio.example/projects/7/data")


def subjects(watched: Watched, name: str = "findings") -> dict[str, str]:
    rows = [it for it in watched.to_json()[name] if it["rule"] == "gold_failures"]
    return {it["subject"]: it.get("state", "") for it in rows}


@pytest.fixture
def jobs(valkey: Valkey, settings: Settings) -> Iterator[Jobs]:
    with Jobs(settings.model_copy(update={"redis_url": SecretStr(valkey.url)})) as jobs:
        yield jobs


def watch(settings: Settings, jobs: Jobs, dataset: Dataset) -> Watched:
    return follow_up(look(dataset, settings), settings, jobs, reviewed=())


def test_looking_writes_nothing(settings: Settings) -> None:
    assert subjects(look(project("ana"), settings)) == {"ana": "new"}
    assert subjects(look(project("ana"), settings)) == {"ana": "new"}
    assert not list(Path(settings.home).rglob("inspections/*"))


def test_states_are_against_what_was_kept(settings: Settings, jobs: Jobs) -> None:
    watch(settings, jobs, project("ana", "bob"))
    found = look(project("bob", "cho"), settings)
    assert subjects(found) == {"bob": "continuing", "cho": "new"}
    assert set(subjects(found, "cleared")) == {"ana"}


def test_what_nobody_could_look_for_is_not_cleared(settings: Settings, jobs: Jobs) -> None:
    watch(settings, jobs, project("ana"))
    found = look(project("ana", truths={}), settings)
    assert "gold_failures" in found.inspection.dropped
    assert set(subjects(found, "unseen")) == {"ana"}
    assert subjects(found, "cleared") == {}
    left_out = look(project(), settings, quality=Quality(rules={"gold_failures": False}))
    assert set(subjects(left_out, "unseen")) == {"ana"}


def test_an_acknowledged_finding_stands_apart(settings: Settings, jobs: Jobs) -> None:
    watched = watch(settings, jobs, project("ana", "bob"))
    key = "gold_failures|ana|sentiment"
    acknowledge(settings, PROJECT, key, " She has just begun. ")
    found = look(project("ana", "bob"), settings)
    assert subjects(found) == {"bob": "continuing"}
    [known] = found.to_json()["acknowledged"]
    assert known["key"] == key
    assert known["acknowledged_why"] == "She has just begun."
    assert key in {it.key for it in watched.pending()} - {it.key for it in found.pending()}


@pytest.mark.parametrize(("key", "why"), [("gold_failures|ana|sentiment", " "), ("gold_failures|zoe|sentiment", "x")])
def test_an_acknowledgement_needs_an_open_finding_and_a_reason(
    settings: Settings, jobs: Jobs, key: str, why: str
) -> None:
    watch(settings, jobs, project("ana"))
    with pytest.raises(InputError):
        acknowledge(settings, PROJECT, key, why)


def test_only_what_is_meant_is_shown(settings: Settings) -> None:
    found = look(project("ana", "bob"), settings)
    shown = found.to_json(Shown(rules=["gold_failures"], annotators=["bob"]))["findings"]
    assert [it["subject"] for it in shown] == ["bob"]


@pytest.mark.parametrize("blind", [True, False])
def test_reviewers_are_told_names_only_where_the_standard_lets_them_see_any(settings: Settings, blind: bool) -> None:
    seen = example(
        [
            Given(task, who, "negative" if who == "ana" else "positive")
            for task in range(1, 9)
            for who in ("ana", "bob")
        ],
        project={**PROJECT, "description": f'tiebreak hard cases: {{"blind": {str(blind).lower()}}}'},
    )
    it = finding("ana", message="ana is too fast.", evidence=(1, 2))
    other = finding("bob", rule="speed", evidence=(2, 3), blame=Blame("item", "All do it."))
    found = suspicions(Evidence.collect(seen, settings), [it, other])
    assert {rule: list(tasks) for rule, tasks in found.items()} == {"gold_failures": [1, 2]}
    first, second = found["gold_failures"].values()
    assert first.score > second.score
    assert ("ana" in first.detail) == (not blind)


def test_an_alert_that_cannot_be_sent_stops_nothing(settings: Settings, jobs: Jobs) -> None:
    away = settings.model_copy(update={"alert_url": SecretStr("http://127.0.0.1:9/hook")})
    watched = watch(away, jobs, project("ana"))
    assert watched.alert is not None
    assert watched.alert.outcome == "failed"
    assert FindingsStore(away, KEY).standings().open


def test_two_inspections_tell_of_a_finding_once(settings: Settings, jobs: Jobs) -> None:
    with receiving() as receiver:
        telling = settings.model_copy(update={"alert_url": SecretStr(receiver.url)})
        watch(telling, jobs, project("ana"))
        watch(telling, jobs, project("ana"))
    [message] = receiver.came
    assert message["project"] == {"title": "example", "url": "http://studio.example/projects/7/data"}
    assert "ana" in {it["subject"] for it in message["found"]}


def test_the_report_says_what_is_new_and_what_was_acknowledged(settings: Settings, jobs: Jobs) -> None:
    watch(settings, jobs, project("ana", "bob"))
    acknowledge(settings, PROJECT, "gold_failures|ana|sentiment", "Known.")
    part = collect(project("ana", "bob", "cho"), settings).sections["inspection"]
    assert isinstance(part, InspectionPart)
    states = [it.state for it in part.findings if it.rule == "gold_failures"]
    assert sorted(states) == ["acknowledged", "continuing", "new"]
    assert part.findings[0].links[0].startswith("http://studio.example/projects/7/data?task=")
