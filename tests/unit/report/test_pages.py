"""The page and report.json, with texts as hostile as annotated data can be."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from html.parser import HTMLParser

import pytest
from markupsafe import escape
from pydantic import ValidationError
from unit.report.hostile import HOSTILE, huge, report

from sdk_scripts.report import html
from sdk_scripts.report.html import page
from sdk_scripts.report.model import HardCaseRow, Report


@functools.cache
def plain_page() -> str:
    return page(report("plain"))


class Markup(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_the_data_becomes_markup(text: str) -> None:
    found, harmless = Markup(), Markup()
    found.feed(page(report(text)))
    harmless.feed(plain_page())
    assert not found.handlers
    assert not {"script", "img", "iframe", "object"} & set(found.tags)
    # as many tags as with plain text: nothing was added (SVG texts may break into glyph runs)
    assert [tag for tag in found.tags if tag in ("a", "td", "th", "li", "p")] == [
        tag for tag in harmless.tags if tag in ("a", "td", "th", "li", "p")
    ]


def test_the_page_needs_no_network_and_runs_no_script() -> None:
    text = plain_page()
    assert "default-src 'none'" in text
    assert "src=" not in text
    assert "@import" not in text
    assert "url(http" not in text


def test_a_link_is_only_ever_one_to_the_web() -> None:
    with pytest.raises(ValidationError):
        HardCaseRow(task=7, url="javascript:alert(1)", text="", score=0.8, reasons=[])


def test_the_json_has_no_nan_and_no_judgements() -> None:
    document = json.loads(json.dumps(report("plain").to_json(), allow_nan=False))
    assert document["overview"]["tasks"] == 3
    assert "judgements" not in document


def test_an_empty_project_has_a_report_too() -> None:
    empty = report("plain").model_copy(
        update={
            "controls": [],
            "annotators": [],
            "hard_cases": [],
            "versions": [],
            "days": [],
        }
    )
    assert "Nobody has labeled anything yet" in page(empty)


def test_the_navigation_leads_to_every_section_and_each_has_a_heading() -> None:
    text = plain_page()
    led = re.findall(r'<li><a href="#([a-z_]+)">', text)
    assert led == re.findall(r'<section id="([a-z_]+)">\s*<h2>', text)
    assert {"actions", "agreement", "annotators", "working", "inspection", "hard_cases", "models", "notes"} <= set(led)


def test_a_section_without_anything_to_say_is_left_out() -> None:
    bare = report("plain").model_copy(update={"sections": {}, "notes": []})
    assert not {'id="working"', 'id="inspection"', 'id="notes"'} & set(re.findall(r'id="[a-z]+"', page(bare)))
    assert bare.to_json()["working"] is None
    assert bare.to_json()["lots"] == []


def test_no_two_things_on_a_page_have_the_same_id() -> None:
    counted = Counter(re.findall(r' id="([^"]+)"', plain_page()))
    assert max(counted.values()) == 1
    assert len(counted) > 10


def test_what_a_chart_refers_to_is_on_the_page() -> None:
    text = plain_page()
    used = set(re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', text))
    assert used
    assert used <= set(re.findall(r' id="([^"]+)"', text))


def test_commands_in_sentences_are_shown_as_code_and_stay_text() -> None:
    sentence = "Run `tiebreak train <b>` or `x`."
    text = page(report("plain").model_copy(update={"headline": [sentence], "notes": [sentence]}))
    assert text.count("Run <code>tiebreak train &lt;b&gt;</code> or <code>x</code>.") == 2


def test_a_project_as_big_as_they_come_still_has_a_page_of_less_than_three_megabytes() -> None:
    text = page(huge())
    assert len(text.encode()) < 3_000_000
    assert "too long for a page" not in text
    assert "the first 200; the workbook lists them all" in text
    assert "The busiest 200 of 2,000" in text


def test_a_section_too_long_for_the_page_makes_way(monkeypatch: pytest.MonkeyPatch) -> None:
    whole: Report = report("plain")
    monkeypatch.setattr(html, "_MOST_BYTES", len(page(whole).encode()) // 2)
    text = page(whole)
    assert "This is too long for a page." in text
    assert "Annotators" in text


def test_halves_of_characters_do_no_harm() -> None:
    text = page(report("plain").model_copy(update={"title": "half \ud83d of one"}))
    assert str(escape("half \ufffd of one")) in text.encode().decode()
