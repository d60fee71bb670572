"""The answers a reviewer can choose from."""

from __future__ import annotations

import pytest
from unit.analysis.exports import EVERY_KIND, SENTIMENT

from ml_backend.labeling.config import Control, parse
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.review_options import MAX_OPTIONS, OTHER, as_choices, options


def keys(control: Control, *answers: object) -> list[str]:
    return [kind_of(control).key(answer) for answer in answers]


def test_the_labels_come_in_the_configs_order_with_who_voted_for_them() -> None:
    control = parse(SENTIMENT)["sentiment"]
    positive, negative = keys(control, ("positive",), ("negative",))
    found = options(control, {}, {positive: 2, negative: 1}, positive)
    assert [option.label for option in found] == ["negative", "neutral", "positive"]
    assert [option.hint for option in found] == ["1 of 3 annotators", "", "2 of 3 annotators, the model"]
    assert [option.key for option in found][2] == positive


def test_a_label_with_an_alias_says_what_the_source_project_calls_it() -> None:
    xml = """<View><Text name="t" value="$text"/><Taxonomy name="c" toName="t"><Choice value="Brands" alias="ip">
      <Choice value="A replica" alias="ip.fake"/></Choice></Taxonomy></View>"""
    assert [option.hint for option in options(parse(xml)["c"], {}, {}, None)] == ["Brands", "A replica"]


def test_an_answer_of_two_labels_is_offered_where_somebody_gave_it() -> None:
    control = parse(SENTIMENT)["sentiment"]
    (both,) = keys(control, ("negative", "positive"))
    assert options(control, {}, {both: 1}, None)[-1].key == both


@pytest.mark.parametrize("name", ["verdict", "policy", "stars", "price", "why"])
def test_whatever_is_asked_every_given_answer_can_be_chosen(name: str) -> None:
    control = parse(EVERY_KIND)[name]
    (given,) = keys(control, kind_of(control).example(control))
    found = options(control, {}, {given: 1}, None)
    assert given in [option.key for option in found]
    assert len({option.label for option in found}) == len(found)


def test_stars_and_paths_are_listed() -> None:
    config = parse(EVERY_KIND)
    assert [option.label for option in options(config["stars"], {}, {}, None)] == ["1", "2", "3", "4", "5"]
    assert len(options(config["policy"], {}, {}, None)) == 3


def test_labels_that_come_with_the_task_are_offered() -> None:
    xml = '<View><Text name="t" value="$text"/><Choices name="c" toName="t" value="$labels"/></View>'
    data = {"labels": [{"value": "One", "alias": "1"}, {"value": "Two"}, "Three", 4]}
    assert [option.label for option in options(parse(xml)["c"], data, {}, None)] == ["1", "Two", "Three"]


def test_of_a_very_long_list_only_what_somebody_answered_is_offered() -> None:
    labels = "".join(f'<Choice value="l{n}"/>' for n in range(MAX_OPTIONS + 1))
    xml = f'<View><Text name="t" value="$text"/><Choices name="c" toName="t">{labels}</Choices></View>'
    control = parse(xml)["c"]
    one, two = keys(control, ("l3",), ("l7",))
    assert [option.key for option in options(control, {}, {one: 1}, two)] == [one, two]


def test_answers_that_read_the_same_are_told_apart() -> None:
    control = parse(EVERY_KIND)["why"]
    first, second = keys(control, ("x" * 500 + "a",), ("x" * 500 + "b",))
    labels = [option.label for option in options(control, {}, {first: 1, second: 1}, None)]
    assert len(set(labels)) == 2


def test_there_is_always_a_way_out() -> None:
    assert as_choices([]) == [{"value": OTHER}]
