"""Tokens of any language, and spans of characters in them."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.labeling.kinds.spans import Span
from sdk_scripts.training_export.formats._labels import Labels
from sdk_scripts.training_export.formats._losses import Losses
from sdk_scripts.training_export.formats._spans import Placed, apart, in_tokens
from sdk_scripts.training_export.formats._tokens import tokens
from tests.unit.training_export.made_exports import asked, row

anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.text(
    st.sampled_from(" \n\tab1_'é\u0301\u200d\u200b\ufe0f\u20e3东京ไทยวั한나🇩🇪👩👍🏽©\x00\u2028\x85"), max_size=40
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Acme's 3.5kg bag", ["Acme", "'", "s", "3", ".", "5kg", "bag"]),
        ("Zoe\u0308 e\u0301te\u0301", ["Zoe\u0308", "e\u0301te\u0301"]),
        ("東京タワーへ", ["東", "京", "タ", "ワ", "ー", "へ"]),
        ("나는 간다", ["나", "는", "간", "다"]),
        ("วัน", ["วั", "น"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("שָׁלוֹם", ["שָׁלוֹם"]),
        ("👩‍👩‍👧👍🏽🇩🇪🇫🇷1️⃣ok", ["👩‍👩‍👧", "👍🏽", "🇩🇪", "🇫🇷", "1️⃣ok"]),
        ("\ufeffx a\u200bb", ["\ufeff", "x", "a\u200bb"]),
        ("(no)_way", ["(", "no", ")", "_", "way"]),
        (" \t\n", []),
    ],
)
def test_tokens_are_words_characters_where_words_are_not_divided_and_signs(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in tokens(text)] == expected


@given(anything)
def test_every_character_but_blanks_is_in_exactly_one_token(text: str) -> None:
    places = tokens(text)
    assert [place for start, end in places for place in range(start, end)] == [
        place for place, character in enumerate(text) if not character.isspace()
    ]
    assert all(start < end for start, end in places)


@given(anything)
def test_a_combining_mark_stays_with_what_it_marks(text: str) -> None:
    for start, _ in tokens(text):
        assert start == 0 or text[start - 1].isspace() or unicodedata.category(text[start]) not in ("Mn", "Mc", "Me")


def placed(text: str, *spans: Span) -> tuple[list[Placed], dict[str, tuple[int, ...]]]:
    losses = Losses()
    given = row(7, text=text, regions=spans)
    found = in_tokens(Labels(asked("spans", "AB", given)), given, losses)
    return found.spans, dict(losses.all)


@pytest.mark.parametrize(
    ("span", "why"),
    [
        (Span(1, 9, ("A",)), "a span that cuts a token: widened to the whole of it"),
        (Span(0, 11, ("A",)), "a span with blanks at its ends: without them"),
    ],
)
def test_a_span_that_is_not_made_of_whole_tokens_comes_near_and_is_counted(span: Span, why: str) -> None:
    assert placed("Acme shoes and", span) == ([Placed(0, 2, "A")], {why: (7,)})


@pytest.mark.parametrize(
    ("span", "why"),
    [
        (Span(4, 5, ("A",)), "a span of blanks alone: left out"),
        (Span(5, 99, ("A",)), "a span beyond its text: left out"),
        (Span(0, 4, ()), "a span without a label: left out"),
        (Span(0, 4, ("A",), "", "2", "2"), "a span whose place is not in the text: left out"),
    ],
)
def test_a_span_that_no_token_can_hold_is_left_out_and_counted(span: Span, why: str) -> None:
    assert placed("Acme shoes", span) == ([], {why: (7,)})


def test_of_spans_that_overlap_the_longest_stands_then_the_first_then_the_first_label() -> None:
    spans, _ = placed(
        "a b c d e f", Span(0, 1, ("A",)), Span(0, 3, ("B", "A")), Span(2, 5, ("A",)), Span(4, 11, ("A",))
    )
    losses = Losses()
    assert apart(spans, "less", 7, losses) == [Placed(0, 2, "A"), Placed(2, 6, "A")]
    assert losses.all == {"less": (7, 7, 7)}


@given(anything, st.lists(st.tuples(st.integers(0, 45), st.integers(1, 20), st.sampled_from("AB")), max_size=6))
def test_no_span_is_lost_without_a_word(text: str, drawn: list[tuple[int, int, str]]) -> None:
    spans, counted = placed(text, *(Span(start, start + length, (label,)) for start, length, label in drawn))
    left_out = sum(len(tasks) for why, tasks in counted.items() if why.endswith("left out"))
    assert len(spans) + left_out == len(drawn)
    losses = Losses()
    kept = apart(spans, "less", 7, losses)
    assert len(kept) + len(losses.all.get("less", ())) == len(spans)
    assert all(before.end <= after.first for before, after in pairwise(kept))
