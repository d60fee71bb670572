"""Every label config that ships, in the real labeling screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.screenshots import CONFIGS, import_example, open_task, signed_in
from playwright.sync_api import Browser, Page, expect

from ml_backend.labeling.answers import answers
from ml_backend.labeling.config import parse
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import read_task
from ml_backend.studio import Studio

LISTING = next(config for config in CONFIGS if config.parent.name == "listing_moderation")
REVIEWS = next(config for config in CONFIGS if config.parent.name == "product_reviews")


@pytest.fixture(scope="module")
def page(chromium: Browser, studio_server) -> Page:
    page = signed_in(chromium, studio_server.url, studio_server.email, studio_server.password)
    yield page
    page.close()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.parent.name)
def test_the_example_opens_in_label_studio_and_can_be_submitted(
    config: Path, page: Page, studio: Studio, studio_server
) -> None:
    project, task = import_example(studio, config)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    open_task(page, studio_server.url, project, task)
    assert not problems
    predicted = next(studio.tasks(project))["predictions"]
    parsed = parse(config.read_text("utf-8"))
    for name in answers(parsed, predicted[0]["result"]) if predicted else ():
        assert kind_of(parsed[name]) is not None
    if predicted:
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_text("Update", exact=True)).to_be_visible(timeout=30_000)
        stored = read_task(next(studio.tasks(project)))
        assert answers(parsed, stored.annotations[0].regions) == answers(parsed, predicted[0]["result"])


def test_listing_details_appear_only_for_a_rejected_or_escalated_listing(
    page: Page, studio: Studio, studio_server
) -> None:
    project, task = import_example(studio, LISTING)
    open_task(page, studio_server.url, project, task)
    clause = page.get_by_text("Which clause?")
    expect(clause).to_be_visible()
    page.keyboard.press("a")
    expect(clause).to_be_hidden()
    page.keyboard.press("e")
    expect(clause).to_be_visible()


def test_a_rationale_typed_without_pressing_enter_is_kept(page: Page, studio: Studio, studio_server) -> None:
    project, task = import_example(studio, LISTING)
    open_task(page, studio_server.url, project, task)
    page.fill("textarea[name=rationale]", "The text says replica.")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Update", exact=True)).to_be_visible(timeout=30_000)
    stored = read_task(next(studio.tasks(project)))
    config = parse(LISTING.read_text("utf-8"))
    assert answers(config, stored.annotations[0].regions)["rationale"] == ("The text says replica.",)
