"""The console in real Chromium: a real backend, a real Valkey, a trained version; the numbers move by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pydantic import SecretStr

from ml_backend.console.state import FRESH_SECONDS
from ml_backend.encoder import Encoder
from ml_backend.model_registry import ModelRegistry
from ml_backend.queues import WORK_QUEUE, Jobs
from ml_backend.report_history import Kept
from ml_backend.settings import Settings, load_settings
from ml_backend.valkey import Valkey
from tests.unit.serving.console_content import HOSTILE, KEY, add_report, fill
from tests.unit.serving.running import serving

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 360, "height": 740}
SIGNED_IN = {"username": "ana", "password": "pass"}


@dataclass(frozen=True)
class Shown:
    url: str
    settings: Settings
    jobs: Jobs
    server: Valkey
    report: Kept


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Iterator[Shown]:
    guarded = {"backend_user": "ana", "backend_password": SecretStr("pass")}
    server = Valkey(tmp_path_factory.mktemp("console-valkey"))
    patch = pytest.MonkeyPatch()
    patch.setattr("ml_backend.console.routes.POLL_SECONDS", 0.5)  # nobody has to wait for a browser test
    for where in FRESH_SECONDS:
        patch.setitem(FRESH_SECONDS, where, 0.2)
    try:
        url = SecretStr(server.start().url)
        settings = load_settings(home=tmp_path_factory.mktemp("console"), redis_url=url, **guarded)
        with Jobs(settings) as jobs:
            report = fill(settings, jobs, encoder)
            with serving(settings, encoder) as client:
                yield Shown(str(client.base_url).rstrip("/"), settings, jobs, server, report)
    finally:
        patch.undo()
        server.stop()


@pytest.fixture
def context(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    options: dict[str, Any] = {"viewport": WIDE, "http_credentials": SIGNED_IN, **getattr(request, "param", {})}
    context = chromium.new_context(**options)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, shown: Shown) -> Page:
    return opened(context, shown)


def opened(context: BrowserContext, shown: Shown) -> Page:
    """The console, with its numbers; whatever the browser complains of is in `page.complaints`."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.complaints = complaints  # type: ignore[attr-defined]
    page.goto(f"{shown.url}/console")
    expect(page.get_by_role("status")).to_contain_text("Live")
    expect(page.locator("#projects tbody tr")).to_have_count(2)
    return page


def tile(page: Page, title: str) -> Any:
    return page.locator("#tiles > div", has=page.get_by_role("link", name=title, exact=True)).locator("dd")


def test_it_shows_what_there_is(page: Page, shown: Shown) -> None:
    version = ModelRegistry(shown.settings.models).live(KEY)
    projects = page.get_by_role("table", name="Projects that people label")
    row = projects.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Product reviews", exact=True))
    expect(row).to_contain_text(str(version))
    expect(row.get_by_role("link", name="Product reviews", exact=True)).to_have_attribute(
        "href", "http://127.0.0.1:8080/projects/7/data"
    )
    expect(row.get_by_role("link", name="Product reviews: hard cases")).to_have_attribute("rel", "noopener noreferrer")
    expect(page.get_by_role("table", name="Trainings and other jobs")).to_contain_text("5 labels are too few")
    expect(page.get_by_role("table", name="Findings")).to_contain_text("16 of 40 gold questions right.")
    expect(page.get_by_role("table", name="Hard cases by cause")).to_contain_text("disagreement 2")
    expect(page.get_by_role("table", name="What the large model cost")).to_contain_text("1,280")
    expect(page.get_by_text("No worker runs")).to_be_visible()
    assert page.complaints == []


def test_numbers_change_by_themselves(page: Page, shown: Shown) -> None:
    page.evaluate("() => { window.same = true; }")
    before = int(tile(page, "Jobs waiting").inner_text())
    labels = int(tile(page, "New labels").inner_text())
    ids = [f"tidy-{number}" for number in range(3)]
    for id in ids:
        shown.jobs.queue(WORK_QUEUE).enqueue("ml_backend.jobs.reconcile_job", job_id=id)
    shown.jobs.labels_changed(KEY, 7, 4)
    kept = add_report(shown.settings, title="Made just now")
    expect(tile(page, "Jobs waiting")).to_have_text(str(before + 3), timeout=20_000)
    expect(tile(page, "New labels")).to_have_text(str(labels + 4), timeout=20_000)
    expect(page.get_by_role("link", name="Made just now", exact=True)).to_have_attribute(
        "href", f"{shown.url}/console/reports/{KEY}/{kept.id}/report.html", timeout=20_000
    )
    assert page.evaluate("() => window.same")
    for id in ids:
        shown.jobs.queue(WORK_QUEUE).remove(id)
    expect(tile(page, "Jobs waiting")).to_have_text(str(before), timeout=20_000)


def test_hostile_titles_labels_and_names_are_text(page: Page) -> None:
    expect(page.locator("#projects")).to_contain_text("<img src=x onerror=")
    expect(page.locator("#jobs")).to_contain_text(HOSTILE)
    expect(page.locator("#findings")).to_contain_text(HOSTILE)
    expect(page.locator("#reports")).to_contain_text("<img src=x onerror=")
    assert page.locator("main img, main script").count() == 0
    assert page.title() == "Tiebreak console"
    assert page.complaints == []
    assert (
        page.evaluate("() => { try { document.body.innerHTML = '<b>x</b>'; return 'set'; } catch { return 'no'; } }")
        == "no"
    )


