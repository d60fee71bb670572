"""What is shown beside a question is near to it, and never itself."""

from __future__ import annotations

from datetime import UTC, datetime

from unit.learning.reviews import SENTIMENT

from ml_backend.cases import Case
from ml_backend.encoder import Encoder
from ml_backend.large_model import Shot
from ml_backend.shots import Labelled, nearest_precedents

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEXTS = ("The kettle boils quickly.", "The soup was cold.", "My kettle is slow to boil.", "Parcels come late here.")


def known(encoder: Encoder) -> Labelled:
    return Labelled.of([Shot(text, {"sentiment": ("positive",)}) for text in TEXTS], encoder)


def test_the_nearest_examples_come_first_and_the_text_itself_never(encoder: Encoder) -> None:
    (found,) = known(encoder).nearest(["the  KETTLE boils quickly."], 3)
    assert found[0].text == TEXTS[2]
    assert len(found) == 3
    assert TEXTS[0] not in [shot.text for shot in found]


def test_where_there_is_too_little_less_is_shown(encoder: Encoder) -> None:
    assert [len(it) for it in known(encoder).nearest([TEXTS[0], "Anything."], 10)] == [3, 4]
    assert known(encoder).nearest([TEXTS[0]], 0) == [[]]
    assert Labelled.of([Shot("", {"a": 1}), Shot("No answer.", {})], encoder).nearest(["x"], 3) == [[]]


def test_a_case_is_shown_once_with_all_its_answers(encoder: Encoder) -> None:
    config = SENTIMENT
    cases = [
        Case(9, 1, {"text": TEXTS[0]}, "sentiment", ("positive",), rationale="Speed is praise."),
        Case(9, 2, {"text": TEXTS[1]}, "sentiment", ("negative",)),
        Case(9, 3, {"text": TEXTS[2]}, "sentiment", ("negative",), expires=datetime(2025, 1, 1, tzinfo=UTC)),
        Case(9, 4, {"text": "Kettle!"}, "sentiment", ("negative",), uses=("gold",)),
    ]
    (found,) = nearest_precedents(cases, config, config.controls, ["A kettle that boils."], encoder, 5, NOW)
    assert [shot.text for shot in found] == [TEXTS[0], TEXTS[1]]
    assert found[0] == Shot(TEXTS[0], {"sentiment": ("positive",)}, "Speed is praise.", precedent=True)
    (own,) = nearest_precedents(cases, config, config.controls, [TEXTS[0]], encoder, 5, NOW)
    assert [shot.text for shot in own] == [TEXTS[1]]
