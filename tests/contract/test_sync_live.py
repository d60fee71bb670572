"""Projects as code against a real Label Studio: every law of the plan holds for what it really stores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ml_backend.cases import policy_version
from ml_backend.guideline_history import GuidelineHistory
from ml_backend.labeling.errors import ConfigError, StudioRefused, StudioUnreachable
from ml_backend.labeling.results import project_key
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from sdk_scripts.resources import tasks as importing
from sdk_scripts.sources import load_export
from sdk_scripts.sync import sync
from tests.contract.synced import CONFIG, EVERYTHING, ROWS, Project


@pytest.fixture
def project(synced: Project) -> Project:
    return synced


def test_everything_a_manifest_can_say_is_stored_and_a_second_plan_is_empty(project: Project) -> None:
    project.manifest(EVERYTHING.format(name="things"))
    project.write("\n".join(json.dumps(row) for row in ROWS), "rows.jsonl")
    planned = project.sync()
    assert {change.kind for change in planned.changes} == {"project", "view", "tasks"}
    assert not planned.projects
    project.apply()

    stored = project.studio.project(project.id)
    assert stored["sampling"] == "Uncertainty sampling"
    assert (stored["maximum_annotations"], stored["overlap_cohort_percentage"]) == (3, 60)
    assert stored["description"] == f"What people write.\n\ntiebreak: {project.name}"
    assert "<script>" not in stored["expert_instruction"]
    tasks = {task["data"]["tiebreak_key"]: task for task in project.studio.tasks(project.id)}
    assert tasks["1"]["data"] == {"text": "good", "price": 9.5, "tags": ["a", {"b": None}], "tiebreak_key": "1"}
    assert tasks["1"]["meta"] == {"seller": {"name": "s"}}
    assert tasks["2"]["data"]["text"] == ""
    assert tasks["x/ü"]["data"]["text"] == ROWS[2]["body"]
    assert [view["data"]["title"] for view in project.studio.views(project.id)] == [
        "Least certain first", "Skipped or new",
    ]  # fmt: skip


def test_a_project_that_people_renamed_is_found_and_its_namesake_is_left_alone(project: Project) -> None:
    namesake = project.studio.create_project({"title": "Some reviews", "label_config": CONFIG, "description": "mine"})
    try:
        outcome = project.apply()
        assert f"project {namesake['id']} is titled 'Some reviews' too" in " ".join(outcome.notes)
        project.studio.update_project(project.id, {"title": "Renamed", "maximum_annotations": 5})
        (change,) = project.sync().changes
        assert change.to_json()["fields"] == {"title": {"before": "Renamed", "after": "Some reviews"}}
        project.apply()
        assert project.studio.project(namesake["id"])["description"] == "mine"
        assert project.studio.project(project.id)["maximum_annotations"] == 5
    finally:
        project.studio.delete_project(namesake["id"])


def test_changes_of_every_kind_are_planned_applied_and_gone(project: Project) -> None:
    project.manifest(EVERYTHING.format(name="things"))
    project.write(json.dumps(ROWS[0]), "rows.jsonl")
    project.apply()
    project.write(
        CONFIG.replace('<Choice value="spam"/>', '<Choice value="spam"/><Choice value="eggs"/>'), "config.xml"
    )
    project.write("\n".join(json.dumps(row) for row in ROWS), "rows.jsonl")
    project.write("Now *this*.", "guidelines.md")
    project.manifest(
        EVERYTHING.format(name="others")
        .replace("cohort_percentage: 60", "cohort_percentage: 100")
        .replace("    order_by: predictions_score\n", "")
        .replace("match: any", "match: all")
    )
    outcome = project.apply()
    fields = {change.name: set(change.fields) for change in outcome.changes}
    assert fields == {
        project.name: {"title", "label_config", "guidelines", "overlap.cohort_percentage"},
        "Least certain first": {"order_by"},
        "Skipped or new": {"match"},
        "rows.jsonl": {"tasks"},
    }
    assert project.studio.task_count(project.id) == 3
    stored = project.studio.project(project.id)
    known = GuidelineHistory(project.settings.models).of(project_key(stored))
    assert len(known) == 2
    assert known[-1][1] == policy_version(stored)


def test_views_that_the_manifest_dropped_go_with_prune_and_those_of_people_stay(project: Project) -> None:
    project.manifest("title: Some reviews\nviews: [{title: Ours}, {title: Ours too}]\n")
    project.apply()
    project.studio.create_view(project.id, {"title": "Theirs"})
    project.manifest("title: Some reviews\nviews: [{title: Ours}]\n")
    assert "--prune deletes it" in project.sync().notes[0]
    project.apply(prune=True)
    assert [view["data"]["title"] for view in project.studio.views(project.id)] == ["Ours", "Theirs"]


def test_a_view_sorts_data_as_numbers_where_it_says_so(project: Project) -> None:
    project.manifest(
        "title: Some reviews\n"
        "views:\n"
        "- {title: Dearest, order_by: -data.price, numbers: [data.price]}\n"
        "- {title: As text, order_by: data.price}\n"
        "tasks: [{file: rows.jsonl}]\n"
    )
    project.write("\n".join(json.dumps({"text": "x", "price": price}) for price in ("9", "10.5", "100")), "rows.jsonl")
    project.apply()
    numbers, text = project.studio.views(project.id)
    for view, prices in ((numbers, ["100", "10.5", "9"]), (text, ["10.5", "100", "9"])):
        tasks = project.studio._get("/api/tasks/", {"view": view["id"], "project": project.id})["tasks"]
        assert [task["data"]["price"] for task in tasks] == prices


def annotated(project: Project, choice: str, tasks: int, annotations: int) -> None:
    result = [{"from_name": "verdict", "to_name": "review", "type": "choices", "value": {"choices": [choice]}}]
    project.studio.import_tasks(
        project.id,
        [{"data": {"text": str(number)}, "annotations": [{"result": result}] * annotations} for number in range(tasks)],
    )


def test_a_label_in_use_is_dropped_only_by_force(project: Project) -> None:
    project.apply()
    annotated(project, "spam", 3, 2)
    project.write(CONFIG.replace('<Choice value="spam"/>', ""), "config.xml")
    said = "'spam' of 'verdict' is used in 6 annotations of 3 tasks; --force to drop it anyway"
    assert [refusal.reason for refusal in project.sync().refusals] == [f"{project.name}: {said}"]
    with pytest.raises(ConfigError, match="6 annotations of 3 tasks"):
        project.sync(apply=True)
    assert "spam" in project.studio.project(project.id)["label_config"]
    project.apply(force=True)
    assert "spam" not in project.studio.project(project.id)["label_config"]
    [backup] = project.settings.folder("backups").iterdir()
    kept = load_export(backup / "tasks.json.gz", backup / "config.xml")
    assert "spam" in kept.config["verdict"].keys
    assert [len(task.annotations) for task in kept.tasks] == [2, 2, 2]


def test_a_control_in_use_cannot_be_dropped_and_one_that_is_not_can(project: Project) -> None:
    project.apply()
    annotated(project, "ham", 1, 1)
    project.write(CONFIG.replace('name="verdict"', 'name="decision"'), "config.xml")
    with pytest.raises(ConfigError, match="control 'verdict' is used in 1 annotation of 1 task; Label Studio keeps"):
        project.sync(apply=True, force=True)
    project.write("\n".join(line for line in CONFIG.splitlines() if "Rating" not in line), "config.xml")
    project.apply()


def test_an_import_that_broke_off_goes_on_and_nothing_is_doubled(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.manifest("title: Some reviews\ntasks: [{file: rows.csv, key: id, fields: {body: text}}]\n")
    good = [f"{number},text {number}" for number in range(25)]
    project.write("\n".join(["id,body", *good, "3,again", "no key", ",empty", '26,"open']), "rows.csv")
    monkeypatch.setattr(importing, "BATCH", 10)
    sent = Studio.import_tasks
    calls: list[int] = []

    def breaks(self: Studio, *arguments: Any) -> int:
        calls.append(1)
        if len(calls) == 3:
            raise StudioUnreachable("the cable was pulled")
        return sent(self, *arguments)

    monkeypatch.setattr(Studio, "import_tasks", breaks)
    with pytest.raises(StudioUnreachable):
        project.sync(apply=True)
    assert project.studio.task_count(project.id) == 20
    outcome = project.apply()
    assert outcome.changes[0].to_json()["fields"] == {"tasks": {"before": 20, "after": 25}}
    assert project.studio.task_count(project.id) == 25
    (rejects,) = outcome.rejects
    assert rejects.count == 4
    assert len(rejects.file.read_text().splitlines()) == 4
    project.write("\n".join(["id,body", *good, "99,new"]), "rows.csv")
    project.apply()
    assert project.studio.task_count(project.id) == 26
    assert not rejects.file.exists()


REFUSED = [{}, {"text": None}, {"text": {"a": 1}}, {"text": "x", "picture": 3}, {"text": "x"}]
TAKEN: list[dict[str, Any]] = [
    {"text": "x", "picture": ""},
    {"text": 3, "picture": ["a", "b"]},
    {
        "text": True,
        "picture": "data:,",
        "more": {"deep": [1, None, 2**62, -1.5e300, "\x01\u2028"]},
        "data": {"text": 1},
    },
]


def test_exactly_the_rows_that_label_studio_refuses_are_rejected_before_they_are_sent(project: Project) -> None:
    """The server's own check is the oracle: a row it takes is imported, one it refuses is never sent."""
    shown = '<Image name="picture" value="$picture"/></View>'
    project.write(CONFIG.replace("$text", "About $text").replace("</View>", shown), "config.xml")
    project.manifest("title: Some reviews\ntasks: [{file: rows.jsonl, key: id}]\n")
    rows = [{"id": number, **row} for number, row in enumerate([*REFUSED, *TAKEN])]
    project.write("\n".join(map(json.dumps, rows)), "rows.jsonl")
    outcome = project.apply()
    stored = {task["data"]["id"]: task["data"] for task in project.studio.tasks(project.id)}
    assert [stored[number] for number in sorted(stored)] == [
        {**row, "tiebreak_key": str(row["id"])} for row in rows[len(REFUSED) :]
    ]
    assert outcome.rejects[0].count == len(REFUSED)
    for row in rows[: len(REFUSED)]:
        with pytest.raises(StudioRefused):
            project.studio.import_tasks(project.id, [{"data": row}])


