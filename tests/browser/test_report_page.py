"""The report's page in real Chromium: what a keyboard, a screen reader, a small screen and a printer get of it.

The rules are those of WCAG 2.2 AA that a machine can check.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from unit.analysis import exports
from unit.report.hostile import report

from ml_backend.settings import load_settings
from sdk_scripts.report.collect import collect
from sdk_scripts.report.html import page as made

FOUND = """() => {
  const problems = [];
  const at = (it) => it.outerHTML.slice(0, 120);
  let last = 0;
  for (const it of document.querySelectorAll('h1, h2, h3, h4, h5, h6')) {
    const level = Number(it.tagName[1]);
    if (level > last + 1) problems.push(`a heading skips a level: ${at(it)}`);
    if (!it.textContent.trim()) problems.push(`an empty heading: ${at(it)}`);
    last = level;
  }
  for (const tag of ['main', 'header', 'nav', 'h1', 'title'])
    if (document.querySelectorAll(tag).length !== 1) problems.push(`not exactly one ${tag}`);
  for (const it of document.querySelectorAll('table')) {
    if (!it.caption || !it.caption.textContent.trim()) problems.push(`a table without caption: ${at(it)}`);
    if (!it.tHead) problems.push(`a table without header: ${at(it)}`);
    if (!it.closest('[tabindex="0"]')) problems.push(`a table the keyboard cannot scroll: ${at(it)}`);
  }
  for (const it of document.querySelectorAll('th'))
    if (!it.scope) problems.push(`a header cell without scope: ${at(it)}`);
  for (const it of document.querySelectorAll('svg'))
    if (it.getAttribute('role') !== 'img' || !it.getAttribute('aria-label'))
      problems.push(`a chart without words: ${at(it)}`);
  for (const it of document.querySelectorAll('figure'))
    if (!it.closest('section').querySelector('table')) problems.push(`a chart without its numbers: ${at(it)}`);
  for (const it of document.querySelectorAll('a')) {
    if (!it.textContent.trim()) problems.push(`a link without text: ${at(it)}`);
    const goal = it.getAttribute('href');
    if (goal.startsWith('#') && !document.getElementById(goal.slice(1))) problems.push(`a link to nowhere: ${at(it)}`);
  }
  for (const it of document.querySelectorAll('[aria-labelledby]'))
    if (!document.getElementById(it.getAttribute('aria-labelledby')))
      problems.push(`a name that is not there: ${at(it)}`);
  for (const it of document.querySelectorAll('details'))
    if (!it.querySelector(':scope > summary')?.textContent.trim()) problems.push(`details without summary: ${at(it)}`);
  if (!document.documentElement.lang) problems.push('no language');
  return problems;
}"""

CONTRAST = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const linear = (it) => it <= .04045 ? it / 12.92 : ((it + .055) / 1.055) ** 2.4;
    const [r, g, b] = numbers(colour).map((it) => linear(it / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ratio = (one, other) => {
    const [a, b] = [light(one), light(other)].sort((x, y) => y - x);
    return (a + .05) / (b + .05);
  };
  const behind = (it) => {
    for (; it; it = it.parentElement) {
      const colour = getComputedStyle(it).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
  };
  document.querySelectorAll('details').forEach((it) => { it.open = true; });
  const found = {};
  for (const it of document.querySelectorAll('body *')) {
    const svg = it.closest('svg');
    const own = [...it.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (svg ? !['path', 'use', 'text'].includes(it.tagName) : !own) continue;
    const style = getComputedStyle(it);
    const colours = svg ? [style.fill, style.stroke].filter((colour) => colour.startsWith('rgb(')) : [style.color];
    if (svg && it.closest('defs, [style*="--grid"]')) continue;  // a grid is decoration
    for (const colour of colours) {
      const least = svg && it.tagName !== 'text' ? 3 : 4.5;
      const got = ratio(colour, behind(it));
      if (got < least) found[`${colour} on ${behind(it)}`] = `${got} < ${least}: ${it.outerHTML.slice(0, 100)}`;
    }
  }
  return found;
}"""


