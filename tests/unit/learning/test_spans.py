from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_backend.encoder import Encoder
from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.kinds import KINDS
from ml_backend.labeling.kinds.spans import Span
from ml_backend.prelabelers import Inputs, Learned, Opinion, Reading, State, learners, signature
from ml_backend.prelabelers.spans import Spans, SpansHead
from tests.unit.learning.marked import BRANDS, LISTINGS, examples, listings, readings

CONTROL = LISTINGS.controls[0]
Row = tuple[str, tuple[Span, ...]]


def learn(rows: list[Row], weights: list[float] | None = None) -> Learned:
    return Spans().learn(LISTINGS, CONTROL, examples(rows, NO_ENCODER, weights or []))


class _NoEncoder:
    """Spans are read without vectors."""

    id = "none"
    dimension = 0

    def encode(self, texts: object) -> np.ndarray:
        raise AssertionError("nobody asks for vectors")


NO_ENCODER: Encoder = _NoEncoder()


def opinions(head: object, *texts: str) -> list[Opinion | None]:
    assert isinstance(head, SpansHead)
    return list(head.opinions(Inputs(readings(*texts), NO_ENCODER)))


def found(head: object, *texts: str) -> list[list[tuple[str, str]] | None]:
    return [
        opinion and [("+".join(span.labels), text[span.start : span.end]) for span in opinion.answer]  # type: ignore[attr-defined]
        for text, opinion in zip(texts, opinions(head, *texts), strict=True)
    ]


@pytest.fixture(scope="module")
def learned() -> Learned:
    return learn(listings(80))


def test_what_was_marked_is_found_again(learned: Learned) -> None:
    new = [row for row in listings(150, seed=5) if row not in listings(80)]
    right = [
        opinion is not None and opinion.answer == answer
        for opinion, (_, answer) in zip(opinions(learned.head, *(text for text, _ in new)), new, strict=True)
    ]
    assert np.mean(right) > 0.9
    assert learned.metrics["span_f1"] > 0.9
    assert learned.metrics["accuracy"] > 0.85
    assert set(learned.metrics["spans"]) == {"Brand", "Price", "Contact"}
    assert json.dumps(learned.metrics, allow_nan=False)


def test_names_prices_and_contacts_nobody_marked_before_are_found_by_what_is_around_them(learned: Learned) -> None:
    text = "Selling my Vekturo for $12345, call vera@post.example."
    assert found(learned.head, text) == [[("Brand", "Vekturo"), ("Price", "$12345"), ("Contact", "vera@post.example")]]


def test_where_nothing_is_found_there_is_no_opinion(learned: Learned) -> None:
    assert found(learned.head, "The weather is nice today.", "", "   ", "On a sunday in May it rained.") == [None] * 4


def test_marks_at_random_are_not_learned() -> None:
    source = random.Random(0)
    rows: list[Row] = []
    for number in range(60):
        words = [f"word{source.randint(0, 40)}" for _ in range(12)]
        at = source.randrange(12)
        start = len(" ".join(words[:at])) + (at > 0)
        rows.append((f"{' '.join(words)} {number}", (Span(start, start + len(words[at]), ("Brand",)),)))
    learned = learn(rows)
    assert learned.metrics["span_f1"] < 0.3
    assert np.mean([opinion.confidence for opinion in learned.opinions if opinion] or [0]) < 0.4


def test_the_order_of_examples_does_not_matter() -> None:
    rows = listings(40)
    weights = [0.5 + (i % 3) / 4 for i in range(len(rows))]
    forward, backward = learn(rows, weights), learn(rows[::-1], weights[::-1])
    assert forward.head.state().fields == backward.head.state().fields
    for name, array in forward.head.state().arrays.items():
        np.testing.assert_array_equal(array, backward.head.state().arrays[name])
    assert list(forward.opinions) == list(backward.opinions)[::-1]


@pytest.mark.parametrize("count", [12, 80])  # without a tagger, and with one
def test_a_stored_head_answers_as_the_learned_one(count: int) -> None:
    head = learn(listings(count)).head
    state = head.state()
    again = Spans().load(CONTROL, State(json.loads(json.dumps(state.fields)), state.arrays))
    texts = [*(text for text, _ in listings(30, seed=9)), "", "Nothing."]
    assert opinions(again, *texts) == opinions(head, *texts)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from((*BRANDS, "$12", "a@b.example", "👜", "e\u0301", "\u202e", "\0", "\ud800", "ไทย", "-"))
        | st.text(max_size=8),
        max_size=12,
    )
)
def test_spans_lie_in_the_text_and_can_be_written(learned: Learned, parts: list[str]) -> None:
    text = " ".join(parts)
    (opinion,) = opinions(learned.head, text)
    if opinion is None:
        return
    spans = opinion.answer
    assert isinstance(spans, tuple)
    assert spans
    assert all(0 <= span.start < span.end <= len(text) and text[span.start : span.end] == span.text for span in spans)
    assert 0 <= opinion.confidence <= 1
    kind = KINDS["spans"]
    assert kind.read(CONTROL, kind.write(CONTROL, spans)) == spans
    assert kind.from_key(kind.key(spans)) == spans


@pytest.mark.parametrize(
    "text",
    [
        "a" * 20_000,
        "1." * 10_000,
        "a@" * 10_000,
        "http://" * 3_000,
        "(1" * 10_000,
        "👨\u200d👩\u200d👧\u200d👦" * 2_000,
        "e" + "\u0301" * 20_000,
        "\0" * 100 + "Kanabi",
        "\ud800 Kanabi",
        "\u202eKanabi" * 500,
        "A-" * 10_000,
        "Kanabi" * 3_000,
        "-" * 20_000,
    ],
    ids=range(13),
)
def test_hostile_texts_do_no_harm(learned: Learned, text: str) -> None:
    for opinion in opinions(learned.head, text):
        assert opinion is None or 0 <= opinion.confidence <= 1


