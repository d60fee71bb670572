"""The case library and the registry's commands, against a real Label Studio."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from ml_backend.cases import policy_version, read_cases
from ml_backend.encoder import Encoder
from ml_backend.jobs import JOB_SETTINGS, train_job
from ml_backend.labeling.results import project_key
from ml_backend.model_registry import ModelRegistry
from ml_backend.queues import Jobs
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.training import train
from ml_backend.valkey import Valkey
from sdk_scripts.case_library import NewCase, add_cases
from sdk_scripts.cli import app
from tests.unit.learning.reviews import SENTIMENT, choice, labelled, reviews

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def project(studio: Studio) -> Iterator[dict[str, Any]]:
    made = studio.create_project(
        {
            "title": "Reviews",
            "label_config": SENTIMENT.xml,
            "description": "What customers say.\n\ntiebreak: cases-live-test",
            "expert_instruction": "<p>Positive or negative?</p>",
        }
    )
    yield made
    studio.delete_project(made["id"])


@pytest.fixture
def library(studio: Studio, project: dict[str, Any]) -> Iterator[int]:
    """Two cases that hold, one that has expired, and a task that nobody has settled."""
    made = studio.create_project(
        {
            "title": "Settled reviews",
            "label_config": SENTIMENT.xml,
            "description": "Settled.\n\ntiebreak cases: cases-live-test\ntiebreak: cases-live-test-cases",
        }
    )
    settled = {"result": [choice("sentiment", "negative")], "ground_truth": True}
    studio.import_tasks(
        made["id"],
        [
            {
                "data": {"text": "Great. It broke.", "tiebreak_case": {"severity": "high", "expires": "2027-01-01"}},
                "annotations": [settled],
            },
            {"data": {"text": "Fine, apart from the smoke."}, "annotations": [settled]},
            {"data": {"text": "Old news.", "tiebreak_case": {"expires": "2026-01-01"}}, "annotations": [settled]},
            {"data": {"text": "Hm."}},
        ],
    )
    yield made["id"]
    studio.delete_project(made["id"])


def test_the_library_of_a_project_is_found_and_read(studio: Studio, project: dict[str, Any], library: int) -> None:
    found = read_cases(studio, studio.project(project["id"]), SENTIMENT, NOW)
    assert [(case.data["text"], case.answer, case.severity) for case in found] == [
        ("Great. It broke.", ("negative",), "high"),
        ("Fine, apart from the smoke.", ("negative",), ""),
    ]
    assert {case.project for case in found} == {library}
    assert [case.task for case in found] == [task["id"] for task in studio.tasks(library)][:2]
    assert read_cases(studio, studio.project(library), SENTIMENT, NOW) == []


def test_a_training_job_holds_the_cases_out_and_notes_the_guidelines(
    studio: Studio, project: dict[str, Any], library: int, studio_settings: Settings, valkey: Valkey
) -> None:
    known = [(it.data["text"], it.annotations[0].regions) for it in labelled(40)]
    case = ("Great. It broke.", [choice("sentiment", "negative")])
    studio.import_tasks(
        project["id"],
        [{"data": {"text": text}, "annotations": [{"result": list(regions)}]} for text, regions in [*known, case]],
    )
    outcome = trained(project, studio_settings, valkey)
    assert (outcome["labels"], outcome["promoted"]) == (40, True)
    (info,) = ModelRegistry(studio_settings.models).versions(project_key(project))
    assert info.policy_version == policy_version(studio.project(project["id"]))


def test_a_training_job_refuses_a_model_that_fails_a_case_until_the_guidelines_change(
    studio: Studio, project: dict[str, Any], studio_settings: Settings, valkey: Valkey
) -> None:
    def add(known: list[tuple[str, str]]) -> None:
        tasks = [
            {"data": {"text": text}, "annotations": [{"result": [choice("sentiment", label)]}]} for text, label in known
        ]
        studio.import_tasks(project["id"], tasks)

    add(reviews(60))
    add([("The parcel is on fire.", "positive"), ("A parcel on fire, again.", "positive")] * 3)
    assert trained(project, studio_settings, valkey)["promoted"]
    on_fire = [it["id"] for it in studio.tasks(project["id"], data_only=True) if "on fire" in it["data"]["text"]]

    studio.import_tasks(project["id"], [{"data": {"text": "Parcel on fire."}}])
    (hard,) = [it["id"] for it in studio.tasks(project["id"]) if not it["annotations"]]
    settled = NewCase(hard, "sentiment", '["positive"]', policy=policy_version(project))
    made = add_cases(studio, project, [settled], studio_settings)
    studio.delete_tasks(project["id"], on_fire)
    add([(f"The parcel is on fire, number {i}.", "negative") for i in range(40)])
    refused = trained(project, studio_settings, valkey)
    (case,) = read_cases(studio, studio.project(project["id"]), SENTIMENT, NOW)
    assert not refused["promoted"]
    assert case.place in refused["reason"]

    studio.update_project(project["id"], {"expert_instruction": "<p>Fire is negative.</p>"})
    assert trained(project, studio_settings, valkey)["promoted"]
    studio.delete_project(made.project)


def trained(project: dict[str, Any], settings: Settings, valkey: Valkey) -> dict[str, Any]:
    """What a training job says that somebody asked for, and that finds its settings as a worker does."""
    settings, key = settings.model_copy(update={"redis_url": SecretStr(valkey.url)}), project_key(project)
    token = JOB_SETTINGS.set(settings)
    try:
        with Jobs(settings) as jobs:
            jobs.state(key).ask(0)
        outcome = train_job(key, project["id"], 0)
    finally:
        JOB_SETTINGS.reset(token)
    assert isinstance(outcome, dict)
    return outcome


def test_guidelines_have_the_same_version_as_stored_and_as_sent(studio: Studio, project: dict[str, Any]) -> None:
    stored = studio.project(project["id"])
    assert policy_version(stored) == policy_version({"expert_instruction": "<p>Positive or negative?</p>"}) != ""


def test_the_commands_tell_of_versions_and_of_what_may_be_accepted(
    project: dict[str, Any], studio_settings: Settings, encoder: Encoder, studio_environment: None
) -> None:
    def told(*arguments: str) -> str:
        done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    id, registry, key = str(project["id"]), ModelRegistry(studio_settings.models), project_key(project)
    assert json.loads(told("models", "list", id, "--json")) == {"versions": []}
    told("models", "list", id)
    first = train(key, SENTIMENT, labelled(80), encoder, registry, policy_version="p").version
    second = train(key, SENTIMENT, labelled(240), encoder, registry, policy_version="p").version

    listed = told("models", "list", id)
    assert first in listed
    assert "first trained version" in listed
    assert {it["version"]: it["live"] for it in json.loads(told("models", "list", id, "--json"))["versions"]} == {
        first: False,
        second: True,
    }
    shown = json.loads(told("models", "show", id, first, "--json"))
    assert (shown["version"], shown["policy_version"]) == (first, "p")
    assert second in told("models", "show", id)
    assert "sentiment" in told("models", "show", id)

    found = json.loads(told("thresholds", id, "--error", "0.05", "--json"))
    accepted = found["controls"]["sentiment"]
    assert found["version"] == second
    assert accepted["labels"] == 240
    assert accepted["threshold"]["coverage"] > 0.5
    assert "accept from confidence" in told("thresholds", id, "--error", "0.05")
    assert "no threshold can promise that yet" in told("thresholds", id, "--error", "0.001", "--by", "label")

    assert json.loads(told("models", "rollback", id, "--json")) == {"version": first}
    told("models", "promote", id, second)
    assert registry.live(key) == second
