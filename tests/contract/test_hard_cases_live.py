"""Sources and hard cases against a real Label Studio."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.analysis.exports import SENTIMENT, annotation, choice, predicted

from ml_backend.labeling.errors import InputError, StudioNotFound
from ml_backend.labeling.judgements import judgements
from ml_backend.labeling.results import answers, read_task
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from sdk_scripts.mining import mine
from sdk_scripts.review_project import MANIFEST
from sdk_scripts.sources import find_project, load_source, read_label_config
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


def test_without_apply_nothing_is_made(project, studio, studio_settings) -> None:
    before = len(studio.projects())
    found = hard_cases(project, studio_settings)
    assert len(found) >= 3
    assert found.review is None
    assert len(studio.projects()) == before
