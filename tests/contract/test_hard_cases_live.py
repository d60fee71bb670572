"""Sources and hard cases against a real Label Studio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from unit.analysis.exports import SENTIMENT, annotation, choice, predicted

from ml_backend.labeling.answers import answers
from ml_backend.labeling.errors import InputError, StudioNotFound
from ml_backend.labeling.judgements import judgements
from ml_backend.labeling.results import read_task
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from sdk_scripts.mining import mine
from sdk_scripts.resources.project import find_project as by_mark
from sdk_scripts.review_project import MANIFEST, Pushed, ReviewProject
from sdk_scripts.sources import find_project, load_source, read_label_config
from sdk_scripts.standards import Standard, standard_of
from sdk_scripts.sync import sync

VOTES = [
    ("The zip broke on day one.", "negative", "negative", "positive"),
    ("Does what it says.", "positive", "neutral", "negative"),
    ("Lovely colour.", "positive", "positive", "positive"),
    ("<b>Cheap</b> & cheerful", "positive", "neutral", "neutral"),
    ("Came a day late.", "negative", "negative", "negative"),
]


@pytest.fixture
def project(studio: Studio) -> int:
    """Five tasks that three people answered, three of them differently; and one that only the model has seen."""
    people = [studio.add_annotator(f"{name}@example.com") for name in ("ann", "bob", "cho")]
    id = studio.create_project({"title": "Reviews & more", "label_config": SENTIMENT})["id"]
    tasks = [
        {
            "data": {"text": text},
            "annotations": [
                {key: value for key, value in annotation(n, who, choice("sentiment", label)).items() if key != "id"}
                for n, (who, label) in enumerate(zip(people, labels, strict=True))
            ],
        }
        for text, *labels in VOTES
    ]
    stored = {key: value for key, value in predicted(1, "positive", 0.4).items() if key != "id"}
    studio.import_tasks(id, [*tasks, {"data": {"text": "Hm."}, "predictions": [stored]}])
    yield id
    studio.delete_project(id)


def hard_cases(project: int, settings: Settings, **options):
    return mine(load_source(str(project), label_config=None, settings=settings), settings, **options)


def test_a_project_is_a_source_with_e_mails_predictions_and_links(project, studio, studio_settings) -> None:
    dataset = load_source(str(project), label_config=None, settings=studio_settings)
    assert (dataset.name, dataset.project_id, len(dataset.tasks)) == ("Reviews & more", project, 6)
    assert dataset.warnings == ()
    table = judgements(dataset.tasks, dataset.config)
    assert set(table["annotator"]) == {"ann@example.com", "bob@example.com", "cho@example.com"}
    assert [prediction.score for task in dataset.tasks for prediction in task.predictions] == [0.4]
    first = dataset.tasks[0].id
    assert dataset.link(first) == f"{studio.url}/projects/{project}/data?task={first}"


def test_a_project_yaml_is_the_project_that_was_made_from_it(tmp_path: Path, studio, studio_settings) -> None:
    (tmp_path / "config.xml").write_text(SENTIMENT)
    manifest = tmp_path / "project.yaml"
    manifest.write_text("name: hard-cases-source-test\ntitle: From a manifest\n")
    with pytest.raises(StudioNotFound, match="tiebreak sync"):
        load_source(str(manifest), label_config=None, settings=studio_settings)
    made = sync([manifest], studio_settings, apply=True).projects["hard-cases-source-test"]
    studio.update_project(made, {"title": "Renamed by people"})
    for source in (manifest, tmp_path):
        assert load_source(str(source), label_config=None, settings=studio_settings).project_id == made
        assert find_project(str(source), studio_settings)[1]["title"] == "Renamed by people"
    studio.delete_project(made)


def test_a_project_that_is_not_there_is_said_to_be_missing(studio_settings) -> None:
    with pytest.raises(StudioNotFound, match="999999"):
        load_source("999999", label_config=None, settings=studio_settings)


def test_hard_cases_become_review_tasks_once(project, studio, studio_settings) -> None:
    found = hard_cases(project, studio_settings, budget=2, apply=True)
    assert (found.review.created, found.review.existing) == (2, 0)
    review = found.review.project
    assert studio.project(review)["title"] == "Reviews & more – hard cases"
    assert [task["data"]["source_task"] for task in studio.tasks(review)] == [case.task for case in found]

    again = hard_cases(project, studio_settings, budget=2, apply=True)
    assert (again.review.created, again.review.existing, again.review.project) == (0, 2, review)
    more = hard_cases(project, studio_settings, apply=True)
    assert (more.review.created, more.review.existing) == (len(more) - 2, 2)
    pushed = [task["data"]["source_task"] for task in studio.tasks(review)]
    assert sorted(pushed) == sorted(case.task for case in more)
    assert len(set(pushed)) == len(pushed)
    studio.delete_project(review)


def test_what_was_reviewed_or_renamed_stays_so(project, studio, studio_settings) -> None:
    review = hard_cases(project, studio_settings, budget=1, apply=True).review.project
    (task,) = studio.tasks(review)
    decided = task["data"]["options"][0]["value"]
    result = [
        choice("decision", decided, to_name="item"),
        choice("cause", "guideline_gap", to_name="item"),
        choice("keep", "keep", to_name="item"),
    ]
    studio.create_annotation(task["id"], {"result": result})
    studio.update_project(review, {"title": "Tough ones"})

    assert hard_cases(project, studio_settings, budget=1, apply=True).review.created == 0
    (kept,) = studio.tasks(review)
    config = read_label_config(MANIFEST.parent)
    assert answers(config, read_task(kept).annotations[0].regions)["decision"] == (decided,)
    assert studio.project(review)["title"] == "Tough ones"
    studio.delete_project(review)


def test_the_votes_lead_back_to_annotations_of_the_source(project, studio, studio_settings) -> None:
    found = hard_cases(project, studio_settings, budget=1, apply=True)
    (task,) = studio.tasks(found.review.project)
    source = next(studio.tasks(project, ids=[task["data"]["source_task"]]))
    votes = task["data"]["tiebreak"]["votes"]
    assert {vote["annotation"] for vote in votes} == {annotation["id"] for annotation in source["annotations"]}
    studio.delete_project(found.review.project)


def test_a_review_project_has_no_hard_cases_of_its_own(project, studio, studio_settings) -> None:
    review = hard_cases(project, studio_settings, budget=1, apply=True).review.project
    with pytest.raises(InputError, match=f"Give that project instead: {project}"):
        hard_cases(review, studio_settings, apply=True)
    studio.delete_project(review)


def test_without_apply_it_says_what_would_be_made_and_makes_nothing(project, studio, studio_settings) -> None:
    before = len(studio.projects())
    found = hard_cases(project, studio_settings)
    assert len(found) >= 3
    assert (found.review.applied, found.review.created, found.review.project) == (False, len(found), None)
    assert len(studio.projects()) == before


REVIEWERS = ("rev1@example.com", "rev2@example.com")


def say(studio: Studio, project: int, **standard: Any) -> None:
    """Give the source project this standard, as sync would."""
    line = Standard.model_validate(standard).line()
    studio.update_project(project, {"description": f"tiebreak hard cases: {line}"})


@pytest.fixture
def reviews(project, studio, studio_settings) -> Iterator[Callable[..., Pushed]]:
    """Mines the project and returns what became of it."""
    for email in REVIEWERS:
        studio.add_annotator(email)

    def run(**options: Any) -> Pushed:
        return hard_cases(project, studio_settings, apply=True, **options).review

    yield run
    manifest = f"hard-cases-of-{project}"
    if made := by_mark(studio.projects(), manifest):
        studio.delete_project(made["id"])


def seats(studio: Studio, review: int) -> set[tuple[int, int, str]]:
    tasks = [task["data"] for task in studio.tasks(review, data_only=True)]
    found = {(data["source_task"], data["seat"], data["reviewer"]) for data in tasks}
    assert len(found) == len(tasks)
    return found


def served(settings: Settings, review: int, queue: str) -> list[int]:
    """What "Label Tasks As Displayed" serves in a view, all of it decided one after the other."""
    studio, token = Studio.connect(settings), settings.studio_token.get_secret_value()
    (view,) = [view for view in studio.views(review) if view["data"]["title"] == queue]
    body = {"filters": view["data"]["filters"], "ordering": view["data"]["ordering"]}
    found: list[int] = []
    while True:
        params = {"id": "next_task", "project": review, "tabID": view["id"]}
        answer = httpx.post(
            f"{studio.url}/api/dm/actions",
            params=params,
            json=body,
            headers={"Authorization": f"Token {token}"},
            timeout=60,
        )
        if answer.status_code == 404:
            return found
        found.append(answer.raise_for_status().json()["id"])
        studio.create_annotation(found[-1], {"result": []})


def test_each_reviewer_has_a_queue_that_serves_only_their_cases_hardest_first(
    project, studio, studio_settings, reviews
) -> None:
    say(studio, project, two_reviewers_from=3, severity={"negative": 3}, reviewers=[{"email": it} for it in REVIEWERS])
    review = reviews().project
    old = next(studio.tasks(review, data_only=True))["data"]
    old = {name: old[name] for name in old if name != "reviewer"} | {"source_task": 0}
    studio.import_tasks(review, [{"data": old}])
    tasks = {task["id"]: task["data"] for task in studio.tasks(review, data_only=True)}
    titles = [view["data"]["title"] for view in studio.views(review)]
    assert titles == ["Hardest first", *(f"Queue of {it}" for it in REVIEWERS), "Anybody"]
    everything = []
    for email in REVIEWERS:
        queue = served(studio_settings, review, f"Queue of {email}")
        scores = [tasks[id]["score"] for id in queue]
        assert {tasks[id]["reviewer"] for id in queue} == {email}
        assert scores == sorted(scores, reverse=True)
        everything += queue
    anybody = served(studio_settings, review, "Anybody")
    assert [tasks[id]["source_task"] for id in anybody] == [0]
    assert sorted([*everything, *anybody]) == sorted(tasks)


def test_where_nobody_is_named_the_cases_are_for_anybody(project, studio, studio_settings, reviews) -> None:
    review = reviews(budget=2).project
    assert [view["data"]["title"] for view in studio.views(review)] == ["Hardest first"]
    assert {who for _, _, who in seats(studio, review)} == {""}
    say(studio, project, reviewers=[{"email": REVIEWERS[0]}])
    reviews(budget=2)
    assert len(served(studio_settings, review, "Anybody")) == 2


def test_a_lost_seat_is_made_again_and_never_for_the_reviewer_of_the_other(project, studio, reviews) -> None:
    say(studio, project, two_reviewers_from=1, reviewers=[{"email": it} for it in REVIEWERS])
    made = reviews(budget=1)
    before = seats(studio, made.project)
    assert len({who for _, _, who in before}) == 2
    lost = next(task for task in studio.tasks(made.project, data_only=True) if task["data"]["seat"] == 1)
    studio.delete_tasks(made.project, [lost["id"]])
    again = reviews(budget=1)
    assert (again.created, again.existing) == (1, 1)
    assert seats(studio, made.project) == before


def test_what_its_reviewer_skips_leaves_the_queue_for_that_of_another(
    project, studio, studio_settings, reviews
) -> None:
    say(studio, project, reviewers=[{"email": it} for it in REVIEWERS])
    made = reviews(budget=1)
    (task,) = studio.tasks(made.project)
    who = task["data"]["reviewer"]
    studio.create_annotation(task["id"], {"result": [], "was_cancelled": True})
    again = reviews(budget=1)
    (other,) = set(REVIEWERS) - {who}
    assert again.by_reviewer == {other: 1}
    assert served(studio_settings, made.project, f"Queue of {who}") == []
    (given,) = served(studio_settings, made.project, f"Queue of {other}")
    assert given != task["id"]
    assert reviews(budget=1).created == 0


def test_who_leaves_loses_the_queue_and_its_cases_go_to_others(project, studio, reviews) -> None:
    say(studio, project, reviewers=[{"email": it} for it in REVIEWERS])
    made = reviews()
    theirs = {task for task, _, who in seats(studio, made.project) if who == REVIEWERS[0]}
    assert theirs
    say(studio, project, reviewers=[{"email": REVIEWERS[1]}])
    moved = reviews()
    assert (moved.expired, moved.created) == (len(theirs), len(theirs))
    assert {who for _, _, who in seats(studio, made.project)} == {REVIEWERS[1]}
    titles = [view["data"]["title"] for view in studio.views(made.project)]
    assert titles == ["Hardest first", f"Queue of {REVIEWERS[1]}", "Anybody"]


def test_a_reviewer_without_an_account_is_named_and_nothing_fails(project, studio, studio_settings, reviews) -> None:
    say(studio, project, reviewers=[{"email": "nobody@example.com"}])
    said: list[str] = []
    assert reviews(budget=1, report=said.append).created == 1
    assert any("no account of nobody@example.com" in line for line in said)


def begin(settings: Settings, task: int) -> None:
    """Have somebody else than the token's account begin a task: they sign up by invitation, and leave a draft."""
    token = settings.studio_token.get_secret_value()
    with httpx.Client(base_url=settings.studio_url, follow_redirects=True, timeout=60) as browser:
        headers = {"Referer": settings.studio_url}
        invitation = browser.get("/api/invite", headers={"Authorization": f"Token {token}"}).json()["invite_url"]
        browser.cookies.clear()
        browser.get(invitation)
        who = {"email": f"{uuid4().hex}@example.com", "password": "a-password-for-tests"}
        form = {**who, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        browser.post(invitation, data=form, headers=headers).raise_for_status()
        headers["X-CSRFToken"] = browser.cookies["csrftoken"]
        browser.post(
            f"/api/tasks/{task}/drafts", json={"result": [], "lead_time": 1}, headers=headers
        ).raise_for_status()


def test_what_expires_is_taken_back_unless_somebody_skipped_or_began_it(
    project, studio, studio_settings, reviews
) -> None:
    say(studio, project, expires_days=7)
    review = reviews(budget=3).project
    skipped, begun, untouched = (task["id"] for task in studio.tasks(review))
    studio.create_annotation(skipped, {"result": [], "was_cancelled": True})
    begin(studio_settings, begun)
    source = studio.project(project)
    there = ReviewProject(studio, source, standard_of(source), studio_settings)
    tasks = there.tasks()
    assert there.take_back(tasks, datetime.now(UTC) + timedelta(days=6)) == set()
    assert there.take_back(tasks, datetime.now(UTC) + timedelta(days=8)) == {untouched}
    assert [task["id"] for task in studio.tasks(review)] == [skipped, begun]
    assert reviews(budget=3).created == 1


def test_what_two_machines_make_at_once_is_there_once(project, studio, studio_settings, reviews) -> None:
    review = reviews(budget=2).project
    source = studio.project(project)
    there = ReviewProject(studio, source, standard_of(source), studio_settings)
    before = list(studio.tasks(review))
    assert there.add(review, [{"data": task["data"]} for task in before]) == ("", "")
    assert [task["id"] for task in studio.tasks(review)] == [task["id"] for task in before]


def test_one_more_annotator_is_asked_before_a_review_once(project, studio, reviews) -> None:
    studio.update_project(project, {"maximum_annotations": 4})
    say(studio, project, minimum_judgements=4, one_more_annotator=True)
    (hardest, *_) = reviews(budget=1).plan.one_more
    stored = studio.task(hardest.task)
    assert (stored["overlap"], stored["is_labeled"], hardest.overlap) == (4, False, 4)
    again = reviews(budget=1)
    assert [(one.task, one.raised) for one in again.plan.one_more] == [(hardest.task, False)]
    assert (again.created, again.project) == (0, None)
