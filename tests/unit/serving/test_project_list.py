"""What the reconciler keeps of Label Studio's list of projects."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from ml_backend.jobs import JOB_SETTINGS, reconcile_job
from ml_backend.labeling.errors import StudioUnreachable
from ml_backend.project_list import LIST, PROBLEM, keep_problem, read_list
from ml_backend.queues import Jobs
from ml_backend.settings import Settings
from tests.unit.serving.console_content import KEY, PROJECTS, QUEUE, REVIEWS, STRANGER, list_projects, listed
from tests.unit.serving.running import free_port


@pytest.fixture
def jobs(queue_settings: Settings) -> Iterator[Jobs]:
    with Jobs(queue_settings) as opened:
        yield opened


def test_projects_that_are_labelled_are_kept_with_their_review_queues_and_nothing_else(jobs: Jobs) -> None:
    list_projects(jobs, *PROJECTS)
    found = read_list(jobs.redis)
    assert [(it.id, it.reviews_of) for it in found.projects] == [(9, 7), (8, None), (7, None)]
    assert found.projects[-1].key == KEY
    assert found.at > 0


def test_a_review_queue_of_a_project_that_nobody_connected_is_not_kept(jobs: Jobs) -> None:
    list_projects(jobs, STRANGER, {**QUEUE, "description": "tiebreak: hard-cases-of-12"})
    assert read_list(jobs.redis).projects == ()


def test_titles_are_cut_and_put_on_one_line(jobs: Jobs) -> None:
    list_projects(jobs, listed(3, "a\n\u2028b " + "c" * 9_000, task_number=None))
    [it] = read_list(jobs.redis).projects
    assert it.title.startswith("a b ccc")
    assert len(it.title) == 200
    assert it.tasks == 0


@pytest.mark.parametrize("content", ["", "[]", "{", '{"at": 1}', '{"at": 1, "projects": [{"key": 1}]}'])
def test_what_cannot_be_read_counts_as_none(jobs: Jobs, content: str) -> None:
    jobs.redis.set(LIST, content)
    jobs.redis.set(PROBLEM, content)
    found = read_list(jobs.redis)
    assert (found.projects, found.problem) == ((), None)


def test_a_problem_stands_beside_the_last_list_until_there_is_a_new_one(jobs: Jobs) -> None:
    list_projects(jobs, REVIEWS)
    keep_problem(jobs.redis, StudioUnreachable("It is away.", mend="Start it."))
    found = read_list(jobs.redis)
    assert len(found.projects) == 1
    assert found.problem is not None
    assert (found.problem["what"], found.problem["mend"]) == ("It is away.", "Start it.")
    list_projects(jobs, REVIEWS)
    assert read_list(jobs.redis).problem is None


def test_a_worker_that_cannot_reach_label_studio_says_so(jobs: Jobs, queue_settings: Settings) -> None:
    jobs.remember(KEY)
    away = {"studio_url": f"http://127.0.0.1:{free_port()}", "studio_token": SecretStr("t"), "studio_timeout": 1.0}
    token = JOB_SETTINGS.set(queue_settings.model_copy(update=away))
    try:
        reconcile_job()
    finally:
        JOB_SETTINGS.reset(token)
    found = read_list(jobs.redis)
    assert found.problem is not None
    assert "Label Studio" in found.problem["what"]
