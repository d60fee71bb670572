"""Where Label Studio's screen shows the spans of a trained model."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.screenshots import open_task, signed_in
from playwright.sync_api import Browser, Page, expect

from ml_backend.encoder import Encoder
from ml_backend.labeling.answers import answers, write_answers
from ml_backend.labeling.results import read_task
from ml_backend.prelabelers import Inputs
from ml_backend.prelabelers.spans import Spans
from ml_backend.studio import Studio
from tests.unit.learning.marked import LISTINGS, examples, listings, readings

TEXT = (
    "👨\u200d👩\u200d👧\u200d👦 שלום עולם, สวัสดี e\u0301 & <b>中国</b>\r\n\tSelling my Kanabi for $120,\n\n"
    "call +49 30 5512311. 👜 Kanabi!"
)
MARKED = ["Kanabi", "$120", "+49 30 5512311", "Kanabi"]
_HIGHLIGHTED = "() => [...document.querySelectorAll('.htx-highlight')].map(it => it.textContent)"


@pytest.fixture(scope="module")
def page(chromium: Browser, studio_server) -> Page:
    page = signed_in(chromium, studio_server.url, studio_server.email, studio_server.password)
    yield page
    page.close()


def test_spans_are_shown_where_the_model_found_them_after_emoji_and_other_scripts(
    page: Page, studio: Studio, studio_server, encoder: Encoder, tmp_path: Path
) -> None:
    head = Spans().learn(LISTINGS, LISTINGS.controls[0], examples(listings(80), encoder)).head
    (opinion,) = head.opinions(Inputs(readings(TEXT), encoder))
    assert opinion is not None
    assert [span.text for span in opinion.answer] == MARKED  # type: ignore[attr-defined]

    project = studio.create_project({"title": "Spans", "label_config": LISTINGS.xml})["id"]
    studio.import_tasks(project, [{"data": {"text": TEXT}}])
    task = next(studio.tasks(project))["id"]
    result = write_answers(LISTINGS, {"marks": opinion.answer}, {"marks": opinion.confidence})
    prediction = {"task": task, "result": result, "score": opinion.confidence, "model_version": "m"}
    assert studio.import_predictions(project, [prediction]) == 1

    open_task(page, studio_server.url, project, task)
    expect(page.locator(".htx-highlight").first).to_be_visible(timeout=30_000)
    page.screenshot(path=tmp_path / "spans.png")
    assert page.evaluate(_HIGHLIGHTED) == MARKED
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Update", exact=True)).to_be_visible(timeout=30_000)
    submitted = read_task(next(studio.tasks(project))).annotations[0]
    assert answers(LISTINGS, submitted.regions) == {"marks": opinion.answer}
