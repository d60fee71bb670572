"""Rules of content: what contradicts itself, does not fit the config, lacks a reason, or marks nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import Observation
from tests.unit.rules.test_every_rule import observations

LISTINGS = """<View>
  <Text name="text" value="$text"/>
  <Choices name="verdict" toName="text">
    <Choice value="Allow" alias="allow"/><Choice value="Reject" alias="reject"/>
  </Choices>
  <View visibleWhen="choice-selected" whenTagName="verdict" whenChoiceValue="reject">
    <Choices name="severity" toName="text"><Choice value="low"/><Choice value="critical"/></Choices>
    <Taxonomy name="policy" toName="text">
      <Choice value="Goods" alias="goods"><Choice value="Weapons" alias="weapons"/></Choice>
    </Taxonomy>
    <TextArea name="why" toName="text" tiebreak="explanation"/>
    <TextArea name="rationale" toName="text"/>
  </View>
  <Rating name="stars" toName="text" maxRating="5"/>
  <Number name="price" toName="text" min="0" max="100"/>
  <Choices name="brand" toName="text" value="$brands"/>
</View>"""


def contradiction(when: dict[str, list[Any]], never: dict[str, list[Any]]) -> dict[str, str]:
    declared = {"contradictions": [{"name": "odd", "when": when, "never": never}]}
    return {"description": f"tiebreak quality: {json.dumps(declared)}"}


def contradictions(rows: list[Given], when: dict[str, list[Any]], never: dict[str, list[Any]]) -> list[Observation]:
    return observations("contradictions", example(rows, config=LISTINGS, project=contradiction(when, never)))


def test_an_answer_to_a_question_that_is_hidden_by_now_contradicts_too() -> None:
    rows = [Given(1, "ana", {"verdict": "allow", "severity": "critical"})]
    [it] = contradictions(rows, {"verdict": ["allow"]}, {"severity": ["critical"]})
    assert (it.off, it.evidence, it.p) == (True, (1,), None)


def test_a_branch_means_all_below_it() -> None:
    rows = [Given(1, "ana", {"verdict": "allow", "policy": (("goods", "weapons"),)})]
    for meant in ("goods", "weapons", "goods / weapons"):
        [it] = contradictions(rows, {"verdict": ["allow"]}, {"policy": [meant]})
        assert it.off


def test_stars_and_numbers_are_meant_by_their_digits() -> None:
    rows = [Given(1, "ana", {"verdict": "reject", "stars": 5, "price": 10.0})]
    assert contradictions(rows, {"verdict": ["reject"]}, {"stars": [5]})[0].off
    assert contradictions(rows, {"verdict": ["reject"]}, {"price": [10]})[0].off
    assert not contradictions(rows, {"verdict": ["reject"]}, {"stars": [4]})[0].off


def test_all_that_is_named_must_be_given() -> None:
    when = {"verdict": ["reject"], "stars": [5]}
    rows = [Given(1, "ana", {"verdict": "reject", "severity": "low"})]
    assert not contradictions(rows, when, {"severity": ["low"]})[0].off


def test_what_was_answered_again_counts_as_it_is_now() -> None:
    rows = [Given(1, "ana", {"verdict": "allow", "severity": "critical"}), Given(1, "ana", {"verdict": "allow"})]
    assert not contradictions(rows, {"verdict": ["allow"]}, {"severity": ["critical"]})[0].off


def test_a_decision_of_a_review_is_nobodys_contradiction() -> None:
    dataset = example(
        [Given(1, "ana", "allow")],
        truths={1: {"verdict": "allow", "severity": "critical"}},
        config=LISTINGS,
        project=contradiction({"verdict": ["allow"]}, {"severity": ["critical"]}),
    )
    assert [it.off for it in observations("contradictions", dataset)] == [False]


def region(name: str, type: str, **value: object) -> dict[str, Any]:
    return {"from_name": name, "to_name": "text", "type": type, "value": value}


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (region("verdict", "choices", choices=["perhaps"]), "label “perhaps”"),
        (region("verdict", "choices", choices=["allow", "reject"]), "2 labels, where one is asked for"),
        (region("verdict", "labels", labels=["allow"]), "of type “labels”"),
        (region("policy", "taxonomy", taxonomy=[["goods", "drugs"]]), "label “goods / drugs”"),
        (region("stars", "rating", rating=7), "7 stars, where 1 to 5 are possible"),
        (region("price", "number", number=101), "101, outside 0 to 100"),
        (region("mood", "choices", choices=["glad"]), "control “mood”"),
        (region("verdict", "choices", choices=["allow"]), ""),
        (region("policy", "taxonomy", taxonomy=[["goods", "weapons"]]), ""),
        (region("stars", "rating", rating=5), ""),
        (region("brand", "choices", choices=["of the task's own"]), ""),
    ],
)
def test_what_does_not_fit_the_config_is_told(stored: dict[str, Any], told: str) -> None:
    dataset = example([Given(1, "ana", regions=(stored,)), Given(2, "ben", "allow")], config=LISTINGS)
    found = [it for it in observations("answers_off_config", dataset) if it.off]
    assert [(it.evidence, it.subject) for it in found] == ([((1,), "")] if told else [])
    assert all(told in it.message for it in found)


def test_what_somebody_typed_into_a_label_is_quoted_on_one_line() -> None:
    stored = region("verdict", "choices", choices=["a\nb" * 200])
    [it] = observations("answers_off_config", example([Given(1, "ana", regions=(stored,))], config=LISTINGS))
    assert "\n" not in it.message
    assert len(it.message) < 200


def reasons(words: str, **more: object) -> list[Observation]:
    said = {"rationale": (words,)} if words else {}
    rows = [Given(task, "ana", {"verdict": "reject", "severity": "critical", **said}) for task in range(1, 11)]
    return observations("missing_rationale", example(rows, config=LISTINGS), labels=("critical",), **more)


def test_a_dot_is_no_reason_and_a_sentence_is() -> None:
    assert reasons("")[0].off
    assert reasons(".")[0].off
    assert not reasons("The blade is over 20 cm.")[0].off


def test_the_machines_own_explanation_is_no_reason() -> None:
    machine = region("why", "textarea", text=["Because of the words “replica”."])
    rows = [
        Given(task, "ana", {"verdict": "reject", "severity": "critical"}, regions=(machine,)) for task in range(1, 11)
    ]
    [it] = observations("missing_rationale", example(rows, config=LISTINGS), labels=("critical",))
    assert it.off


def test_a_severe_answer_that_nobody_saw_needs_no_reason() -> None:
    rows = [Given(task, "ana", {"verdict": "allow", "severity": "critical"}) for task in range(1, 11)]
    assert observations("missing_rationale", example(rows, config=LISTINGS), labels=("critical",)) == []


def test_where_nothing_is_severe_no_reason_can_be_missing() -> None:
    with pytest.raises(NotEnoughLabels, match="severe"):
        observations("missing_rationale", example([Given(1, "ana", "allow")], config=LISTINGS))


def spans(text: str, start: int, end: int, times: int = 1, origin: str = "manual") -> list[Observation]:
    marked = {**region("evidence", "labels", start=start, end=end, labels=["claim"]), "origin": origin}
    rows = [Given(task, "ana", "positive", regions=(marked,) * times) for task in range(1, 21)]
    return observations("bad_spans", example(rows, texts=dict.fromkeys(range(1, 21), text)))


@pytest.mark.parametrize(
    ("text", "start", "end", "problem"),
    [
        ("a fine thing", 2, 6, ""),
        ("a fine thing", 2, 7, "with blanks at the ends"),
        ("a      thing", 2, 5, "of blanks only"),
        ("a fine thing", 6, 6, "empty"),
        ("a fine thing", 8, 13, "outside the text"),
        ("fine 😀😀", 5, 9, ""),  # browsers count an emoji as two
    ],
)
def test_spans_that_mark_nothing_are_told(text: str, start: int, end: int, problem: str) -> None:
    [it] = spans(text, start, end)
    assert it.off == bool(problem)
    assert problem in it.message


def test_the_same_stretch_twice_is_bad_and_what_the_machine_marked_is_not_the_annotators() -> None:
    [it] = spans("a fine thing", 2, 6, times=2)
    assert (it.value, it.off) == (0.5, True)
    assert spans("a fine thing", 2, 7, origin="prediction") == []