def test_only_what_a_screen_counts_alike_is_answered(learned: Learned) -> None:
    there = "Selling my Kanabi for $12, call +49 30 5512311."
    assert found(learned.head, f"\0{there}", f"\ud800{there}") == [None, None]
    assert found(learned.head, f"👜\r\n{there}") == [
        [("Brand", "Kanabi"), ("Price", "$12"), ("Contact", "+49 30 5512311")]
    ]


def test_labels_and_places_that_no_longer_are_there_are_left_out() -> None:
    gone: list[Row] = [(f"Some text {i}.", (Span(0, 4, ("Gone",)),)) for i in range(5)]
    outside: list[Row] = [(f"Short {i}.", (Span(0, 90, ("Brand",)),)) for i in range(5)]
    learned = learn([*gone, *outside, *listings(30)])
    assert learned.metrics["labels"] == 30
    assert list(learned.opinions[:10]) == [None] * 10


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (listings(9), "9 different texts"),
        ([("Always Kanabi.", (Span(7, 13, ("Brand",)),))] * 20, "1 different texts"),
        ([(f"No such label {i}", (Span(0, 2, ("Gone",)),)) for i in range(20)], "0 different texts"),
        ([], "0 different texts"),
    ],
)
def test_too_little_to_learn_from_is_said_with_numbers(rows: list[Row], said: str) -> None:
    with pytest.raises(NotEnoughLabels, match=said):
        learn(rows)


def test_labels_may_share_words_where_people_let_them() -> None:
    rows: list[Row] = []
    for i, brand in enumerate(BRANDS * 3):
        text = f"{i}: the {brand} costs ${i + 10} there"
        start = text.index(brand)
        whole = Span(start, text.index(" there"), ("Price",))
        rows.append((text, (Span(start, start + len(brand), ("Brand",)), whole)))
    apart = [(text, spans[:1]) for text, spans in rows]
    text = f"77: the {BRANDS[0]} costs $45 there"
    both = learn(rows).head
    assert found(both, text) == [[("Brand", BRANDS[0]), ("Price", f"{BRANDS[0]} costs $45")]]
    assert found(learn(apart).head, text) == [[("Brand", BRANDS[0])]]


def test_a_stretch_with_two_labels_is_one_span() -> None:
    rows: list[Row] = [
        (
            f"{i} items of {brand} here",
            (Span(len(f"{i} items of "), len(f"{i} items of {brand}"), ("Brand", "Contact")),),
        )
        for i, brand in enumerate(BRANDS * 3)
    ]
    assert found(learn(rows).head, f"many items of {BRANDS[0]} here") == [[("Brand+Contact", BRANDS[0])]]


def test_confidence_is_that_of_all_spans_being_right() -> None:
    source = random.Random(3)

    def careless(rows: list[Row]) -> list[Row]:
        kept = [(text, tuple(it for it in spans if source.random() < 0.8)) for text, spans in rows]
        return [(text, spans) for text, spans in kept if spans]

    learned = learn(careless(listings(200, seed=1)))
    new = careless(listings(300, seed=2))
    said = opinions(learned.head, *(text for text, _ in new))
    sure = np.array([opinion.confidence if opinion else 0.0 for opinion in said])
    right = np.array(
        [bool(opinion and opinion.answer == answer) for opinion, (_, answer) in zip(said, new, strict=True)]
    )
    assert 0.3 < right.mean() < 0.9
    assert abs(sure.mean() - right.mean()) < 0.1
    assert sure[right].mean() > sure[~right].mean()


@pytest.mark.parametrize(
    "asked",
    [
        '<HyperText name="o" value="$o"/><HyperTextLabels name="c" toName="o"><Label value="A"/></HyperTextLabels>',
        '<HyperText name="o" value="$o"/><Labels name="c" toName="o"><Label value="A"/></Labels>',
        '<Paragraphs name="o" value="$o"/><ParagraphLabels name="c" toName="o"><Label value="A"/></ParagraphLabels>',
        '<Audio name="o" value="$o"/><Labels name="c" toName="o"><Label value="A"/></Labels>',
        '<Text name="o" value="$o"/><Labels name="c" toName="o" value="$offered"/>',
    ],
)
def test_what_offsets_or_labels_are_not_known_for_is_left_alone(asked: str) -> None:
    config = parse(f"<View>{asked}</View>")
    assert learners(config, config.controls[0]) == []


def test_a_head_no_longer_fits_once_its_labels_or_its_text_are_others() -> None:
    others = [
        LISTINGS.xml.replace('<Label value="Price"/>', ""),
        LISTINGS.xml.replace("$text", "$title"),
        LISTINGS.xml.replace("<Text", "<HyperText"),
    ]
    known = signature(LISTINGS, CONTROL)
    assert all(signature(other, other.controls[0]) != known for other in map(parse, others))
    assert signature(parse(LISTINGS.xml.replace('"Price"', '"Price" hotkey="p"')), CONTROL) == known


def test_a_reading_without_parts_has_no_opinion(learned: Learned) -> None:
    assert isinstance(learned.head, SpansHead)
    assert learned.head.opinions(Inputs([Reading("Kanabi"), Reading()], NO_ENCODER)) == [None, None]


def test_spans_within_words_are_no_phrases_and_do_no_harm() -> None:
    rows: list[Row] = [(f"abcdefgh{'xyz' * i} only", (Span(1, 3, ("Brand",)),)) for i in range(25)]
    learned = learn(rows)
    assert learned.metrics["labels"] == 25
    assert found(learned.head, "Nothing of the sort.") == [None]
