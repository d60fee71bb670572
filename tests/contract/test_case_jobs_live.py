"""Workers find hard cases in what changed, and write back what was decided, on a real Label Studio and Valkey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr

from ml_backend.jobs import JOB_SETTINGS
from ml_backend.labeling.results import project_key, read_task
from ml_backend.project_state import known_projects
from ml_backend.queues import MINING, RESOLVING, WORK_QUEUE, Jobs
from ml_backend.reconciler import reconcile, reconcile_project
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.valkey import Valkey
from sdk_scripts import mining
from sdk_scripts.case_jobs import mine_job, resolve_job
from sdk_scripts.project_jobs import BUSY
from tests.unit.analysis.exports import SENTIMENT, choice

AUTOMATIC = 'Reviews.\n\ntiebreak hard cases: {"automatic": true, "least_score": 0.5}'


@dataclass
class Source:
    """A project whose hard cases are looked after by workers, and the jobs that a worker would do."""

    studio: Studio
    jobs: Jobs
    project: dict[str, Any]
    people: list[int]

    @property
    def id(self) -> int:
        return int(self.project["id"])

    @property
    def key(self) -> str:
        return project_key(self.project)

    def vote(self, text: str, *labels: str) -> int:
        answers = zip(self.people, labels, strict=False)
        annotations = [{"result": [choice("sentiment", label)], "completed_by": who} for who, label in answers]
        self.studio.import_tasks(self.id, [{"data": {"text": text}, "annotations": annotations}])
        return next(task["id"] for task in self.studio.tasks(self.id) if task["data"]["text"] == text)

    def mine(self) -> Any:
        return mine_job(self.key, self.id, self.jobs.changes(MINING, self.key).pending().generation)

    def reviews(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The review project and its tasks."""
        name = f"tiebreak: hard-cases-of-{self.id}"
        project = next(it for it in self.studio.projects() if name in it["description"])
        return project, list(self.studio.tasks(project["id"]))

    def decide(self, label: str) -> Any:
        """Decide every review task that nobody has decided, then what the worker makes of it."""
        project, tasks = self.reviews()
        for task in tasks:
            if not task["annotations"]:
                result = [
                    choice("decision", label, to_name="item"),
                    choice("cause", "annotator_error", to_name="item"),
                ]
                self.studio.create_annotation(task["id"], {"result": result})
        return resolve_job(project_key(project), project["id"], 0)


@pytest.fixture
def source(studio: Studio, studio_settings: Settings, valkey: Valkey) -> Iterator[Source]:
    settings = studio_settings.model_copy(
        update={"redis_url": SecretStr(valkey.url), "cases_after_seconds": 0.0, "backend_url": "http://127.0.0.1:9"}
    )
    fields = {"title": "Looked after", "label_config": SENTIMENT, "description": AUTOMATIC, "maximum_annotations": 3}
    project = studio.create_project(fields)
    token = JOB_SETTINGS.set(settings)
    with Jobs(settings) as jobs:
        yield Source(studio, jobs, project, [studio.add_annotator(f"{who}@jobs.example") for who in ("ann", "bob")])
    JOB_SETTINGS.reset(token)
    for made in studio.projects():
        if made["id"] == project["id"] or f"hard-cases-of-{project['id']}" in made["description"]:
            studio.delete_project(made["id"])


def test_what_became_hard_is_found_once_and_only_what_changed_is_looked_at(source: Source) -> None:
    for number in range(5):
        source.vote(f"Does what it says, number {number}.", "positive", "positive")
    first = source.vote("Cheap & cheerful.", "positive", "negative")
    assert source.mine() == {"changed": 6, "created": 1}

    second = source.vote("It broke, but I like it.", "negative", "positive")
    found = source.mine()
    assert found["created"] == 1
    _, tasks = source.reviews()
    assert [task["data"]["source_task"] for task in tasks] == [first, second]
    assert source.mine()["created"] == 0
    assert len(source.reviews()[1]) == 2


def test_reviews_of_a_project_that_was_deleted_are_looked_at_once(source: Source) -> None:
    source.vote("Cheap & cheerful.", "positive", "negative")
    source.mine()
    project, _ = source.reviews()
    source.studio.delete_project(source.id)
    assert resolve_job(project_key(project), project["id"], 0) == {"skipped": "the project it reviews is gone"}
    assert reconcile_project(source.jobs, project_key(project), project, source.studio) == 0


