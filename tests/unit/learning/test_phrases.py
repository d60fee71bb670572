from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.prelabelers._patterns import PATTERNS, matches
from ml_backend.prelabelers._phrase_memory import PhraseMemory
from ml_backend.prelabelers._phrases import PhraseBook, phrase_of
from ml_backend.prelabelers._tokens import tokens


def book(*phrases: str) -> PhraseBook:
    read = [tokens(phrase) for phrase in phrases]
    known = [phrase_of(words, 0, len(words) - 1) for words in read]
    pairs = tuple((together, spaced) for spaced, together in known if together != spaced)
    return PhraseBook(tuple(sorted({spaced for spaced, _ in known})), pairs)


def found(known: PhraseBook, text: str) -> list[str]:
    """What is found of the phrases, as it stands in the text."""
    places = known.places([tokens(text)])
    phrases = places.phrase >= len(PATTERNS)
    starts, ends = places.start[phrases].tolist(), places.end[phrases].tolist()
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


@pytest.mark.parametrize(
    ("phrase", "text", "there"),
    [
        ("Kanabi", "a kanabi, KANABI!", ["kanabi", "KANABI"]),
        ("Kanabi", "the Kanabi's zip", ["Kanabi"]),
        ("Kanabi", "Kanabian, unKanabi", []),
        ("phone", "two phones", ["phones"]),
        ("phones", "one phone", ["phone"]),
        ("battery", "all batteries", ["batteries"]),
        ("watch", "watches", ["watches"]),
        ("glass", "glas", []),
        ("Petrol Blue", "petrol\n  blue and petrol-blue", ["petrol\n  blue", "petrol-blue"]),
        ("Wi-Fi One", "wifi one, wi fi one, Wi‑Fi  One", ["wifi one", "wi fi one", "Wi‑Fi  One"]),
        ("therapist", "the rapist", []),
        ("café", "cafe\u0301 ＣＡＦÉ cafe", ["cafe\u0301", "ＣＡＦÉ"]),
        ("straße", "STRASSE", ["STRASSE"]),
        ("o'neill", "O’Neill", ["O’Neill"]),
        ("中国", "在中国制造", ["中国"]),
        ("ดี", "สินค้าดีมาก", ["ดี"]),
        ("삼성", "삼성은", ["삼성"]),
        ("שלום", "\u202bאמר שלום\u202c", ["שלום"]),
        ("👜", "👜👜", ["👜", "👜"]),
        ("new york", "new york city and New  York", ["new york", "New  York"]),
    ],
)
def test_a_phrase_is_found_however_it_is_written_and_not_within_other_words(
    phrase: str, text: str, there: list[str]
) -> None:
    assert found(book(phrase), text) == there


@settings(deadline=None)
@given(st.text(max_size=60))
def test_tokens_leave_out_blanks_only_and_do_not_overlap(text: str) -> None:
    words = tokens(text)
    places = list(zip(words.starts, words.ends, strict=True))
    assert all(start < end for start, end in places)
    assert all(before <= start for (_, before), (start, _) in itertools.pairwise(places))
    covered = {i for start, end in places for i in range(start, end)}
    assert all(sign.isspace() for i, sign in enumerate(text) if i not in covered)
    assert all(key and not any(map(str.isspace, key)) for key in words.keys)


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=12).filter(str.strip), min_size=1, max_size=5), st.text(max_size=20))
def test_a_phrase_between_blanks_is_found_wherever_it_stands(phrases: list[str], before: str) -> None:
    text = f"{before} {phrases[0].strip()} {before}"
    assert phrases[0].strip() in found(book(*phrases), text)


@pytest.mark.parametrize(
    ("text", "name", "there"),
    [
        ("mail me at a.b+c@mail.example.org.", "email", "a.b+c@mail.example.org"),
        ("see https://example.org/a?b=c), or", "url", "https://example.org/a?b=c"),
        ("at shop-24.com now", "url", "shop-24.com"),
        ("call +49 (30) 123-45 67 today", "phone", "+49 (30) 123-45 67"),
        ("for $1,299.00 only", "price", "$1,299.00"),
        ("costs 12 euros", "price", "12 euros"),
        ("a 2.5 kg bag", "measure", "2.5 kg"),
        ("on 24/12/2025.", "date", "24/12/2025"),
        ("@some_one said", "mention", "@some_one"),
        ("#sale now", "hashtag", "#sale"),
        ("order AB-1234-X", "code", "AB-1234-X"),
    ],
)
def test_forms_are_found_whole(text: str, name: str, there: str) -> None:
    assert there in [text[start:end] for found, start, end in matches(text) if found == name]


def memory(known: PhraseBook, texts: list[str], marked: list[set[tuple[int, int]]]) -> PhraseMemory:
    places = known.places([tokens(text) for text in texts])
    columns = zip(places.text.tolist(), places.start.tolist(), places.end.tolist(), strict=True)
    marks = np.array([[(start, end) in marked[text]] for text, start, end in columns])
    return PhraseMemory.fit(places, marks, np.ones(len(places)), len(known))


def likely(known: PhraseBook, learned: PhraseMemory, text: str) -> float:
    places = known.places([tokens(text)])
    return float(learned.probabilities(places)[places.phrase >= len(PATTERNS)].max())


def test_a_phrase_is_as_likely_as_it_was_marked() -> None:
    known = book("apple", "pear")
    texts = ["an apple"] * 20 + ["a pear"] * 20
    learned = memory(known, texts, [{(3, 8)}] * 20 + [{(2, 6)}] * 5 + [set()] * 15)
    assert likely(known, learned, "apple") > 0.9
    assert 0.15 < likely(known, learned, "pear") < 0.4


def test_case_matters_where_people_make_it_matter() -> None:
    known = book("apple", "kanabi")
    texts = ["Apple"] * 10 + ["apple"] * 10 + ["Kanabi"] * 10 + ["kanabi"] * 10
    strict = memory(known, texts, [{(0, 5)}] * 10 + [set()] * 10 + [{(0, 6)}] * 10 + [set()] * 10)
    loose = memory(known, texts, [{(0, 5)}] * 20 + [{(0, 6)}] * 20)
    assert likely(known, strict, "Apple") > 0.7 > 0.3 > likely(known, strict, "apple")
    assert likely(known, loose, "KANABI") > 0.8
    assert likely(known, strict, "KANABI") < 0.5


def test_a_phrase_seen_once_is_worth_what_phrases_seen_again_turned_out_to_be() -> None:
    known = book("apple", "pear", "plum")
    texts = ["apple"] * 10 + ["pear"] * 10 + ["plum"]
    kept = memory(known, texts, [{(0, 5)}] * 10 + [{(0, 4)}] * 11)
    dropped = memory(known, texts, [{(0, 5)}] * 2 + [set()] * 8 + [{(0, 4)}] * 2 + [set()] * 8 + [{(0, 4)}])
    assert likely(known, kept, "plum") > 0.7
    assert likely(known, dropped, "plum") < 0.4
