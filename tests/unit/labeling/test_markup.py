"""The words of HTML, and that no HTML takes long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.labeling.markup import words

PAGES = [
    ("<p>Hi &amp; <b>you</b></p>x", "Hi & you x"),
    ("a &lt;b&gt; c", "a <b> c"),
    ("3 < 4 > 2", "3 < 4 > 2"),
    ("<!DOCTYPE html><html><!-- <p>no</p> -->yes", "yes"),
    ("<style>p {}</style ><SCRIPT>if (a<b) {}</script>z", "z"),
    ("<a title='1 > 2' b=\"x > y\">q</a>", "q"),
    ("<br/>a<br>\n b", "a b"),
    ("<?php echo 1 ?>w", "w"),
    ("left <b", "left"),
    ("no <!-- end", "no"),
    ("<a '>t <b>u</b>", "t u"),
    ("", ""),
]


@pytest.mark.parametrize(("html", "seen"), PAGES)
def test_a_page_is_what_a_reader_sees_of_it(html: str, seen: str) -> None:
    assert words(html) == seen


@given(st.text())
def test_text_without_markup_stays_but_for_its_spaces(text: str) -> None:
    plain = text.replace("<", "").replace("&", "")
    assert words(plain) == " ".join(plain.split())


@given(st.text(st.sampled_from("<>!-/'\"ab &;?[")))
def test_whatever_comes_is_read(html: str) -> None:
    assert len(words(html)) <= 3 * len(html)


ENDLESS = ["<!--", "<![", "<a ", "<", "&", "<script>", '<a b="', "<?", "</a ", "<!a", "<a '>", "<a b=\"'>", "<!-->"]


@pytest.mark.parametrize("bit", ENDLESS)
def test_what_holds_a_parser_up_for_minutes_does_not_hold_this_one(bit: str) -> None:
    """200 KB; with quadratic time the test would run into the suite's time limit."""
    assert isinstance(words(bit * (200_000 // len(bit)) + "'\">"), str)
