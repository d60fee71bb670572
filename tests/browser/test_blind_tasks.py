"""What a person sees of a task that is to be labelled blind, with our backend connected."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.screenshots import open_task, signed_in
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from ml_backend.briefs import refresh_policy
from ml_backend.encoder import Encoder
from ml_backend.labeling.arms import Arms
from ml_backend.model_registry import ModelRegistry
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.valkey import Valkey
from sdk_scripts.sources import read_project
from tests.unit.learning.reviews import SENTIMENT
from tests.unit.serving.running import serving


@pytest.fixture(scope="module")
def page(chromium: Browser, studio_server) -> Page:
    page = signed_in(chromium, studio_server.url, studio_server.email, studio_server.password)
    yield page
    page.close()


def test_a_blind_task_shows_nothing_and_is_recorded_as_blind(
    page: Page,
    studio: Studio,
    studio_server,
    studio_settings: Settings,
    valkey: Valkey,
    encoder: Encoder,
    tmp_path: Path,
) -> None:
    settings = studio_settings.model_copy(update={"redis_url": SecretStr(valkey.url), "train_after_seconds": 3600.0})
    id = studio.create_project({"title": "Blind", "label_config": SENTIMENT.xml})["id"]
    studio.update_project(id, {"description": 'tiebreak policy: {"blind": 0.5}'})
    refresh_policy(ModelRegistry(settings.models), studio.project(id))
    studio.import_tasks(id, [{"data": {"text": f"This works perfectly, I love it. {n}"}} for n in range(20)])
    arms = Arms("", 0.5)
    tasks = {arms.of(task["id"]): task["id"] for task in studio.tasks(id, data_only=True)}
    assert encoder.dimension  # it is loaded before Label Studio waits for it, and asks twice
    with serving(settings, encoder) as client:
        studio.add_backend(id, {"url": str(client.base_url).rstrip("/"), "title": "Tiebreak"})
        for arm, picked in (("blind", 0), ("plain", 1)):
            open_task(page, studio_server.url, id, tasks[arm])
            page.get_by_text("Positive").first.wait_for()
            page.screenshot(path=tmp_path / f"{arm}.png")
            assert page.locator("input[type=checkbox]:checked").count() == picked
            ((stored,),) = [it["predictions"] for it in studio.tasks(id, ids=[tasks[arm]])]
            assert bool(stored["result"]) == (arm == "plain")
            open_task(page, studio_server.url, id, tasks[arm])  # which asks nobody, as the prediction is there
            assert [it["predictions"] for it in studio.tasks(id, ids=[tasks[arm]])] == [[stored]]
            if not picked:
                page.get_by_text("Negative").first.click()
            page.get_by_role("button", name="Submit").click()
            expect(page.get_by_text("Update", exact=True)).to_be_visible(timeout=30_000)
    read = {task.id: task.annotations for task in read_project(studio, studio.project(id)).tasks}
    for arm, task in tasks.items():
        (submitted,) = read[task]
        assert submitted.arm == arm
    studio.delete_project(id)
