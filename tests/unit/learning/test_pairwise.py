from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_backend.encoder import Encoder
from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.prelabelers import Inputs, Learned, Opinion, Reading, State, learners, signature
from ml_backend.prelabelers.pairwise import Pairwise, PairwiseHead
from tests.unit.learning.marked import COMPARISONS, comparisons, examples, readings

CONTROL = COMPARISONS.controls[0]
OTHER = {"left": "right", "right": "left", "tie": "tie"}
Row = tuple[tuple[str, str], str]


def learn(encoder: Encoder, rows: list[Row]) -> Learned:
    return Pairwise().learn(COMPARISONS, CONTROL, examples(rows, encoder))


def opinions(head: object, encoder: Encoder, *pairs: tuple[str, ...]) -> list[Opinion | None]:
    assert isinstance(head, PairwiseHead)
    return list(head.opinions(Inputs(readings(*pairs), encoder)))


def accuracy(head: object, encoder: Encoder, rows: list[Row]) -> float:
    said = opinions(head, encoder, *(pair for pair, _ in rows))
    return float(np.mean([it is not None and it.answer == side for it, (_, side) in zip(said, rows, strict=True)]))


@pytest.fixture(scope="module")
def learned(encoder: Encoder) -> Learned:
    return learn(encoder, comparisons(40))


def test_the_better_text_is_found_on_either_side(encoder: Encoder, learned: Learned) -> None:
    assert accuracy(learned.head, encoder, comparisons(40, seed=3)) > 0.9
    assert learned.metrics["accuracy"] > 0.9
    assert set(learned.metrics["classes"]) == {"left", "right"}
    assert json.dumps(learned.metrics, allow_nan=False)


WORDS = st.sampled_from(
    ("I love it", "broken", "waste", "great", "👜", "\0", "\ud800", "ไทย", "?", "\n", "1")
) | st.text(max_size=5)
TEXTS = st.lists(WORDS, max_size=6).map(" ".join)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS, TEXTS)
def test_swapping_the_sides_swaps_the_answer(encoder: Encoder, learned: Learned, left: str, right: str) -> None:
    one, other = opinions(learned.head, encoder, (left, right), (right, left))
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert one.confidence == pytest.approx(other.confidence, abs=1e-5)
        assert one.probabilities["left"] == pytest.approx(other.probabilities["right"], abs=1e-5)
        assert sum(one.probabilities.values()) == pytest.approx(1)
        if one.confidence > 0.5 + 1e-5:
            assert one.answer == OTHER[str(other.answer)]


def test_a_habit_of_picking_the_left_one_is_not_learned(encoder: Encoder) -> None:
    rows = [(pair, "left") for pair, _ in comparisons(60)]
    learned = learn(encoder, rows)
    said = opinions(learned.head, encoder, *(pair for pair, _ in comparisons(60, seed=8)))
    assert 0.25 < np.mean([it is not None and it.answer == "left" for it in said]) < 0.75
    assert np.mean([it.confidence for it in said if it]) < 0.75


def test_learning_from_swapped_pairs_gives_the_same_head(encoder: Encoder, learned: Learned) -> None:
    swapped = learn(encoder, [((right, left), OTHER[side]) for (left, right), side in comparisons(40)])
    for name, array in learned.head.state().arrays.items():
        np.testing.assert_allclose(array, swapped.head.state().arrays[name], atol=1e-3)


def test_the_order_of_examples_does_not_matter(encoder: Encoder, learned: Learned) -> None:
    backward = learn(encoder, comparisons(40)[::-1])
    for name, array in learned.head.state().arrays.items():
        np.testing.assert_array_equal(array, backward.head.state().arrays[name])
    assert list(learned.opinions) == list(backward.opinions)[::-1]


def test_a_stored_head_answers_as_the_learned_one(encoder: Encoder, learned: Learned) -> None:
    state = learned.head.state()
    again = Pairwise().load(CONTROL, State(json.loads(json.dumps(state.fields)), state.arrays))
    pairs = [*(pair for pair, _ in comparisons(10, seed=5)), ("", "Alone.")]
    assert opinions(again, encoder, *pairs) == opinions(learned.head, encoder, *pairs)


def test_without_two_texts_there_is_no_opinion(encoder: Encoder, learned: Learned) -> None:
    assert isinstance(learned.head, PairwiseHead)
    inputs = Inputs([Reading("a", ("a", " \n")), Reading("b", ("", "b")), Reading("c"), Reading("d", ("d",))], encoder)
    assert learned.head.opinions(inputs) == [None] * 4


def test_the_same_text_twice_is_a_toss_up_with_an_answer(encoder: Encoder, learned: Learned) -> None:
    (opinion,) = opinions(learned.head, encoder, ("I love it.", "I love it."))
    assert opinion is not None
    assert opinion.confidence == pytest.approx(0.5, abs=1e-4)
    assert opinion.doubt is not None
    assert opinion.doubt.margin == pytest.approx(1, abs=1e-3)


def test_ties_lower_the_confidence_and_are_never_answered(encoder: Encoder, learned: Learned) -> None:
    rows: list[Row] = [*comparisons(40), *((pair, "tie") for pair, _ in comparisons(20, seed=6))]
    tied = learn(encoder, rows)
    pairs = [pair for pair, _ in comparisons(20, seed=7)]
    before, after = opinions(learned.head, encoder, *pairs), opinions(tied.head, encoder, *pairs)
    assert {it.answer for it in after if it} == {"left", "right"}
    assert np.mean([it.confidence for it in after if it]) < np.mean([it.confidence for it in before if it]) - 0.2


def test_sides_at_random_are_not_learned(encoder: Encoder) -> None:
    source = np.random.default_rng(0)
    rows: list[Row] = [(pair, ("left", "right")[source.integers(2)]) for pair, _ in comparisons(80)]
    learned = learn(encoder, rows)
    assert 0.3 < learned.metrics["accuracy"] < 0.7
    assert np.mean([it.confidence for it in learned.opinions if it]) < 0.7


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (comparisons(9), "9 different pairs"),
        ([(("a", "b"), "left"), (("b", "a"), "right")] * 10, "1 different pairs"),
        ([(pair, "tie") for pair, _ in comparisons(20)], "0 of them decided"),
        ([], "0 different pairs"),
    ],
)
def test_too_little_to_learn_from_is_said_with_numbers(encoder: Encoder, rows: list[Row], said: str) -> None:
    with pytest.raises(NotEnoughLabels, match=said):
        learn(encoder, rows)


def test_only_two_texts_are_compared() -> None:
    images = parse(
        '<View><Image name="a" value="$a"/><Image name="b" value="$b"/><Text name="t" value="$t"/>'
        '<Pairwise name="c" toName="a,b"/></View>'
    )
    assert learners(images, images.controls[0]) == []
    assert [it.name for it in learners(COMPARISONS, CONTROL)] == ["pairwise"]


def test_a_head_no_longer_fits_once_other_texts_are_compared() -> None:
    swapped = parse(COMPARISONS.xml.replace('"a,b"', '"b,a"'))
    assert signature(swapped, swapped.controls[0]) != signature(COMPARISONS, CONTROL)