def test_nothing_is_asked_of_anybody_else(context: BrowserContext, shown: Shown) -> None:
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    opened(context, shown)
    assert asked
    assert all(url.startswith(f"{shown.url}/console") for url in asked)


def test_a_report_opens_and_its_scripts_do_not_run(page: Page, shown: Shown, context: BrowserContext) -> None:
    got: list[str] = []
    context.on("response", lambda it: None if it.url.endswith("state.json") else got.append(it.url))  # the page polls
    link = page.locator(f'#reports a[href*="{shown.report.id}"]').first
    with context.expect_page() as opening:
        link.click()
    report = opening.value
    report.wait_for_load_state()
    expect(report.get_by_role("heading", name="Quality")).to_be_visible()
    expect(report.locator("#said")).to_have_text("untouched")
    assert report.title() == "Report"
    assert report.evaluate("() => window.origin") == "null"
    assert got == [report.url]
    with page.expect_download() as downloading:
        page.get_by_role("link", name="XLSX of the report of Product reviews").first.click()
    assert downloading.value.suggested_filename.endswith("report.xlsx")


def test_a_backend_that_goes_away_and_comes_back_is_told_of_once(page: Page, context: BrowserContext) -> None:
    status = page.get_by_role("status")
    expect(status).to_have_attribute("aria-live", "polite")
    context.route("**/state.json", lambda route: route.abort())
    expect(status).to_contain_text("does not answer", timeout=20_000)
    expect(page.locator("#projects tbody tr")).to_have_count(2)  # what was known stays
    context.unroute("**/state.json")
    expect(status).to_contain_text("Live", timeout=20_000)


def test_what_is_in_focus_stays_so_while_numbers_change(page: Page, shown: Shown) -> None:
    link = page.get_by_role("table", name="Projects that people label").get_by_role(
        "link", name="Product reviews", exact=True
    )
    link.focus()
    labels = int(tile(page, "New labels").inner_text())
    shown.jobs.labels_changed(KEY, 7, 1)
    expect(tile(page, "New labels")).to_have_text(str(labels + 1), timeout=20_000)
    expect(link).to_be_focused()


def test_it_is_read_by_its_landmarks_headings_and_captions(page: Page) -> None:
    for role in ("banner", "main", "navigation", "contentinfo", "status"):
        expect(page.get_by_role(role)).to_have_count(1)
    levels = page.evaluate("() => [...document.querySelectorAll('h1, h2, h3')].map(it => it.tagName)")
    assert levels == ["H1", *["H2"] * 10]
    for table in page.get_by_role("table").all():
        assert table.locator("caption").inner_text()
        heads = table.get_by_role("columnheader").count()
        for row in table.locator("tbody").get_by_role("row").all():
            assert row.get_by_role("rowheader").count() + row.get_by_role("cell").count() == heads
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    for entry in page.get_by_role("navigation").get_by_role("link").all():
        assert page.locator(str(entry.get_attribute("href"))).count() == 1


@pytest.mark.parametrize(
    ("context", "name"),
    [
        ({"color_scheme": "light"}, "light"),
        ({"color_scheme": "dark"}, "dark"),
        ({"viewport": NARROW, "color_scheme": "light", "reduced_motion": "reduce"}, "narrow"),
        ({"viewport": NARROW, "color_scheme": "dark"}, "narrow-dark"),
    ],
    indirect=["context"],
)
def test_it_fits_and_can_be_read(page: Page, name: str, tmp_path: Path) -> None:
    page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
    assert page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert page.evaluate(CONTRASTS) == []
    moves = page.evaluate("() => getComputedStyle(document.documentElement).scrollBehavior")
    assert moves == ("auto" if name == "narrow" else "smooth")


CONTRASTS = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = channels(color).map((it) => (it /= 255) <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (it) => {
    for (; it; it = it.parentElement) {
      const color = getComputedStyle(it).backgroundColor;
      if ((channels(color)[3] ?? 1) === 1) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const poor = [];
  for (const it of document.querySelectorAll("body *")) {
    const says = [...it.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!says || !it.checkVisibility()) continue;
    const [one, other] = [light(getComputedStyle(it).color), light(behind(it))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) poor.push(`${it.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""
"""Texts with less contrast than WCAG AA asks for."""


def test_redis_away_is_told_in_its_panels_and_the_others_stay(page: Page, shown: Shown) -> None:
    shown.server.stop()
    try:
        expect(page.locator("#workers .problem").first).to_contain_text("TIEBREAK_REDIS_URL", timeout=20_000)
        expect(page.locator("#projects")).to_contain_text("Shown as of")
        expect(page.locator("#reports .problem")).to_be_hidden()
        expect(page.get_by_role("status")).to_contain_text("Live")
    finally:
        shown.server.start()
    expect(page.locator("#workers .problem").first).to_be_hidden(timeout=30_000)
