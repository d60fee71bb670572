"""The labeling screen as an oracle: what we write as a prediction, a person opens and submits, and it comes back."""

from __future__ import annotations

from typing import Any

import pytest
from browser.screenshots import open_task, signed_in
from playwright.sync_api import Browser, Page, expect

from ml_backend.labeling.answers import answers, write_answers
from ml_backend.labeling.config import parse
from ml_backend.labeling.judgements import judgements
from ml_backend.labeling.kinds import KINDS, kind_of
from ml_backend.labeling.kinds.boxes import Box
from ml_backend.labeling.kinds.spans import Span
from ml_backend.labeling.results import read_task
from ml_backend.studio import Studio

CONFIG = parse(
    """<View>
  <Text name="text" value="$text"/>
  <HyperText name="html" value="$html"/>
  <Paragraphs name="talk" value="$talk" layout="dialogue"/>
  <Image name="image" value="$image"/>
  <Text name="left" value="$text"/><Text name="right" value="$text"/>
  <Choices name="one" toName="text"><Choice value="First" alias="1st"/><Choice value="Second"/></Choices>
  <Choices name="many" toName="text" choice="multiple">
    <Choice value="a"/><Choice value="b"/><Choice value="c"/>
  </Choices>
  <Choices name="offered" toName="text" value="$options"/>
  <Taxonomy name="tree" toName="text"><Choice value="Food" alias="f"><Choice value="Fish"/></Choice></Taxonomy>
  <Rating name="stars" toName="text" maxRating="7"/>
  <Number name="price" toName="text" min="0" max="100" step="0.5"/>
  <TextArea name="why" toName="text"/>
  <Pairwise name="better" toName="left,right"/>
  <Labels name="spans" toName="text"><Label value="Claim" alias="c"/><Label value="Price"/></Labels>
  <HyperTextLabels name="marks" toName="html"><Label value="Bold"/></HyperTextLabels>
  <ParagraphLabels name="said" toName="talk"><Label value="Rude"/></ParagraphLabels>
  <RectangleLabels name="logos" toName="image"><Label value="Logo"/></RectangleLabels>
  <Labels name="drawn" toName="image"><Label value="Stamp"/></Labels><Rectangle name="stamps" toName="image"/>
</View>"""
)
DATA: dict[str, Any] = {
    "text": "Real 🧵 silk at a tenth of the price.",
    "html": "<p>Real <b>silk</b> at a</p><p>tenth of the price.</p>",
    "talk": [{"author": "Buyer", "text": "Is it real?"}, {"author": "Seller", "text": "Go away."}],
    "image": "/static/icons/logo.svg",
    "options": [{"value": "Offer one"}, {"value": "Offer two"}],
}
PREDICTED: dict[str, Any] = {
    "one": ("1st",),
    "many": ("a", "c"),
    "offered": ("Offer two",),
    "tree": (("f", "Fish"),),
    "stars": 6,
    "price": 12.5,
    "why": ("Too cheap.", "No photo."),
    "better": "right",
    "spans": (Span(0, 11, ("c",)), Span(17, 35, ("Price",))),
    "marks": (Span(5, 9, ("Bold",)),),
    "said": (Span(0, 7, ("Rude",), "", "1", "1"),),
    "logos": (Box(10, 20, 30, 40, 0, ("Logo",)),),
    "stamps": (Box(50, 50, 20, 20, 15, ("Stamp",)),),
}


@pytest.fixture(scope="module")
def page(chromium: Browser, studio_server) -> Page:
    page = signed_in(chromium, studio_server.url, studio_server.email, studio_server.password)
    yield page
    page.close()


# The button says Update, but its accessible name stays "submit".
def test_predictions_of_every_kind_are_shown_and_come_back_as_submitted(
    page: Page, studio: Studio, studio_server
) -> None:
    assert {kind.name for name in PREDICTED if (kind := kind_of(CONFIG[name]))} == set(KINDS)
    project = studio.create_project({"title": "Every kind", "label_config": CONFIG.xml})["id"]
    studio.import_tasks(project, [{"data": DATA}])
    task = next(studio.tasks(project))["id"]
    scores = dict.fromkeys(PREDICTED, 0.75)
    prediction = {"task": task, "result": write_answers(CONFIG, PREDICTED, scores), "score": 0.75, "model_version": "m"}
    assert studio.import_predictions(project, [prediction]) == 1

    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    open_task(page, studio_server.url, project, task)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Update", exact=True)).to_be_visible(timeout=30_000)
    assert not problems

    stored = read_task(next(studio.tasks(project)))
    assert answers(CONFIG, stored.predictions[0].regions) == PREDICTED
    submitted = answers(CONFIG, stored.annotations[0].regions)
    assert {name: submitted.get(name) for name in PREDICTED} == PREDICTED
    texts = {span.labels: span.text for name in ("spans", "marks", "said") for span in submitted[name]}  # type: ignore[attr-defined]
    assert texts == {("c",): "Real 🧵 silk", ("Price",): "tenth of the price", ("Bold",): "silk", ("Rude",): "Go away"}
    assert judgements([stored], CONFIG)["changed"].to_list() == [False] * len(PREDICTED)


def test_nested_choices_come_back_as_the_screen_stores_them(page: Page, studio: Studio, studio_server) -> None:
    config = parse(
        '<View><Text name="t" value="$text"/><Choices name="c" toName="t" choice="multiple" allowNested="true">'
        '<Choice value="Food"><Choice value="Fish"/><Choice value="Other"/></Choice>'
        '<Choice value="Toys"><Choice value="Other"/></Choice></Choices></View>'
    )
    project = studio.create_project({"title": "Nested", "label_config": config.xml})["id"]
    studio.import_tasks(project, [{"data": {"text": "x"}}])
    task = next(studio.tasks(project))["id"]
    open_task(page, studio_server.url, project, task)
    for name in ("Fish", "Toys"):
        page.locator(f"input[name={name}]").click()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Update", exact=True)).to_be_visible(timeout=30_000)
    stored = read_task(next(studio.tasks(project)))
    assert answers(config, stored.annotations[0].regions) == {"c": ("Fish", "Toys / Other")}
