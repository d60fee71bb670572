"""What a real Label Studio serves after a batch was chosen, and which predictions of old versions are deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.results import project_key
from ml_backend.prelabel_state import PrelabelState
from ml_backend.queues import WORK_QUEUE, Jobs
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from sdk_scripts.marks import Labeling, Mark
from sdk_scripts.next_batch import CLUSTERS_A_BATCH, RANDOM, next_batch
from sdk_scripts.prelabel import open_run, prelabel
from sdk_scripts.stale_predictions import ON_SCREEN_SECONDS, tidy
from tests.contract.test_prelabel_live import CONFIG, Reader

TEXTS = ["good 0.50 1", "good 0.51 1", "good 0.52 1", "bad 0.60 2", "bad 0.61 2", "good 0.70 3", *["good 0.99 4"] * 6]
"""Three groups of doubtful texts, and some that are clear."""
GOOD = [{"from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": ["good"]}}]


@pytest.fixture
def project(studio: Studio) -> Iterator[dict[str, Any]]:
    says = str(Mark("next-live", labeling=Labeling(batch=6, exploration=0.0)))
    fields = {"title": "Next, live", "label_config": CONFIG, "sampling": "Uncertainty sampling", "description": says}
    made = studio.create_project(fields)
    studio.import_tasks(made["id"], [{"data": {"text": text}} for text in TEXTS])
    yield made
    studio.delete_project(made["id"])


def annotate(studio: Studio, task: int, **fields: Any) -> None:
    studio._call("POST", f"/api/tasks/{task}/annotations/", json={"result": GOOD, "lead_time": 1.0, **fields})


def served(studio: Studio, project: int, times: int) -> list[str]:
    """Texts that the queue serves, one after the other, each annotated at once."""
    texts = []
    for _ in range(times):
        task = studio.next_task(project)
        assert task is not None
        texts.append(task["data"]["text"])
        annotate(studio, task["id"])
    return texts


def test_the_queue_takes_turns_over_the_groups_of_the_batch(
    studio: Studio, studio_settings: Settings, project: dict[str, Any]
) -> None:
    id = project["id"]
    prelabel(studio_settings, id, predictor=Reader("old"))
    prelabel(studio_settings, id, predictor=Reader())
    for task in list(studio.tasks(id))[-3:]:
        annotate(studio, task["id"])  # labelled before: the queue counts them as tasks without a cluster
    batch, stored = next_batch(studio_settings, id, budget=6, apply=True, studio=studio, predictor=Reader())
    assert stored == len(batch.picks) == 6
    assert batch.served
    texts = served(studio, id, 6)
    assert texts == ["good 0.50 1", "bad 0.60 2", "good 0.70 3", "good 0.99 4", "good 0.51 1", "bad 0.61 2"]
    scores = {p["score"] for task in studio.tasks(id) for p in task["predictions"]}
    assert scores == {float(text.split()[1]) for text in TEXTS}


def test_a_plan_changes_nothing_and_applied_twice_it_is_the_same(
    studio: Studio, studio_settings: Settings, project: dict[str, Any]
) -> None:
    id = project["id"]
    prelabel(studio_settings, id, predictor=Reader())

    def clusters() -> list[int | None]:
        return [p["cluster"] for task in studio.tasks(id) for p in task["predictions"]]

    plan, _ = next_batch(studio_settings, id, studio=studio, predictor=Reader())
    assert len(plan.picks) == 6
    assert set(clusters()) == {None}
    first, _ = next_batch(studio_settings, id, apply=True, studio=studio, predictor=Reader())
    assert first == plan
    once = clusters()
    second, _ = next_batch(studio_settings, id, apply=True, studio=studio, predictor=Reader())
    assert second == first
    assert clusters() == once
    assert {pick.task: pick.cluster for pick in plan.picks} == {
        task["id"]: p["cluster"] for task in studio.tasks(id) for p in task["predictions"] if p["cluster"] is not None
    }


def test_a_share_is_picked_at_random_and_is_a_cluster_of_its_own(
    studio: Studio, studio_settings: Settings, project: dict[str, Any]
) -> None:
    studio.update_project(project["id"], {"description": str(Mark("next-live", labeling=Labeling(4, 0.5)))})
    prelabel(studio_settings, project["id"], predictor=Reader())
    batch, _ = next_batch(studio_settings, project["id"], studio=studio, predictor=Reader())
    assert len({pick.task for pick in batch.picks}) == 4
    assert sum(pick.cluster % CLUSTERS_A_BATCH == RANDOM for pick in batch.picks) == 2
    assert all(pick.why for pick in batch.picks)


def test_a_budget_below_one_is_refused(studio: Studio, studio_settings: Settings, project: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="at least 1"):
        next_batch(studio_settings, project["id"], budget=0, studio=studio, predictor=Reader())


def test_where_nothing_was_predicted_there_is_nothing_to_choose(
    studio: Studio, studio_settings: Settings, project: dict[str, Any]
) -> None:
    told: list[str] = []
    batch, stored = next_batch(
        studio_settings, project["id"], apply=True, studio=studio, predictor=Reader(), report=told.append
    )
    assert (batch.picks, stored) == ((), 0)
    assert "tiebreak prelabel" in told[0]


def test_a_second_label_is_asked_for_where_it_tells_more_and_the_queue_serves_it(
    studio: Studio, studio_settings: Settings, project: dict[str, Any]
) -> None:
    id = project["id"]
    prelabel(studio_settings, id, predictor=Reader())
    studio.update_project(id, {"maximum_annotations": 1})
    task = next(task for task in studio.tasks(id) if task["data"]["text"] == "good 0.99 4")
    person = studio._call("POST", "/api/users/", json={"email": "next-live@example.com", "username": "next-live"})["id"]
    annotate(studio, task["id"], completed_by=person)

    def second(most: int) -> list[tuple[int, int]]:
        batch, _ = next_batch(studio_settings, id, second_labels=most, apply=True, studio=studio, predictor=Reader())
        return [(it.task, it.overlap) for it in batch.second]

    assert second(3) == []  # the project wants one annotation a task
    says = str(Mark("next-live", labeling=Labeling(6, 0.0, most_annotations=2)))
    studio.update_project(id, {"description": says})
    assert second(0) == []
    assert studio.task(task["id"])["is_labeled"]
    assert second(3) == [(task["id"], 2)]
    changed = studio.task(task["id"])
    assert (changed["overlap"], changed["is_labeled"]) == (2, False)


class TestTidying:
    LIVE, OLD = "few-shot-20261122-220000-0123abcd", "few-shot-20261122-210000-0123abcd"

    @pytest.fixture
    def state(self, studio: Studio, studio_settings: Settings, project: dict[str, Any]) -> Iterator[PrelabelState]:
        for version in ("somebody-elses", self.OLD, self.LIVE):
            prelabel(studio_settings, project["id"], predictor=Reader(version))
        with Jobs(studio_settings) as jobs:
            yield PrelabelState(jobs.redis, project_key(project))

    def tidied(self, studio: Studio, settings: Settings, project: int, seconds: float = 60.0) -> tuple[int, bool]:
        with Jobs(settings) as jobs:
            return tidy(open_run(settings, project, jobs, predictor=Reader(self.LIVE), studio=studio), seconds=seconds)

    def an_hour_later(self, settings: Settings, state: PrelabelState) -> None:
        with Jobs(settings) as jobs:
            key = f"tiebreak:shown:{state.project_key}"
            for version in (self.OLD, self.LIVE):
                jobs.redis.zincrby(key, -2 * ON_SCREEN_SECONDS, version)

    def test_nothing_is_deleted_that_may_be_on_a_screen(
        self, studio: Studio, studio_settings: Settings, project: dict[str, Any], state: PrelabelState
    ) -> None:
        assert self.tidied(studio, studio_settings, project["id"]) == (0, True)

    def test_only_old_predictions_of_ours_go_and_only_where_nobody_worked(
        self, studio: Studio, studio_settings: Settings, project: dict[str, Any], state: PrelabelState
    ) -> None:
        id = project["id"]
        annotated, skipped, *others = [task["id"] for task in studio.tasks(id)]
        old = {task["id"]: self.of(task, self.OLD) for task in studio.tasks(id)}
        annotate(studio, annotated, parent_prediction=old[annotated])
        annotate(studio, skipped, was_cancelled=True)
        self.an_hour_later(studio_settings, state)
        assert self.tidied(studio, studio_settings, id, seconds=0.0) == (0, False)
        assert self.tidied(studio, studio_settings, id) == (len(others), True)
        left = {task["id"]: sorted(p["model_version"] for p in task["predictions"]) for task in studio.tasks(id)}
        assert {id: left[id] for id in others} == {it: [self.LIVE, "somebody-elses"] for it in others}
        assert left[annotated] == left[skipped] == [self.OLD, self.LIVE, "somebody-elses"]
        [kept] = studio.task(annotated)["annotations"]
        assert kept["parent_prediction"] == old[annotated]
        assert self.tidied(studio, studio_settings, id) == (0, True)

    @staticmethod
    def of(task: dict[str, Any], version: str) -> int:
        return next(p["id"] for p in task["predictions"] if p["model_version"] == version)


def test_what_label_studio_stored_twice_is_left_once(
    studio: Studio, studio_settings: Settings, project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    id, key = project["id"], project_key(project)
    prelabel(studio_settings, id, predictor=Reader())
    first = next(iter(studio.tasks(id)))["id"]
    again = {"task": first, "result": GOOD, "score": 0.5, "model_version": "reader-1"}
    studio._call("POST", "/api/predictions/", json=again)  # as when a task is opened meanwhile
    prelabel(studio_settings, id, predictor=Reader())
    assert [len(task["predictions"]) for task in studio.tasks(id)] == [2] + [1] * (len(TEXTS) - 1)
    with Jobs(studio_settings) as jobs:
        jobs.prelabel_new_tasks(key, id, "reader-1", len(TEXTS))
        assert jobs.queue(WORK_QUEUE).job_ids == []  # it may be on a screen
        jobs.redis.hset(f"tiebreak:covered:{key}", "until", "1")  # as if an hour had passed
        monkeypatch.setattr("sdk_scripts.prelabel.ON_SCREEN_SECONDS", 0)
        jobs.prelabel_new_tasks(key, id, "reader-1", len(TEXTS))
        assert len(jobs.queue(WORK_QUEUE).job_ids) == 1
        prelabel(studio_settings, id, predictor=Reader())
        assert [len(task["predictions"]) for task in studio.tasks(id)] == [1] * len(TEXTS)
        jobs.queue(WORK_QUEUE).empty()
        jobs.prelabel_new_tasks(key, id, "reader-1", len(TEXTS))
        assert jobs.queue(WORK_QUEUE).job_ids == []
