"""A gold question in the label stream, as an annotator sees it: nothing tells it from an ordinary task."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browser.accounts import sign_up
from browser.screenshots import signed_in
from playwright.sync_api import Browser, Page, expect

from ml_backend.cases import libraries_of
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from sdk_scripts.case_library import NewCase, add_cases
from sdk_scripts.gold.tending import tend_gold
from tests.contract.studio_projects import CONFIG, choice, prediction

EMAIL, PASSWORD = "ann@stream.example", "a-password-for-streams"


@pytest.mark.parametrize("most", [1, 2], ids=["one annotator a task", "two annotators a task"])
def test_a_gold_question_looks_like_any_other_task(
    chromium: Browser, studio: Studio, studio_server: Any, studio_settings: Settings, most: int
) -> None:
    email = f"{most}-{EMAIL}"
    sign_up(studio_server.url, studio_server.token, email, PASSWORD)
    says = 'tiebreak quality: {"gold": {"first": 1}}'
    fields = {"title": f"Stream of {most}", "label_config": CONFIG, "description": says, "maximum_annotations": most}
    id = studio.create_project(fields)["id"]
    voter = studio.add_annotator("voter@stream.example")
    votes = [{"result": choice("negative"), "completed_by": voter, "ground_truth": True}]
    ordinary = [{"data": {"text": f"Text {number}."}} for number in range(5)]
    studio.import_tasks(id, [*ordinary, {"data": {"text": "Text 5."}, "annotations": votes}])
    tasks = [task["id"] for task in studio.tasks(id, data_only=True)]
    studio.import_predictions(id, [prediction(task, "v1", 0.9) for task in tasks])
    studio.update_project(id, {"model_version": "v1"})
    add_cases(
        studio, studio.project(id), [NewCase(tasks[-1], "sentiment", '["negative"]', uses=("gold",))], studio_settings
    )
    tend_gold(studio, studio.project(id), studio_settings, apply=True)

    page = signed_in(chromium, studio_server.url, email, PASSWORD)
    sent: list[str] = []
    page.on("response", lambda it: sent.append(it.text()) if "id=next_task" in it.url else None)
    page.goto(f"{studio_server.url}/projects/{id}/data")
    page.get_by_role("button", name=re.compile("^Label ")).first.click()
    gold, seen = shown(page)
    assert gold == tasks[-1]
    page.get_by_test_id("bottombar-submit-button").click()
    page.wait_for_function(f"!document.body.innerText.includes('#{gold}')")
    other, ordinary_screen = shown(page)
    assert other in tasks[:-1]
    assert seen == ordinary_screen
    assert len(sent) == 2
    assert all('"annotations":[],"drafts":[]' in it and "ground_truth" not in it for it in sent)
    page.close()
    for project in (studio.project(id), *libraries_of(studio.projects(), studio.project(id))):
        studio.delete_project(project["id"])


def shown(page: Page) -> tuple[int, str]:
    """The task's id, and all that is on the screen but for it and the text."""
    page.get_by_test_id("bottombar-submit-button").wait_for(timeout=60_000)
    page.wait_for_load_state("networkidle")
    expect(page.get_by_text("Annotation saved successfully")).to_have_count(0, timeout=30_000)
    words = page.inner_text("body")
    (id,) = re.findall(r"#?\b(\d+)\n\d+ of \d+", words)
    picked = page.locator("input[type=checkbox]:checked").count()
    return int(id), re.sub(r"Text \d\.", "", re.sub(r"#?\b\d+\n\d+ of \d+", "", words)) + f"{picked} picked"