def test_reviews_are_not_watched_where_they_are_resolved_by_command(source: Source) -> None:
    source.vote("Cheap & cheerful.", "positive", "negative")
    source.mine()
    key = project_key(source.reviews()[0])
    assert reconcile(source.jobs, source.studio)[key] == 1
    by_hand = AUTOMATIC.replace('"automatic": true', '"automatic": false')
    source.studio.update_project(source.id, {"description": by_hand})
    assert key not in reconcile(source.jobs, source.studio)


def test_a_decision_is_written_back_and_the_case_is_closed(source: Source) -> None:
    task = source.vote("Cheap & cheerful.", "positive", "negative")
    source.mine()
    assert source.decide("negative") == {"resolved": 1, "conflicts": 0}
    stored = read_task(source.studio.task(task))
    (written,) = [it for it in stored.annotations if it.decided]
    assert written.regions[0]["value"] == {"choices": ["negative"]}

    project, _ = source.reviews()
    assert resolve_job(project_key(project), project["id"], 1)["resolved"] == 0
    assert source.mine()["created"] == 0
    assert len(source.studio.task(task)["annotations"]) == 3


def test_a_job_that_died_after_its_writes_is_done_again_without_doubling(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.vote("Cheap & cheerful.", "positive", "negative")
    whole: Callable[..., Any] = mining.mine

    def dies(*arguments: Any, **options: Any) -> None:
        whole(*arguments, **options)
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(mining, "mine", dies)
        with pytest.raises(RuntimeError):
            source.mine()
    assert source.jobs.changes(MINING, source.key).until() == ""
    assert len(source.reviews()[1]) == 1
    assert source.mine() == {"changed": 1, "created": 0}
    assert len(source.reviews()[1]) == 1


def test_the_reconciler_finds_what_lost_webhooks_did_not_tell_of(source: Source) -> None:
    source.vote("Cheap & cheerful.", "positive", "negative")
    source.mine()
    review, (task,) = source.reviews()
    assert {source.key, project_key(review)} & set(known_projects(source.jobs.redis)) == {project_key(review)}

    def missed(project: dict[str, Any]) -> int:
        return reconcile_project(source.jobs, project_key(project), source.studio.project(project["id"]), source.studio)

    missed(source.project)  # plans the first training
    missed(review)  # the review task itself
    resolve_job(project_key(review), review["id"], 0)
    assert missed(review) == 0

    queue = source.jobs.queue(WORK_QUEUE)
    queue.empty()
    source.studio.create_annotation(task["id"], {"result": [choice("decision", "negative", to_name="item")]})
    assert missed(review) == 1
    [planned] = queue.jobs
    assert planned.func_name == RESOLVING.function


def test_a_project_that_did_not_ask_for_it_is_left_alone(source: Source) -> None:
    source.vote("Cheap & cheerful.", "positive", "negative")
    source.studio.update_project(source.id, {"description": "Reviews."})
    assert "skipped" in source.mine()
    assert not [it for it in source.studio.projects() if f"hard-cases-of-{source.id}" in it["description"]]


def test_a_standard_that_people_broke_fails_no_job(source: Source) -> None:
    source.vote("Cheap & cheerful.", "positive", "negative")
    broken = 'tiebreak hard cases: {"automatic": true, "least_score": 7}'
    source.studio.update_project(source.id, {"description": broken})
    assert "cannot be read" in source.mine()["error"]
    source.studio.update_project(source.id, {"description": AUTOMATIC})
    assert source.mine()["created"] == 1


def test_two_workers_do_not_look_at_one_project_at_once(source: Source) -> None:
    with source.jobs.changes(MINING, source.key).working():
        assert source.mine() is BUSY


def test_a_project_that_is_gone_is_forgotten(source: Source) -> None:
    source.jobs.remember(source.key)
    assert "error" in mine_job(f"{source.id}.1", source.id, 0)
    source.jobs.remember("999999.1")
    assert "error" in mine_job("999999.1", 999999, 0)
    assert known_projects(source.jobs.redis) == [source.key]
