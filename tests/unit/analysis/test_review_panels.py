"""What a reviewer sees, and that nothing in it can do anything."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.labeling.config import parse
from sdk_scripts.guideline_excerpt import MAX_EXCERPT, excerpt
from sdk_scripts.hard_cases import Reason
from sdk_scripts.plain_text import plain_text, sections
from sdk_scripts.review_html import MAX_TEXT, is_page, is_picture, panel, parts_of

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> \"'&{{ 7*7 }}"
TAGS = {"div", "span", "p", "table", "tr", "th", "td", "ul", "li", "b", "br", "img", "a"}


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def harmless(html: str) -> str:
    """Checks that there are only our own tags and attributes; returns the text that is read."""
    tags = Tags(html)
    for tag, attributes in tags.found:
        assert tag in TAGS
        assert set(attributes) <= {"class", "src", "alt", "href", "target", "rel"}
        assert is_picture(attributes.get("src", "https://x.org/a.png"))
        assert is_page(attributes.get("href") or "https://x.org/")
    return tags.text


@given(st.one_of(st.text(), st.just(HOSTILE), st.text().map(lambda text: f"{HOSTILE}{text}")))
def test_foreign_text_is_only_ever_text(text: str) -> None:
    config = parse('<View><Text name="t" value="$text"/><Table name="f" value="$facts"/></View>')
    data = {"text": text, "facts": {text: text}}
    panels = [
        panel("item", parts=parts_of(config, data), task=1, link=""),
        panel("reasons", reasons=[Reason("disagreement", 0.5, text, "t")]),
        panel("votes", rows=[{"annotator": text, "answers": {text: text}, "when": text}], controls=[text]),
        panel("model", shares=[(text, 0.5)], who=text),
        panel("precedents", rows=[{"answer": text, "who": text, "text": text, "task": 1, "link": ""}]),
    ]
    for html in panels:
        assert " ".join(text.split()) in " ".join(harmless(html).split())


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("https://example.org/a.png?x=1&y=2", True),
        ("/data/upload/3/a.png", True),
        ("data:image/png;base64,iVBORw0KGgo=", True),
        ("javascript:alert(1)", False),
        ("data:image/svg+xml;base64,PHN2Zz4=", False),
        ("data:text/html;base64,PGI+", False),
        ("//example.org/a.png", False),
        ("/\\example.org/a.png", False),
        ('https://example.org/" onload="alert(1)', False),
        ("file:///etc/passwd", False),
        ("s3://bucket/a.png", False),
        (None, False),
    ],
)
def test_only_addresses_that_load_a_picture_become_pictures(address: object, allowed: bool) -> None:
    assert is_picture(address) is allowed


def test_a_picture_is_shown_as_one_and_an_address_that_cannot_be_as_text() -> None:
    config = parse('<View><Image name="i" value="$image"/></View>')
    shown = panel("item", parts=parts_of(config, {"image": "https://x.org/a.png"}), task=1, link="")
    assert '<img class="tb-picture" src="https://x.org/a.png"' in shown
    refused = panel("item", parts=parts_of(config, {"image": "javascript:alert(1)"}), task=1, link="")
    assert "<img" not in refused
    assert "javascript:alert(1)" in harmless(refused)


def test_the_fields_on_the_screen_are_shown_in_the_configs_order_and_no_others() -> None:
    config = parse(
        '<View><Header value="$title"/><HyperText name="h" value="$html"/><Text name="t" value="$a.b"/></View>'
    )
    data = {"a": {"b": "deep"}, "html": "<p>one</p><script>x</script><p>two</p>", "title": "T", "secret": "s"}
    assert [(part.name, part.text) for part in parts_of(config, data)] == [
        ("title", "T"),
        ("html", "one\ntwo"),
        ("a.b", "deep"),
    ]


def test_every_field_is_shown_where_the_config_shows_none() -> None:
    assert [part.name for part in parts_of(parse("<View/>"), {"a": "1", "b": 2, "c": None})] == ["a", "b"]


def test_a_very_long_text_is_cut() -> None:
    config = parse('<View><Text name="t" value="$text"/></View>')
    (part,) = parts_of(config, {"text": "x" * 100_000})
    assert len(part.text) == MAX_TEXT


def test_the_excerpt_is_the_section_that_names_most_of_the_disputed_answers() -> None:
    html = """<h1>Reviews</h1><p>All about positive things.</p>
      <h2>Borderline</h2><p>Preface.</p><p>Mixed reviews are <b>neutral</b>, not positive.</p>
      <h2>Positive</h2><p>Praise.</p>"""
    found = excerpt(html, ["neutral", "positive"])
    assert (found.heading, found.text) == ("Borderline", "Mixed reviews are neutral, not positive.")


def test_no_section_no_excerpt_and_words_count_whole() -> None:
    assert excerpt("", ["a"]) is None
    assert excerpt("<p>The allowance is high.</p>", ["allow"]) is None
    assert excerpt("<p>Anything.</p>", []) is None


@given(st.text(), st.lists(st.text(max_size=5), max_size=3))
def test_an_excerpt_is_short_whatever_the_guidelines_are(html: str, words: list[str]) -> None:
    found = excerpt(html * 20, words)
    assert found is None or len(found.text) <= MAX_EXCERPT + 20


def test_html_becomes_the_text_that_is_read() -> None:
    html = "<style>p{}</style><p>a &lt;b&gt;<br>c</p><ul><li>d</li></ul><script>e</script>"
    assert plain_text(html) == "a <b>\nc\nd"
    assert [section.heading for section in sections("x<h2>One</h2>y<h3>Two</h3>")] == ["", "One", "Two"]
