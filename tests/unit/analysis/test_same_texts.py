"""Same and nearly same texts: what is joined, how alike it is, in any order."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdk_scripts.same_texts import RUN, same_texts

WORDS = ("quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "near", "river", "banks", "cats", "sleep", "trees")


def listing(draw: random.Random, words: int = 40) -> str:
    return " ".join(draw.choice(WORDS) + str(draw.randrange(30)) for _ in range(words))


@pytest.mark.parametrize(
    ("one", "other"),
    [("Hello there", "hello  THERE"), ("Good!", "good"), ("ｇｏｏｄ stuff", "good stuff"), ("«Straße»", "STRASSE")],
)
def test_texts_that_differ_in_case_blanks_and_edges_are_the_same(one: str, other: str) -> None:
    group, likeness = same_texts([one, "another", other])
    assert group.tolist() == [0, 1, 0]
    assert likeness.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("one", "other"), [("good", "bad"), ("👍", "👎"), ("", ""), ("C++ job", "C# job"), ("5 kg", "50 kg")]
)
def test_other_texts_are_not_and_empty_ones_are_like_none(one: str, other: str) -> None:
    assert same_texts([one, other])[0].tolist() == [0, 1]


def test_nearly_equal_texts_are_found_among_many_with_their_likeness() -> None:
    draw = random.Random(0)
    texts = [listing(draw) for _ in range(2_000)]
    copies = [text.replace(" ", " so ", 1) for text in texts[:200]]
    group, likeness = same_texts(texts + copies)
    joined = [group[n] == group[2_000 + n] for n in range(200)]
    assert sum(joined) >= 198
    assert len(set(group.tolist())) >= 1_995
    alike = [_jaccard(texts[n], copies[n]) for n in range(200) if joined[n]]
    found = [likeness[n] for n in range(200) if joined[n]]
    assert sum(map(abs, (a - b for a, b in zip(alike, found, strict=True)))) / len(found) < 0.05


def _jaccard(one: str, other: str) -> float:
    a, b = ({f"  {text}  "[i : i + RUN] for i in range(len(text) + 4 - RUN + 1)} for text in (one, other))
    return len(a & b) / len(a | b)


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text(max_size=12), max_size=12))
def test_any_texts_get_groups_that_are_numbered_by_their_first(texts: list[str]) -> None:
    group, likeness = same_texts(texts)
    assert all(group[number] == number for number in group)
    assert all(number <= place for place, number in enumerate(group))
    assert ((likeness >= 0.8) & (likeness <= 1)).all()
    for place, text in enumerate(texts):
        if text.strip():
            assert group[place] == group[texts.index(text)]
