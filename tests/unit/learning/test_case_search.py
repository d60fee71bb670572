"""Settled cases found by meaning."""

from __future__ import annotations

from datetime import UTC, datetime

from ml_backend.case_search import nearest, prompt_precedents
from ml_backend.cases import Case
from ml_backend.encoder import Encoder
from tests.unit.learning.reviews import SENTIMENT

NOW = datetime(2026, 11, 24, tzinfo=UTC)
TEXTS = ("The blender smokes.", "Lovely colours.", "The parcel came a week late.", "")


def cases(**fields: object) -> list[Case]:
    return [
        Case(9, id, {"text": text}, "sentiment", ("negative",), **fields)  # type: ignore[arg-type]
        for id, text in enumerate(TEXTS)
    ]


def test_cases_are_found_by_meaning_rather_than_words(encoder: Encoder) -> None:
    asked = ("It caught fire in the kitchen", "Shipping took far too long", "What a beautiful shade of blue")
    found = nearest(cases(), SENTIMENT, asked, encoder, 2)
    assert [row[0].case.task for row in found] == [0, 2, 1]
    assert all(row[0].similarity > row[1].similarity for row in found)
    assert found[0][0].text == TEXTS[0]


def test_a_case_with_nothing_to_read_is_never_found(encoder: Encoder) -> None:
    (found,) = nearest(cases(), SENTIMENT, [""], encoder, 9)
    assert len(found) == 3
    assert nearest([], SENTIMENT, ["a"], encoder, 3) == [[]]
    assert nearest(cases(), SENTIMENT, [], encoder, 3) == []


def test_a_rationale_is_searched_where_it_is_asked_for(encoder: Encoder) -> None:
    known = [*cases(), Case(9, 7, {"text": "Hm."}, "sentiment", ("negative",), rationale="Sarcasm counts as blame.")]
    (found,) = nearest(known, SENTIMENT, ["sarcasm"], encoder, 1, rationales=True)
    assert found[0].case.task == 7


def test_a_prompt_shows_no_case_that_is_stale_expired_or_for_something_else(encoder: Encoder) -> None:
    past = datetime(2026, 1, 1, tzinfo=UTC)
    for unfit in ({"stale": True}, {"expires": past}, {"uses": ("gold", "regression")}):
        assert prompt_precedents(cases(**unfit), SENTIMENT, "sentiment", ["smoke"], encoder, 3, NOW) == [[]]
    (found,) = prompt_precedents(cases(), SENTIMENT, "sentiment", ["smoke"], encoder, 1, NOW)
    assert found[0].case.task == 0
    assert prompt_precedents(cases(), SENTIMENT, "other", ["smoke"], encoder, 1, NOW) == [[]]
