"""One mention is marked, and Label Studio's screen marks the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser.screenshots import open_task, signed_in
from playwright.sync_api import Browser, Page, expect

from ml_backend.encoder import Encoder
from ml_backend.labeling.answers import answers
from ml_backend.labeling.config import parse
from ml_backend.labeling.kinds.spans import Span
from ml_backend.labeling.results import read_task
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from tests.unit.serving.running import serving

CONFIG = parse(
    '<View><Text name="text" value="$text"/><Labels name="marks" toName="text" smart="true">'
    '<Label value="Brand"/><Label value="Price"/></Labels></View>'
)
TEXT = "👜 Selling my Kanabi, real KANABI for little. Kanabi's best. A Zorvex and a zorvex, too."
_MARKED = "() => [...document.querySelectorAll('.htx-highlight')].map(it => it.textContent)"
_PLACE = """word => {
  const walk = document.createTreeWalker(document.querySelector('.lsf-richtext'), NodeFilter.SHOW_TEXT)
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const at = node.data.indexOf(word)
    if (at < 0) continue
    const range = document.createRange()
    range.setStart(node, at)
    range.setEnd(node, at + word.length)
    const box = range.getBoundingClientRect()
    return [box.x + box.width / 2, box.y + box.height / 2]
  }
}"""


@pytest.fixture(scope="module")
def page(chromium: Browser, studio_server) -> Iterator[Page]:
    page = signed_in(chromium, studio_server.url, studio_server.email, studio_server.password)
    yield page
    page.close()


def mark(page: Page, label: str, word: str) -> list[dict[str, Any]]:
    """What an annotator does: the label, then a double click on the word. Returns what the backend adds."""
    page.get_by_text(label, exact=True).first.click()
    with page.expect_response(lambda it: it.url.endswith("/interactive-annotating")) as answer:
        page.mouse.dblclick(*page.evaluate(_PLACE, word))
    added: list[dict[str, Any]] = answer.value.json()["data"]["result"]
    return added


def test_the_other_mentions_are_marked_and_what_is_deleted_stays_so(
    page: Page, studio: Studio, studio_server, settings: Settings, encoder: Encoder
) -> None:
    project = studio.create_project({"title": "Mentions", "label_config": CONFIG.xml})["id"]
    studio.import_tasks(project, [{"data": {"text": TEXT}}])
    task = next(studio.tasks(project))["id"]
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    with serving(settings, encoder) as client:
        url = str(client.base_url).rstrip("/")
        studio.add_backend(project, {"url": url, "title": "Tiebreak", "is_interactive": True})
        open_task(page, studio_server.url, project, task)
        page.get_by_text("Auto-Annotation").click()

        added = mark(page, "Brand", "Kanabi")
        assert [it["value"]["text"] for it in added] == ["KANABI", "Kanabi"]
        expect(page.locator(".htx-highlight")).to_have_count(3)
        assert page.evaluate(_MARKED) == ["Kanabi", "KANABI", "Kanabi"]

        page.locator(".htx-highlight").nth(1).click()
        page.keyboard.press("Backspace")
        expect(page.locator(".htx-highlight")).to_have_count(2)

        assert [it["value"]["text"] for it in mark(page, "Brand", "Zorvex")] == ["zorvex"]
        expect(page.locator(".htx-highlight")).to_have_count(4)
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_text("Update", exact=True)).to_be_visible(timeout=30_000)
    assert not problems

    stored = read_task(next(studio.tasks(project)))
    spans = answers(CONFIG, stored.annotations[0].regions)["marks"]
    found = [it for it in spans if isinstance(it, Span)]  # type: ignore[attr-defined]
    assert [TEXT[it.start : it.end] for it in found] == ["Kanabi", "Kanabi", "Zorvex", "zorvex"]
    assert found[1].start > TEXT.index("KANABI")
