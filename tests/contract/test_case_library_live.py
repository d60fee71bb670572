"""The case library from its first case on, against a real Label Studio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from unit.analysis.exports import SENTIMENT, choice

from ml_backend.cases import DATA_KEY, Case, all_cases, policy_version, read_cases, usable
from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import InputError, StudioUnreachable
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from sdk_scripts.case_library import NewCase, add_cases

NOW = datetime(2026, 11, 24, tzinfo=UTC)
TEXTS = ("Great. It broke.", "Fine, apart from the smoke.", "Came a day late.")


@pytest.fixture
def source(studio: Studio) -> Iterator[dict[str, Any]]:
    made = studio.create_project(
        {"title": "Reviews", "label_config": SENTIMENT, "expert_instruction": "<p>Positive or negative?</p>"}
    )
    studio.import_tasks(made["id"], [{"data": {"text": text}} for text in TEXTS])
    yield studio.project(made["id"])
    for project in studio.projects():
        if str(project["description"] or "").endswith(f"tiebreak: cases-of-{made['id']}"):
            studio.delete_project(project["id"])
    studio.delete_project(made["id"])


@pytest.fixture
def cases(studio: Studio, source: dict[str, Any]) -> list[NewCase]:
    """Of the first two tasks, decided under the guidelines of today."""
    tasks = [task["id"] for task in studio.tasks(source["id"], data_only=True)]
    known = {"cause": "ambiguous_item", "clause": "4.2", "policy": policy_version(source), "severity": 3.0}
    return [
        NewCase(task, "sentiment", '["negative"]', review=f"9/{task}/1", rationale="It broke.", **known)
        for task in tasks[:2]
    ]


def read(studio: Studio, source: dict[str, Any]) -> list[Case]:
    return read_cases(studio, studio.project(source["id"]), parse(SENTIMENT), NOW)


def test_cases_are_added_once(
    studio: Studio, source: dict[str, Any], cases: list[NewCase], studio_settings: Settings
) -> None:
    first = add_cases(studio, source, cases[:1], studio_settings)
    again = add_cases(studio, source, [*cases, replace(cases[0], task=10**6)], studio_settings)
    assert (first.created, first.existing, first.updated, first.missing) == (1, 0, 0, ())
    assert (again.created, again.existing, again.updated, again.missing) == (1, 1, 0, (10**6,))
    assert first.project == again.project
    found = read(studio, source)
    assert [case.data["text"] for case in found] == list(TEXTS[:2])
    assert {(case.answer, case.rationale, case.clause, case.cause, case.severity) for case in found} == {
        (("negative",), "It broke.", "4.2", "ambiguous_item", "3")
    }
    assert [case.source_task for case in found] == [case.task for case in cases]
    assert all(case.uses == ("precedent", "regression") and not case.stale for case in found)


def test_a_case_that_two_machines_added_at_once_stays_once(
    studio: Studio, source: dict[str, Any], cases: list[NewCase], studio_settings: Settings
) -> None:
    library = add_cases(studio, source, cases[:1], studio_settings).project
    (first,) = studio.tasks(library)
    given = {"result": first["annotations"][0]["result"], "ground_truth": True}
    other = {"data": first["data"], "annotations": [given]}
    studio.import_tasks(library, [other])
    added = add_cases(studio, source, cases, studio_settings)
    assert added.created == 1
    kept = list(studio.tasks(library))
    assert kept[0]["id"] == first["id"]
    assert sorted(case.source_task for case in read(studio, source)) == sorted(case.task for case in cases)


def test_what_people_edit_in_the_library_counts_and_stays(
    studio: Studio, source: dict[str, Any], cases: list[NewCase], studio_settings: Settings
) -> None:
    add_cases(studio, source, cases, studio_settings)
    first, second = read(studio, source)
    edited = [
        choice("sentiment", "neutral"),
        choice("tiebreak_use", "gold"),
        {
            "from_name": "tiebreak_rationale",
            "to_name": "text",
            "type": "textarea",
            "value": {"text": ["Both at once."]},
        },
        {"from_name": "tiebreak_expires", "to_name": "text", "type": "datetime", "value": {"datetime": "2026-12-01"}},
    ]
    studio.update_annotation(first.annotation, {"result": edited})
    studio.update_annotation(second.annotation, {"result": [choice("sentiment", "negative")]})
    studio.update_project(first.project, {"title": "Our precedents"})
    assert add_cases(studio, source, cases, studio_settings).existing == 2
    first, second = read(studio, source)
    assert (first.answer, first.uses, first.rationale, first.clause) == (("neutral",), ("gold",), "Both at once.", "")
    assert first.expires == datetime(2026, 12, 1, tzinfo=UTC)
    assert second.uses == ()
    assert studio.project(first.project)["title"] == "Our precedents"


def test_a_case_decided_again_has_the_new_answer_and_keeps_its_uses(
    studio: Studio, source: dict[str, Any], cases: list[NewCase], studio_settings: Settings
) -> None:
    add_cases(studio, source, cases, studio_settings)
    before, other = read(studio, source)
    kept = [choice("sentiment", "negative"), choice("tiebreak_use", "gold", "regression")]
    studio.update_annotation(before.annotation, {"result": kept})
    appeal = replace(cases[0], key='["neutral"]', review="9/8/7", rationale="An appeal.", policy="other")
    for updated in (1, 0):
        assert add_cases(studio, source, [cases[0], appeal], studio_settings).updated == updated
    assert add_cases(studio, source, cases, studio_settings).existing == 2
    after, _ = read(studio, source)
    assert (after.task, after.answer, after.rationale, after.stale) == (before.task, ("neutral",), "An appeal.", True)
    assert after.uses == ("gold", "regression")
    truths = {it["id"]: it["ground_truth"] for it in studio.task(before.task)["annotations"]}
    assert truths == {before.annotation: False, after.annotation: True}
    same = replace(cases[1], review="9/8/8")
    assert add_cases(studio, source, [same], studio_settings).updated == 1
    assert read(studio, source)[1].annotation == other.annotation


class CutShort(Studio):
    """A connection that breaks before a task is told of its decision."""

    def update_task_data(self, id: int, data: Any) -> None:
        raise StudioUnreachable("The connection broke.")


def test_a_decision_that_was_cut_short_is_made_whole_by_the_next_run(
    studio: Studio, source: dict[str, Any], cases: list[NewCase], studio_settings: Settings
) -> None:
    add_cases(studio, source, cases, studio_settings)
    appeal = replace(cases[0], key='["neutral"]', review="9/8/7")
    with pytest.raises(StudioUnreachable):
        add_cases(CutShort.connect(studio_settings), source, [appeal], studio_settings)
    assert add_cases(studio, source, [appeal], studio_settings).updated == 1
    case, _ = read(studio, source)
    assert case.answer == ("neutral",)
    assert [it["ground_truth"] for it in studio.task(case.task)["annotations"]].count(True) == 1
    assert len(studio.task(case.task)["annotations"]) == 2


def test_the_library_follows_its_sources_label_config(
    studio: Studio, source: dict[str, Any], cases: list[NewCase], studio_settings: Settings
) -> None:
    add_cases(studio, source, cases[:1], studio_settings)
    for more, taken in (("", False), ('<Choice value="negative"/><Choice value="mixed"/>', True)):
        changed = SENTIMENT.replace('<Choice value="negative"/>', more)
        studio.update_project(source["id"], {"label_config": changed})
        new = replace(cases[1], key='["neutral"]')
        added = add_cases(studio, studio.project(source["id"]), [new], studio_settings)
        xml = studio.project(added.project)["label_config"]
        assert ("mixed" in xml) == taken
        assert "negative" in xml


def test_an_answer_that_the_control_cannot_hold_is_refused_before_anything_is_written(
    studio: Studio, source: dict[str, Any], cases: list[NewCase], studio_settings: Settings
) -> None:
    for key in ('["sad"]', "{", "3", "[[[]]]"):
        with pytest.raises(InputError):
            add_cases(studio, source, [replace(cases[0], key=key)], studio_settings)
    assert all_cases(studio, source, parse(SENTIMENT)) == []


def test_a_library_has_no_library(
    studio: Studio, source: dict[str, Any], cases: list[NewCase], studio_settings: Settings
) -> None:
    made = add_cases(studio, source, cases, studio_settings)
    library = studio.project(made.project)
    inside = [task["id"] for task in studio.tasks(made.project)]
    with pytest.raises(InputError, match="case library"):
        add_cases(studio, library, [replace(cases[0], task=inside[0])], studio_settings)


def test_a_case_goes_stale_with_the_guidelines(
    studio: Studio, source: dict[str, Any], cases: list[NewCase], studio_settings: Settings
) -> None:
    add_cases(studio, source, [cases[0], replace(cases[1], policy="")], studio_settings)
    assert len(usable(read(studio, source), "regression", NOW)) == 2
    studio.update_project(source["id"], {"expert_instruction": "<p>Positive, neutral or negative?</p>"})
    stale, timeless = read(studio, source)
    assert (stale.stale, timeless.stale) == (True, False)
    assert usable([stale, timeless], "regression", NOW) == [timeless]
    data = studio.task(stale.task)["data"]
    assert data[DATA_KEY]["reviews"] == [cases[0].review]
