"""Why the machine thinks so, in Label Studio's screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser.screenshots import open_task, signed_in
from playwright.sync_api import Browser, Page, expect

from ml_backend.briefs import Precedent
from ml_backend.encoder import Encoder
from ml_backend.explanations import Precedents, explain, regions
from ml_backend.labeling.answers import answers, write_answers
from ml_backend.labeling.config import parse
from ml_backend.labeling.judgements import judgements
from ml_backend.labeling.kinds import KINDS
from ml_backend.labeling.results import read_task
from ml_backend.prelabelers import Examples, Inputs
from ml_backend.prelabelers.few_shot import FewShot
from ml_backend.studio import Studio
from ml_backend.studio.checks import prediction_problems
from tests.unit.learning.reviews import SENTIMENT, reviews

CONFIG = parse(
    SENTIMENT.xml.replace(
        "</View>",
        '<TextArea name="why" toName="text" tiebreak="explanation" editable="false" maxSubmissions="0"/>'
        '<Labels name="drove" toName="text" tiebreak="explanation" visible="false">'
        '<Label value="speaks for it" background="#2f855a"/><Label value="speaks against it" background="#b7791f"/>'
        "</Labels></View>",
    )
)
TEXT = "👜 My kettle looks beautiful, but it broke after a day & I want my money back."
MARKUP = "<b>Money back</b> <img src=x onerror=alert(1)>"
_MARKED = "() => [...document.querySelectorAll('.htx-highlight')].map(it => it.textContent)"


@pytest.fixture(scope="module")
def page(chromium: Browser, studio_server) -> Page:
    page = signed_in(chromium, studio_server.url, studio_server.email, studio_server.password)
    yield page
    page.close()


def predicted(encoder: Encoder) -> tuple[list[dict[str, Any]], list[str], list[str]]:
    """The prediction's regions, and the words and lines that explain it."""
    texts, labels = zip(*reviews(80), strict=True)
    known = Examples(tuple(range(80)), Inputs(texts, encoder), tuple((it,) for it in labels), np.ones(80))
    head = FewShot().learn(CONFIG, CONFIG["sentiment"], known).head
    inputs = Inputs([TEXT], encoder)
    (opinion,) = head.opinions(inputs)
    assert opinion is not None
    key = KINDS["choices"].key(opinion.answer)
    settled = Precedents([Precedent(TEXT, "sentiment", key, MARKUP, "Defects")], encoder)
    (found,) = explain(CONFIG, "sentiment", [opinion.answer], [opinion], inputs, head, settled, closely=True)
    answered = write_answers(CONFIG, {"sentiment": opinion.answer}, {"sentiment": opinion.confidence})
    words = [TEXT[it.start : it.end] for it in found.words]
    return answered + regions(CONFIG, {"text": TEXT}, [found]), words, list(found.lines)


def test_words_and_reasons_are_shown_and_are_no_answers_when_submitted(
    page: Page, studio: Studio, studio_server, encoder: Encoder, tmp_path: Path
) -> None:
    result, words, lines = predicted(encoder)
    project = studio.create_project({"title": "Explained", "label_config": CONFIG.xml})["id"]
    studio.import_tasks(project, [{"data": {"text": TEXT}}])
    task = next(studio.tasks(project))["id"]
    prediction = {"task": task, "result": result, "score": 0.8, "model_version": "m"}
    assert prediction_problems(prediction, CONFIG) == []
    assert studio.import_predictions(project, [prediction]) == 1

    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: problems.append(dialog.message))
    open_task(page, studio_server.url, project, task)
    expect(page.locator(".htx-highlight").first).to_be_visible(timeout=30_000)
    page.screenshot(path=tmp_path / "explained.png")
    assert page.evaluate(_MARKED) == words
    shown = page.get_by_test_id("textarea-region")
    assert shown.inner_text().split("\n") == lines  # no markup is rendered, every line is one
    assert MARKUP in shown.inner_text()
    assert shown.locator("b, img").count() == 0
    expect(page.get_by_text("speaks for it").first).to_be_hidden()  # no label to pick
    expect(page.locator("textarea[name=why]")).to_have_count(0)  # nothing to write into
    page.locator(".htx-highlight").first.click()
    page.keyboard.press("Backspace")  # deletes a region that people may change
    assert page.evaluate(_MARKED) == words
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Update", exact=True)).to_be_visible(timeout=30_000)
    assert not problems

    stored = read_task(next(studio.tasks(project)))
    submitted = stored.annotations[0]
    assert {it["from_name"] for it in submitted.regions} == {"sentiment", "why", "drove"}  # they do come along
    assert answers(CONFIG, submitted.regions).keys() == {"sentiment"}
    assert judgements([stored], CONFIG)["control"].to_list() == ["sentiment"]


def test_where_nothing_is_predicted_nothing_is_shown_of_it(page: Page, studio: Studio, studio_server) -> None:
    project = studio.create_project({"title": "Not explained", "label_config": CONFIG.xml})["id"]
    studio.import_tasks(project, [{"data": {"text": TEXT}}])
    open_task(page, studio_server.url, project, next(studio.tasks(project))["id"])
    expect(page.locator("input[name=Positive]")).to_be_visible()
    expect(page.get_by_test_id("textarea-region")).to_have_count(0)
    expect(page.locator("textarea")).to_have_count(0)
    page.locator("input[name=Positive]").click()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Update", exact=True)).to_be_visible(timeout=30_000)
    stored = read_task(next(studio.tasks(project)))
    assert [it["from_name"] for it in stored.annotations[0].regions] == ["sentiment"]
