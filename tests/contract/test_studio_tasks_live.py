"""Studio against a real Label Studio: reading and importing tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ml_backend.labeling.errors import InputError, StudioError, StudioNotFound, StudioRefused
from ml_backend.studio import Studio
from ml_backend.studio.trail import Trail
from tests.contract.studio_projects import Projects, choice, ids_of, prediction


class TestTasks:
    def test_those_labelled_last_come_first_and_changes_are_counted(
        self, studio: Studio, new_project: Projects
    ) -> None:
        project = new_project(6)
        ids = ids_of(studio, project)
        before = datetime.fromisoformat(studio.task(ids[-1])["updated_at"])
        for task in (ids[4], ids[1], ids[2]):
            studio.create_annotation(task, {"result": choice("positive")})
        assert [task["id"] for task in studio.last_labelled(project, 10)] == [ids[2], ids[1], ids[4]]
        (newest,) = studio.last_labelled(project, 1)
        assert (newest["id"], len(newest["annotations"])) == (ids[2], 1)
        assert studio.task_count(project, updated_after=before) == 3
        assert studio.task_count(project, updated_after=datetime.fromisoformat(newest["updated_at"])) == 0

    def test_tasks_come_in_full_and_in_order(self, studio: Studio, new_project: Projects) -> None:
        id = new_project()
        who = studio.add_annotator("in-full@example.com")
        annotation = {"result": choice("negative"), "completed_by": who, "lead_time": 2.5}
        guess = {"result": choice("positive"), "score": 0.75, "model_version": "v1"}
        one = {"data": {"text": "a"}, "meta": {"k": 1}, "annotations": [annotation], "predictions": [guess]}
        studio.import_tasks(id, [one, {"data": {"text": "b"}}])
        first, second = studio.tasks(id)
        assert (first["data"], first["meta"], second["data"]) == ({"text": "a"}, {"k": 1}, {"text": "b"})
        [stored] = first["annotations"]
        assert (stored["completed_by"], stored["result"], stored["lead_time"]) == (who, choice("negative"), 2.5)
        assert not stored["ground_truth"]
        [guessed] = first["predictions"]
        assert (guessed["result"], guessed["score"], guessed["model_version"]) == (choice("positive"), 0.75, "v1")

    def test_every_task_comes_once_over_several_pages(
        self, studio: Studio, new_project: Projects, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = new_project(25)
        monkeypatch.setattr("ml_backend.studio.tasks.PAGE", 10)
        found = ids_of(studio, id)
        assert len(set(found)) == len(found) == studio.task_count(id) == 25

    def test_tasks_deleted_during_the_reading_shift_nothing(
        self, studio: Studio, new_project: Projects, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = new_project(25)
        everything = ids_of(studio, id)
        monkeypatch.setattr("ml_backend.studio.tasks.PAGE", 10)
        reading = studio.tasks(id, data_only=True)
        found = [next(reading)["id"]]
        assert studio.delete_tasks(id, everything[:5]) == 5
        found += [task["id"] for task in reading]
        assert found == everything

    def test_a_snapshot_says_the_same_as_the_pages(
        self, studio: Studio, new_project: Projects, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = new_project(20)
        ids = ids_of(studio, id)
        studio.import_tasks(id, [{"data": {"text": "schön ✓ [{]}\\"}, "meta": {"k": [1]}}])
        studio.import_predictions(id, [prediction(task) for task in ids[:3]])
        for task in ids[:2]:
            studio.create_annotation(task, {"result": choice("negative"), "lead_time": 1.5})
        studio.create_annotation(ids[4], {"result": [], "was_cancelled": True})
        paged = list(studio.tasks(id))
        monkeypatch.setattr("ml_backend.studio.tasks.SNAPSHOT_FROM", 1)
        monkeypatch.setattr("ml_backend.studio.snapshots.CHUNK", 700)
        monkeypatch.setattr("ml_backend.studio.tasks.SLICE", 8)
        with capture_logs() as told:
            whole = list(studio.tasks(id))
        assert not told  # else it was read page by page
        assert [task["id"] for task in studio.labelled(id)] == ids[:2]
        passing = {"created_ago", "created_username", "prediction", "result_count", "unique_id"}
        for one, other in zip(paged, whole, strict=True):
            for name in ("id", "data", "meta", "updated_at"):
                assert one[name] == other[name]
            for name in ("annotations", "predictions"):
                for left, right in zip(one[name], other[name], strict=True):
                    assert {k: v for k, v in left.items() if k not in passing}.items() <= right.items()
        assert studio._get(f"/api/projects/{id}/exports/") == []
        assert studio.views(id) == []

    def test_a_snapshot_of_a_view_that_somebody_deletes_gives_the_tasks_asked_for(
        self, studio: Studio, new_project: Projects, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = new_project(5)
        some = ids_of(studio, id)[1:3]
        create = studio.create_view

        def deleted_at_once(project: int, data: dict[str, Any]) -> dict[str, Any]:
            view = create(project, data)
            studio.delete_view(view["id"])
            return view

        monkeypatch.setattr(studio, "create_view", deleted_at_once)
        assert [task["id"] for task in studio._snapshot(id, some)] == some

    def test_reading_is_on_no_record_of_changes(
        self, studio: Studio, new_project: Projects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = new_project(3)
        monkeypatch.setattr("ml_backend.studio.tasks.SNAPSHOT_FROM", 1)
        monkeypatch.setattr(studio, "_trail", Trail(tmp_path))
        assert len(list(studio.tasks(id))) == 3
        assert not [file for file in tmp_path.rglob("*") if file.is_file()]

    def test_pages_go_on_where_snapshots_stop(
        self, studio: Studio, new_project: Projects, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = new_project(9)
        monkeypatch.setattr("ml_backend.studio.tasks.SNAPSHOT_FROM", 1)
        monkeypatch.setattr("ml_backend.studio.tasks.SLICE", 4)
        snapshot, asked = studio._snapshot, []

        def once(project: int, ids: list[int]) -> Iterator[dict[str, Any]]:
            asked.append(ids)
            if len(asked) > 1:
                raise StudioError("The disk is full.")
            return snapshot(project, ids)

        monkeypatch.setattr(studio, "_snapshot", once)
        assert [task["id"] for task in studio.tasks(id)] == ids_of(studio, id)
        assert len(asked) == 2

    def test_pages_help_where_there_is_no_snapshot(
        self, studio: Studio, new_project: Projects, losing: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = new_project(5)
        monkeypatch.setattr("ml_backend.studio.tasks.SNAPSHOT_FROM", 1)
        lossy, _ = losing("/exports/", arrives=False)
        assert [task["id"] for task in lossy.tasks(id)] == ids_of(studio, id)

    def test_ids_and_times_are_filtered_by_the_server(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(5)
        ids = ids_of(studio, id)
        assert [task["id"] for task in studio.tasks(id, ids=[ids[3], ids[1], 10**9])] == [ids[1], ids[3]]
        assert list(studio.tasks(id, ids=[])) == []
        last = max(datetime.fromisoformat(task["updated_at"]) for task in studio.tasks(id))
        made = studio.create_annotation(ids[2], {"result": choice("positive")})
        assert [task["id"] for task in studio.tasks(id, updated_after=last)] == [ids[2]]
        [changed] = studio.tasks(id, updated_after=last)
        now = datetime.fromisoformat(changed["updated_at"])
        studio.delete_annotation(made["id"])
        assert [task["id"] for task in studio.tasks(id, updated_after=now)] == [ids[2]]

    def test_a_project_that_is_not_there_is_not_empty(self, studio: Studio) -> None:
        with pytest.raises(StudioNotFound, match="project 999999"):
            list(studio.tasks(999_999))
        with pytest.raises(StudioNotFound, match="project 999999"):
            studio.task_count(999_999)
        with pytest.raises(StudioNotFound, match="project 999999"):
            studio.next_task(999_999)

    def test_an_empty_project_has_no_tasks_and_no_next_one(self, studio: Studio, new_project: Projects) -> None:
        id = new_project()
        assert list(studio.tasks(id)) == []
        assert studio.next_task(id) is None

    def test_the_queue_serves_a_task(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(2)
        served = studio.next_task(id)
        assert served is not None
        assert served["id"] in ids_of(studio, id)


class TestImportingTasks:
    def test_batches_add_up(self, studio: Studio, new_project: Projects, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ml_backend.studio.imports.BATCH_TASKS", 10)
        id = new_project()
        assert studio.import_tasks(id, [{"data": {"text": str(number)}} for number in range(25)]) == 25
        assert studio.task_count(id) == 25

    def test_the_servers_reasons_name_the_item(self, studio: Studio, new_project: Projects) -> None:
        with pytest.raises(StudioRefused, match='item 0: "text" key is expected'):
            studio.import_tasks(new_project(), [{"data": {"other": "a"}}])

    @pytest.mark.parametrize("bad", [{"text": "no data"}, "text", {"data": [1]}, None])
    def test_what_is_no_task_is_not_sent(self, studio: Studio, bad: Any) -> None:
        with pytest.raises(InputError, match="Item 1"):
            studio.import_tasks(999_999, [{"data": {"text": "a"}}, bad])

    def test_a_batch_whose_answer_was_lost_is_not_doubled(
        self, losing: Callable, studio: Studio, new_project: Projects
    ) -> None:
        id = new_project(3)
        lossy, transport = losing("/import", times=9)
        same_texts = [{"data": {"text": "twice", "n": 1.0}}] * 2
        assert lossy.import_tasks(id, same_texts) == 2
        assert transport.calls == 1
        assert studio.task_count(id) == 5

    def test_a_batch_that_never_arrived_is_sent_again(
        self, losing: Callable, studio: Studio, new_project: Projects
    ) -> None:
        id = new_project(3)
        lossy, transport = losing("/import", arrives=False)
        assert lossy.import_tasks(id, [{"data": {"text": "late"}}]) == 1
        assert transport.calls == 2
        assert studio.task_count(id) == 4