def test_a_task_that_only_label_studio_refuses_is_found_and_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdk_scripts.task_sources.needed_fields", lambda _: {})
    project.manifest("title: Some reviews\ntasks: [{file: rows.jsonl, key: id}]\n")
    rows = [{"id": number, **({} if number == 2 else {"text": "x"})} for number in range(5)]
    project.write("\n".join(map(json.dumps, rows)), "rows.jsonl")
    (rejects,) = project.sync(apply=True).rejects
    assert "was refused by Label Studio" in rejects.file.read_text()
    assert project.studio.task_count(project.id) == 4


def test_a_config_that_label_studio_does_not_take_is_told_with_its_file_and_nothing_is_made(project: Project) -> None:
    project.write('<View><Text name="t" value="$text"/><Choices name="c" toName="t"/></View>', "config.xml")
    with pytest.raises(ConfigError, match=r"config\.xml"):
        project.sync(apply=True)
    assert not [one for one in project.studio.projects() if project.name in one["description"]]


def test_a_folder_of_manifests_is_synced_at_once(project: Project, tmp_path: Path) -> None:
    other = tmp_path / "second"
    other.mkdir()
    second = Project(other, project.studio, project.settings)
    second.name = f"{project.name}-2"
    second.manifest("title: Some reviews\n")
    outcome = sync([tmp_path], project.settings, apply=True)
    assert set(outcome.projects) == {project.name, second.name}
    assert not sync([tmp_path], project.settings).changes


def test_the_example_manifest_is_synced(studio: Studio, studio_settings: Settings) -> None:
    example = Path(__file__).parents[2] / "label_configs" / "product_reviews"
    outcome = sync([example], studio_settings, apply=True)
    try:
        assert not sync([example], studio_settings).changes
    finally:
        studio.delete_project(outcome.projects["product_reviews"])


def test_two_applies_at_once_are_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    inner: list[Exception] = []
    created: Callable[..., dict[str, Any]] = Studio.create_project

    def meanwhile(self: Studio, fields: Any, **options: Any) -> dict[str, Any]:
        try:
            project.sync(apply=True)
        except ConfigError as error:
            inner.append(error)
        return created(self, fields, **options)

    monkeypatch.setattr(Studio, "create_project", meanwhile)
    project.apply()
    assert "Another `tiebreak sync --apply`" in str(inner[0])
    assert len([one for one in project.studio.projects() if project.name in one["description"]]) == 1