@functools.cache
def by_hand() -> str:
    return made(report("An ordinary label"))


@functools.cache
def collected(home: Path) -> str:
    """With the sections that are worked out of labels: three people differ on every third task, over two months."""
    tasks = []
    for id in range(1, 91):
        votes = ("positive", "negative", "neutral") if id % 3 == 0 else ("positive", "positive")
        task = exports.voted(id, f"text number {id}", *votes)
        for annotation in task["annotations"]:
            annotation["created_at"] = f"2026-{1 + id // 46:02}-{1 + id % 28:02}T08:00:00Z"
        tasks.append(task)
    dataset = exports.dataset(tasks, url="http://studio.example/projects/4/data")
    return made(collect(dataset, load_settings(home=home)))


@pytest.fixture(params=[by_hand, collected], ids=lambda it: it.__name__)
def written(request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    text = by_hand() if request.param is by_hand else collected(tmp_path_factory.getbasetemp() / "home")
    (tmp_path / "report.html").write_text(text, "utf-8")
    return (tmp_path / "report.html").as_uri()


@pytest.fixture
def page(chromium: Browser, written: str) -> Iterator[Page]:
    """Offline, as it is opened from a mail."""
    context = chromium.new_context(offline=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(written)
    yield page
    context.close()


def test_the_page_is_built_for_screen_readers(page: Page) -> None:
    assert page.evaluate(FOUND) == []


def test_the_sections_worked_out_of_labels_are_among_those_looked_at(tmp_path_factory: pytest.TempPathFactory) -> None:
    text = collected(tmp_path_factory.getbasetemp() / "home")
    for name in ("actions", "agreement", "trend", "annotators", "inspection", "hard_cases", "causes", "gaps"):
        assert f'<section id="{name}">' in text, name


def test_the_page_asks_for_nothing_and_reports_no_problem(chromium: Browser, written: str) -> None:
    context = chromium.new_context()
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(written)
    assert asked == [written]
    assert said == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_stands_out_from_what_is_behind_it(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 29)"
    )
    assert page.evaluate(CONTRAST) == {}


def test_the_keyboard_skips_to_the_report_and_reaches_every_section_link_and_table(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "report"
    page.goto(page.url.partition("#")[0])
    page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
    reached = 0
    wanted = page.evaluate("document.querySelectorAll('a, summary, .scroll').length")
    for _ in range(wanted + 20):
        page.keyboard.press("Tab")
        seen = page.evaluate("""() => {
          const it = document.activeElement;
          if (it === document.body || it.dataset.seen) return false;
          it.dataset.seen = 1;
          const style = getComputedStyle(it);
          const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
          return outlined && it.matches('a, summary, .scroll');
        }""")
        reached += seen
    assert reached == wanted


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_only_tables_and_charts_scroll_sideways(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_label_without_a_space_does_not_make_the_page_wider(chromium: Browser, tmp_path: Path) -> None:
    (tmp_path / "long.html").write_text(made(report("https://studio.example/" + "x" * 3_000)), "utf-8")
    page = chromium.new_page(viewport={"width": 360, "height": 800})
    page.goto((tmp_path / "long.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.close()


def test_print_shows_what_is_folded_on_black_and_white_and_cuts_no_table_off(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 700, "height": 1000})  # A4, less its margins
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("nav").is_hidden()
    heights = page.evaluate(
        "[...document.querySelectorAll('details table')].map((it) => it.getBoundingClientRect().height)"
    )
    assert heights
    assert min(heights) > 0
    wide = page.evaluate("[...document.querySelectorAll('table')].filter((it) => it.scrollWidth > 700).length")
    assert wide == 0
    assert page.pdf(format="A4").startswith(b"%PDF")
