"""Studio against a real Label Studio: predictions in bulk."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ml_backend.labeling.errors import (
    InputError,
    StudioError,
    StudioRefused,
)
from ml_backend.studio import Studio
from tests.contract.studio_projects import Projects, choice, ids_of, prediction


class TestPredictions:
    def test_they_are_stored_once_per_version(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(4)
        ids = ids_of(studio, id)
        assert studio.import_predictions(id, [prediction(task) for task in ids[:2]]) == 2
        assert studio.import_predictions(id, [prediction(task) for task in ids]) == 2
        assert studio.import_predictions(id, [prediction(task, "v2", None) for task in ids[:1]]) == 1
        assert studio.model_versions(id) == {"v1": 4, "v2": 1}
        assert studio.predicted(id, "v1") == set(ids)
        assert [len(task["predictions"]) for task in studio.tasks(id)] == [2, 1, 1, 1]

    def test_a_version_is_found_by_its_whole_name(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(3)
        ids = ids_of(studio, id)
        odd = "100% v1, really"
        studio.import_predictions(id, [prediction(ids[0], "v1"), prediction(ids[1], "v10"), prediction(ids[2], odd)])
        assert studio.predicted(id, "v1") == {ids[0]}
        assert studio.predicted(id, "v10") == {ids[1]}
        assert studio.predicted(id, odd) == {ids[2]}
        long_names = [f"version-{number}-{'x' * 50}" for number in range(9)]
        studio.import_predictions(id, [prediction(ids[0], name) for name in long_names])
        assert all(studio.predicted(id, name) == {ids[0]} for name in long_names)

    def test_tasks_without_a_version_are_asked_of_the_server(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(3)
        ids = ids_of(studio, id)
        assert studio.task_count(id, predicted=True) == 0
        studio.import_predictions(id, [prediction(ids[0]), prediction(ids[1], "v10")])
        assert [task["id"] for task in studio.tasks_without(id, "v10")] == [ids[0], ids[2]]
        assert sorted(task["id"] for task in studio.tasks_without(id, "v1")) == ids[1:]
        assert [task["id"] for task in studio.tasks(id, unpredicted=True)] == ids[2:]
        assert studio.task_count(id, predicted=True) == 2

    def test_what_does_not_fit_the_label_config_is_not_sent(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(1)
        [task] = ids_of(studio, id)
        bad = [
            prediction(task, label="neutral"),
            prediction(task) | {"result": choice("positive", "mood")},
            prediction(task, score="0.5"),
            prediction(task, score=7.5),
            prediction(task, version=""),
        ]
        with pytest.raises(InputError, match=r"item 0.*neutral.*item 1.*mood.*item 2.*score.*item 3.*7\.5.*item 4"):
            studio.import_predictions(id, bad)
        assert studio.model_versions(id) == {}

    def test_an_unknown_task_is_refused_and_nothing_is_stored(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(1)
        [task] = ids_of(studio, id)
        with pytest.raises(StudioError, match=r"999999999"):
            studio.import_predictions(id, [prediction(task), prediction(999_999_999)])
        assert studio.model_versions(id) == {}

    def test_a_prediction_that_label_studio_drops_is_named(
        self, studio: Studio, new_project: Projects, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = new_project(2)
        ids = ids_of(studio, id)
        monkeypatch.setattr("ml_backend.studio.predictions.prediction_problems", lambda *_: [])
        with pytest.raises(StudioRefused, match=f"1 of 2 predictions and dropped the others, those of tasks {ids[1]}"):
            studio.import_predictions(id, [prediction(ids[0]), prediction(ids[1], score="high")])

    @pytest.mark.parametrize("arrives", [True, False])
    def test_a_lost_answer_neither_loses_nor_doubles(
        self, losing: Callable, studio: Studio, new_project: Projects, arrives: bool
    ) -> None:
        id = new_project(3)
        lossy, transport = losing("/import/predictions", arrives=arrives)
        assert lossy.import_predictions(id, [prediction(task) for task in ids_of(studio, id)]) == 3
        assert transport.calls == (1 if arrives else 2)
        assert studio.model_versions(id) == {"v1": 3}

    def test_a_cluster_is_kept(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(2)
        ids = ids_of(studio, id)
        assert studio.import_predictions(id, [prediction(task, cluster=task % 2) for task in ids]) == 2
        stored = [task["predictions"][0]["cluster"] for task in studio.tasks(id)]
        assert stored == [task % 2 for task in ids]

    def test_they_are_deleted_by_version_or_id(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(2)
        ids = ids_of(studio, id)
        studio.import_predictions(id, [prediction(task, version) for task in ids for version in ("v1", "v2")])
        assert studio.delete_predictions(id, version="v1") == 2
        [task, _] = studio.tasks(id)
        assert studio.delete_predictions(id, ids=[task["predictions"][0]["id"]]) == 1
        assert studio.model_versions(id) == {"v2": 1}

    @pytest.mark.parametrize("counts_all", [True, False], ids=["by every import", "one by one"])
    def test_tasks_that_a_broken_import_left_uncounted_are_counted(
        self, studio: Studio, new_project: Projects, losing: Callable, counts_all: bool
    ) -> None:
        id = new_project(3)
        ids = ids_of(studio, id)
        studio.import_predictions(id, [prediction(task) for task in ids])
        for task in ids[:2]:
            studio._call("PATCH", f"/api/tasks/{task}/", json={"total_predictions": 0})
        assert studio.task_count(id, predicted=True) == 1
        asking = studio if counts_all else losing("/import/predictions", arrives=False)[0]
        assert asking.recount(id, "v1", seconds=60) == 2
        assert studio.task_count(id, predicted=True) == 3
        assert studio.recount(id, "v1", seconds=60) == 0

    def test_a_model_version_without_predictions_is_refused(self, studio: Studio, new_project: Projects) -> None:
        with pytest.raises(StudioRefused, match="model_version"):
            studio.update_project(new_project(), {"model_version": "nobody"})


def test_a_stored_prediction_is_changed_in_place_and_keeps_its_version_and_cluster(
    studio: Studio, new_project: Projects
) -> None:
    project = new_project(1)
    (task,) = ids_of(studio, project)
    studio.import_predictions(project, [prediction(task, score=0.4, cluster=3)])
    (before,) = studio.task(task)["predictions"]
    fields = {"task": task, "result": choice("negative"), "score": 0.75, "model_version": "v1"}
    studio.update_prediction(before["id"], fields)
    (after,) = studio.task(task)["predictions"]
    assert (after["id"], after["cluster"], after["model_version"]) == (before["id"], 3, "v1")
    assert (after["score"], after["result"][0]["value"]) == (0.75, {"choices": ["negative"]})
    studio.update_prediction(before["id"], {**fields, "result": [], "score": 0.0})
    (empty,) = studio.task(task)["predictions"]
    assert (empty["result"], empty["score"], empty["model_version"]) == ([], 0.0, "v1")


def test_tasks_nobody_has_touched_and_those_of_an_account_are_found(studio: Studio, new_project: Projects) -> None:
    project = new_project(4)
    untouched, labelled, skipped, begun = ids_of(studio, project)
    who = studio.add_annotator("found@studio.example")
    studio.create_annotation(labelled, {"result": choice("positive"), "completed_by": who})
    studio.create_annotation(skipped, {"result": [], "was_cancelled": True})
    studio._call("POST", f"/api/tasks/{begun}/drafts", json={"result": choice("positive"), "lead_time": 1})
    assert [task["id"] for task in studio.untouched_tasks(project)] == [untouched]
    assert [task["id"] for task in studio.untouched_tasks(project, ids=[labelled, begun])] == []
    assert [task["id"] for task in studio.annotated_by(project, who)] == [labelled]
    assert studio.newest_change(project) == max(task["updated_at"] for task in studio.tasks(project))
    assert studio.account("Found@Studio.example") == who
    assert studio.account("nobody@studio.example") is None
    assert studio.account(None) not in (who, None)


def test_an_overlap_is_set_and_the_task_counts_as_labelled_by_it(studio: Studio, new_project: Projects) -> None:
    project = new_project(1, maximum_annotations=2)
    (task,) = ids_of(studio, project)
    studio.create_annotation(task, {"result": choice("positive")})
    assert not studio.task(task)["is_labeled"]
    assert studio.set_overlap(task, 1)
    assert not studio.set_overlap(task, 1)
    assert (studio.task(task)["overlap"], studio.task(task)["is_labeled"]) == (1, True)
    assert studio.set_overlap(task, 3)
    assert (studio.task(task)["overlap"], studio.task(task)["is_labeled"]) == (3, False)
