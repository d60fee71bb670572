"""One hard case through everything: two annotators disagree, it is mined, queued to the right reviewer, decided in the
browser, written back, kept in the library, shown as a precedent on a similar new case, and passed by the next model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.accounts import sign_up
from browser.screenshots import signed_in
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr
from typer.testing import CliRunner

from ml_backend.jobs import JOB_SETTINGS, train_job
from ml_backend.labeling.results import Task, project_key, read_task
from ml_backend.queues import Jobs
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.valkey import Valkey
from sdk_scripts.cli import app
from tests.unit.learning.reviews import choice, labelled

NAME = "case-walk"
ANN, BOB, REV = "ann@walk.example", "bob@walk.example", "rev@walk.example"
PASSWORD = "a-password-for-walks"
DISPUTED = "The kettle works perfectly, apart from the smoke."
SIMILAR = "My kettle works perfectly apart from all that smoke."
CONFIG = """<View><Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text"><Choice value="positive"/><Choice value="negative"/></Choices></View>"""
GUIDELINES = "# Sentiment\n\n## Danger\n\nA product that smokes or burns is negative, whatever else is said of it.\n"
MANIFEST = f"""
name: {NAME}
title: Walked reviews
label_config: config.xml
guidelines: guidelines.md
hard_cases:
  name: "2026-11"
  reviewers:
    - {{email: {ANN}}}
    - {{email: {REV}}}
"""

Tell = Callable[..., Any]


@pytest.fixture
def tell(studio_environment: None) -> Tell:
    """Runs `tiebreak …` and returns its JSON."""

    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
        assert done.exit_code in (0, 1), done.output
        return json.loads(done.stdout)

    return run


@pytest.fixture
def source(tmp_path: Path, studio: Studio, studio_server: Any, tell: Tell) -> Iterator[str]:
    """The project, as code, with forty labels that nobody disputes."""
    folder = tmp_path / "walk"
    folder.mkdir()
    (folder / "project.yaml").write_text(MANIFEST)
    (folder / "config.xml").write_text(CONFIG)
    (folder / "guidelines.md").write_text(GUIDELINES)
    sign_up(studio_server.url, studio_server.token, REV, PASSWORD)
    project = tell("sync", str(folder), "--apply")["projects"][NAME]
    studio.import_tasks(project, undisputed(studio, labelled(40)))
    yield str(project)
    for made in studio.projects():
        if (
            made["id"] == project
            or NAME in str(made["description"])
            or f"hard-cases-of-{project}" in made["description"]
        ):
            studio.delete_project(made["id"])


@pytest.fixture
def trained(studio: Studio, studio_settings: Settings, valkey: Valkey) -> Iterator[Callable[[str], Any]]:
    """Trains a project's next version at once, as a worker does; returns what became of it."""
    settings = studio_settings.model_copy(update={"redis_url": SecretStr(valkey.url)})
    token = JOB_SETTINGS.set(settings)

    def train(project: str) -> Any:
        key = project_key(studio.project(int(project)))
        with Jobs(settings) as jobs:
            jobs.state(key).ask(0)
        return train_job(key, int(project), 0)

    yield train
    JOB_SETTINGS.reset(token)


def undisputed(studio: Studio, tasks: list[Task]) -> list[dict[str, Any]]:
    """Tasks as an import has them, that two people answer alike."""
    people = [studio.add_annotator(email) for email in (ANN, BOB)]
    return [
        {
            "data": dict(task.data),
            "annotations": [{"result": list(task.annotations[0].regions), "completed_by": who} for who in people],
        }
        for task in tasks
    ]


def disputed(studio: Studio, project: int, text: str) -> int:
    """A task that two people answer differently."""
    people = [studio.add_annotator(email) for email in (ANN, BOB)]
    answers = zip(people, ("positive", "negative"), strict=True)
    studio.import_tasks(
        project,
        [
            {
                "data": {"text": text},
                "annotations": [
                    {"result": [choice("sentiment", label)], "completed_by": who} for who, label in answers
                ],
            }
        ],
    )
    return next(task["id"] for task in studio.tasks(project) if task["data"]["text"] == text)


def decide(page: Page, url: str, project: int, view: int) -> None:
    """What the reviewer does in the browser: their queue, the task, the decision."""
    page.goto(f"{url}/projects/{project}/data?tab={view}")
    expect(page.get_by_text("Tasks: 1 / 1")).to_be_visible(timeout=60_000)
    page.get_by_text("Walked reviews: task").first.click()
    page.get_by_role("button", name="Submit").wait_for(timeout=60_000)
    page.wait_for_load_state("networkidle")
    page.locator("input[name=negative]").click()
    page.locator("input[name='Guideline gap']").click()
    page.fill("textarea[name=rationale]", "It smokes, so it is dangerous.")
    page.fill("[name=policy_clause]", "Danger")
    page.locator("input[name='Keep as a case']").click()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Update", exact=True)).to_be_visible(timeout=30_000)


def test_a_hard_case_goes_all_the_way(
    tell: Tell,
    source: str,
    trained: Callable[[str], Any],
    studio: Studio,
    studio_server: Any,
    chromium: Browser,
) -> None:
    assert trained(source)["promoted"]
    task = disputed(studio, int(source), DISPUTED)

    mined = tell("hard-cases", source, "--budget", "1", "--apply")
    assert [item["task"] for item in mined["items"]] == [task]
    assert mined["review"]["created"] == 1
    assert mined["review"]["by_reviewer"] == {REV: 1}  # never the one who judged it
    review = mined["review"]["project"]
    view = next(it["id"] for it in studio.views(review) if REV in it["data"]["title"])
    assert not [it for it in studio.tasks(review) if ANN in json.dumps(it["data"]) or BOB in json.dumps(it["data"])]

    page = signed_in(chromium, studio_server.url, REV, PASSWORD)
    decide(page, studio_server.url, review, view)
    page.close()

    assert tell("resolve", source)["applied"] is False
    assert tell("resolve", source, "--apply")["overturned"] is not None
    stored = read_task(studio.task(task), studio.annotators())
    (written,) = [it for it in stored.annotations if it.decided]
    assert (written.annotator, written.ground_truth) == (REV, True)
    assert written.regions[0]["value"]["choices"] == ["negative"]
    assert written.regions[0]["meta"]["tiebreak"]["cause"] == "guideline_gap"
    assert {it.annotator for it in stored.annotations} == {ANN, BOB, REV}
    assert tell("resolve", source, "--apply")["resolved"] == []
    assert task not in [item["task"] for item in tell("hard-cases", source)["items"]]

    (case,) = tell("cases", "list", source)["items"]
    assert case["rationale"] == "It smokes, so it is dangerous."

    assert (case["answer"], case["state"], case["uses"]) == ("negative", "holds", ["precedent", "regression"])

    second = disputed(studio, int(source), SIMILAR)
    tell("hard-cases", source, "--budget", "1", "--apply")
    (about,) = [it["data"] for it in studio.tasks(review) if it["data"]["source_task"] == second]
    assert "It smokes, so it is dangerous." in about["precedents"]

    studio.import_tasks(int(source), undisputed(studio, labelled(80, seed=1)))
    learned = trained(source)
    assert learned["promoted"]
    assert "It passes the library's case." in learned["reason"]
