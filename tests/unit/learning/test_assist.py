"""Other mentions of what somebody marked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.assist import MOST, asked, others
from ml_backend.labeling.answers import answers
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.kinds.spans import Span
from ml_backend.prelabelers import Opinion
from tests.unit.learning.marked import LISTINGS

SMART = parse(LISTINGS.xml.replace("<Labels", '<Labels smart="true"'))


def region(text: str, words: str, label: str = "Brand", nth: int = 0, **fields: Any) -> dict[str, Any]:
    """The nth time that the words stand in the text, marked."""
    start = -1
    for _ in range(nth + 1):
        start = text.index(words, start + 1)
    value = {"start": start, "end": start + len(words), "text": words, "labels": [label]}
    return {"id": f"r{start}", "from_name": "marks", "to_name": "text", "type": "labels", "value": value, **fields}


def marked(text: str, *regions: dict[str, Any], config: LabelConfig = LISTINGS, **given: Any) -> list[str]:
    """The words of what is added."""
    opinions = given.pop("opinions", None)
    made = others(config, {"id": 1, "data": {"text": text}, **given}, {"result": list(regions)}, opinions)
    for it in made:
        assert text[it["value"]["start"] : it["value"]["end"]] == it["value"]["text"]
    return [it["value"]["text"] for it in made]


@pytest.mark.parametrize(
    ("text", "words", "added"),
    [
        ("A Kanabi, no KANABI is a kanabi.", "Kanabi", ["KANABI", "kanabi"]),
        ("Lumidor Lumidors Lumidor's Lumidor’s", "Lumidor", ["Lumidors", "Lumidor", "Lumidor"]),
        ("Lumidors and a Lumidor", "Lumidors", ["Lumidor"]),
        ("Kanabi Kanabian MyKanabi", "Kanabi", []),
        ("Petrol Blue, petrol\n\t blue, petrol green", "Petrol Blue", ["petrol\n\t blue"]),
        ("The Wi-Fi and the wi-fi", "Wi-Fi", ["wi-fi"]),
        ("Straße, STRASSE", "Straße", ["STRASSE"]),
        ("👜 Óbidos 👜 óbidos", "Óbidos", ["óbidos"]),
        ("e\u0301cole, \u00e9cole", "e\u0301cole", ["\u00e9cole"]),
        ("我买了华为手机，华为很好", "华为", ["华为"]),
        ("$5 here, $5.99 there, $5. And $15, 1.5 or 5%", "$5", ["$5"]),
        ("5 and 5,5 and 5", "5", ["5"]),
        ("a - b - c", "-", []),
        ("so so so", "so", ["so", "so"]),
    ],
)
def test_whole_words_are_found_however_they_are_written(text: str, words: str, added: list[str]) -> None:
    assert marked(text, region(text, words)) == added


def test_only_the_newest_span_is_looked_for_and_nothing_marked_comes_twice() -> None:
    text = "Kanabi, Zorvex, Kanabi, Zorvex, Kanabi"
    in_sight = [region(text, "Kanabi"), region(text, "Zorvex", nth=1), region(text, "Kanabi", nth=1)]
    assert marked(text, *in_sight) == ["Kanabi"]
    assert marked(text, *in_sight[:2]) == ["Zorvex"]  # the other Kanabi was deleted: it stays so
    assert marked(text, region(text, "Zorvex, Kanabi"), region(text, "Kanabi")) == ["Kanabi"]  # one is in a longer span


def test_what_is_marked_with_another_label_can_be_marked_with_this_one() -> None:
    text = "Kanabi, Kanabi"
    in_sight = [region(text, "Kanabi", "Price", nth=1), region(text, "Kanabi")]
    assert marked(text, *in_sight) == ["Kanabi"]


def test_the_same_place_always_has_the_same_id() -> None:
    text = "Kanabi, Kanabi, Kanabi"
    task = {"id": 1, "data": {"text": text}}
    first, second = (
        {it["value"]["start"]: it["id"] for it in others(LISTINGS, task, {"result": [region(text, "Kanabi", nth=nth)]})}
        for nth in (0, 1)
    )
    assert first[16] == second[16]
    assert len({*first.values(), *second.values()}) == 3


def test_they_are_answers_that_the_control_can_hold() -> None:
    text = "👜 Kanabi, Kanabi"
    made = others(LISTINGS, {"id": 1, "data": {"text": text}}, {"result": [region(text, "Kanabi")]})
    assert answers(LISTINGS, made) == {"marks": (Span(10, 16, ("Brand",)),)}


def test_a_heads_spans_of_the_label_are_added_unless_somebody_saw_them() -> None:
    text = "Kanabi and Zorvex for $5, Miraso"
    spans = [(0, 6, "Brand"), (11, 17, "Brand"), (22, 24, "Price"), (26, 32, "Brand"), (40, 44, "Brand")]
    opinion = {"marks": Opinion(tuple(Span(a, b, (label,)) for a, b, label in spans), 0.9)}
    assert marked(text, region(text, "Kanabi"), opinions=opinion) == ["Zorvex", "Miraso"]
    shown = [{"result": [region(text, "Zorvex")], "model_version": "m"}]  # and was deleted, as it is not in sight
    assert marked(text, region(text, "Kanabi"), opinions=opinion, predictions=shown) == ["Miraso"]


def test_there_is_an_end_to_it() -> None:
    text = "so " * 500
    assert len(marked(text, region(text, "so"))) == MOST
    whole = "a long sentence that nobody repeats word by word as it is by far too long, and then it is repeated. " * 2
    assert marked(whole, region(whole, whole[: len(whole) // 2].strip())) == []


WORDS = st.text(max_size=5)
ANYTHING = st.recursive(
    st.none() | st.integers() | WORDS, lambda it: st.lists(it) | st.dictionaries(WORDS, it), max_leaves=5
)
REGION = st.fixed_dictionaries({"from_name": st.sampled_from(["marks", "x"]), "value": ANYTHING})


@given(result=st.lists(REGION | ANYTHING, max_size=3) | ANYTHING)
def test_odd_contexts_add_nothing(result: Any) -> None:
    assert others(LISTINGS, {"id": 1, "data": {"text": "Kanabi Kanabi"}}, {"result": result}) == []


@pytest.mark.parametrize("text", ["Kanabi\0 Kanabi", "Kanabi \ud800 Kanabi", None, ["Kanabi", "Kanabi"]])
def test_texts_whose_characters_cannot_be_counted_are_left_alone(text: Any) -> None:
    task = {"id": 1, "data": {"text": text}}
    assert others(LISTINGS, task, {"result": [region("Kanabi", "Kanabi")]}) == []


def test_explanations_have_no_others() -> None:
    config = parse(LISTINGS.xml.replace("<Labels", '<Labels tiebreak="explanation"'))
    assert marked("Kanabi Kanabi", region("Kanabi", "Kanabi"), config=config) == []


def test_spans_in_sight_ask_for_it_and_their_end_where_the_control_is_smart() -> None:
    text = "Kanabi"
    assert asked(LISTINGS, {"result": [region(text, text)]})
    assert asked(SMART, {"result": []})
    for config, result in ((LISTINGS, []), (SMART, [{"from_name": "other"}])):
        assert not asked(config, {"result": result})
