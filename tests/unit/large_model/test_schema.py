"""The label config as the schema of one JSON object, and its values as answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ml_backend.labeling.answers import answers, write_answers
from ml_backend.labeling.config import Control, LabelConfig, parse
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.kinds.spans import Span
from ml_backend.large_model.delimiting import visible
from ml_backend.large_model.forms import MOST_WRITTEN, form_of, listed
from ml_backend.large_model.reading import read
from ml_backend.large_model.schema import AnswerSchema, answer_schema
from ml_backend.prelabelers import Reading
from tests.unit.labeling.strategies import TAGS, answers_to, configs
from tests.unit.large_model.asking import MODERATION, Question, questions

slow = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
TEXT = "The seller claims it cures everything. It cures everything!"
MANY = "".join(f'<Choice value="{number}"/>' for number in range(1001))
UNKNOWN_TO_STRICT_MODE = {"oneOf", "allOf", "uniqueItems", "not", "if", "patternProperties", "minLength", "maxLength"}


def schema_of(xml: str, data: Mapping[str, Any] | None = None) -> AnswerSchema:
    config = parse(xml)
    return answer_schema(config, config.controls, data or {})


def admitted(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Anything a value of this schema can be."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "integer":
        return st.integers(schema["minimum"], schema.get("maximum", 3))
    if schema["type"] == "number":
        return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False)
    if schema["type"] == "array":
        return st.lists(admitted(schema["items"]), min_size=1, max_size=4)
    if schema["type"] == "object":
        return st.fixed_dictionaries({name: admitted(part) for name, part in schema["properties"].items()})
    return st.sampled_from(["cures everything", "It", "no such words", "", " "]) | st.text(max_size=20)


def question_of(config: LabelConfig) -> Question:
    return Question(1, {}, {it.name: Reading(TEXT, (TEXT,)) for it in config.controls})


@slow
@given(config=configs(), data=st.data())
def test_any_answer_that_the_schema_admits_is_read_and_can_be_written(config: LabelConfig, data: st.DataObject) -> None:
    schema = answer_schema(config, config.controls, {})
    said = data.draw(st.fixed_dictionaries({name: st.none() | admitted(it) for name, it in schema.parts.items()}))
    Draft202012Validator(schema.json).validate(said)
    found = read(json.dumps(said), config, schema, question_of(config))
    assert not found.objections
    regions = write_answers(config, found.answers)
    assert answers(config, regions) == found.answers
    said_something = {name for name, value in said.items() if value is not None}
    quoting = {name for name in said_something if kind_of(config[name]).name in ("spans", "text")}  # type: ignore[union-attr]
    assert said_something - quoting <= found.answers.keys() <= said_something


@pytest.mark.parametrize(
    "tag", [it for it in TAGS if it not in ("RectangleLabels", "HyperTextLabels", "ParagraphLabels")]
)
@slow
@given(data=st.data())
def test_an_answer_of_people_is_said_so_that_it_is_read_again(tag: str, data: st.DataObject) -> None:
    config = data.draw(configs((tag,), most=1))
    [control] = config.controls
    schema = answer_schema(config, config.controls, {})
    if control.name in schema.left_out:  # spans of sound
        return
    answer = data.draw(answers_to(control))
    value = schema.forms[control.name].say(control, answer, TEXT)
    if value is None:
        assert kind_of(control).name in ("spans", "choices", "taxonomy")  # type: ignore[union-attr]
        return
    assert schema.objection(control.name, value) == ""
    if control.tag == "TextArea":  # one text, without what nobody sees
        answer = tuple(filter(None, [visible("\n".join(answer)).strip()])) or None
    assert schema.forms[control.name].read(control, value, TEXT) == answer


@slow
@given(configs())
def test_the_schema_is_valid_and_has_nothing_that_strict_endpoints_refuse(config: LabelConfig) -> None:
    schema = answer_schema(config, config.controls, {}).json
    Draft202012Validator.check_schema(schema)
    found: set[str] = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict) and "enum" not in part:
            found.update(part)
            if part.get("type") == "object":
                assert part["additionalProperties"] is False
                assert part["required"] == list(part["properties"])
        for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            walk(inner)

    walk({"type": "object", **schema})
    assert not found & UNKNOWN_TO_STRICT_MODE


@pytest.mark.parametrize(
    ("tag", "attributes", "inside"),
    [
        ("Choices", "", '<Choice value="Spam" alias="spam"/><Choice value="Not spam"/>'),
        ("Number", 'min="1" max="9.5"', ""),
        ("Pairwise", "", ""),
    ],
)
def test_where_nothing_speaks_against_it_the_schema_is_the_sdk_s(tag: str, attributes: str, inside: str) -> None:
    from label_studio_sdk.label_interface import LabelInterface

    to_name = "t,u" if tag == "Pairwise" else "t"
    xml = (
        f'<View><Text name="t" value="$t"/><Text name="u" value="$u"/><{tag} name="c" toName="{to_name}" {attributes}>'
        f"{inside}</{tag}></View>"
    )
    theirs = {**LabelInterface(xml).to_json_schema()["properties"]["c"]}
    del theirs["description"]
    assert schema_of(xml).parts["c"] == theirs


@pytest.mark.parametrize(
    ("control", "schema"),
    [
        ('<Rating name="c" toName="t" maxRating="4"/>', {"type": "integer", "minimum": 1, "maximum": 4}),
        (
            '<Choices name="c" toName="t" choice="multiple"><Choice value="A" alias="a"/><Choice value="B"/></Choices>',
            {"type": "array", "items": {"type": "string", "enum": ["a", "B"]}, "minItems": 1},
        ),
        (
            '<Choices name="c" toName="t" allowNested="true"><Choice value="Food"><Choice value="Other"/></Choice>'
            '<Choice value="Toys"><Choice value="Other"/></Choice></Choices>',
            {"type": "string", "enum": ["Food / Other", "Toys / Other"]},
        ),
        (
            '<Taxonomy name="c" toName="t" maxUsages="1"><Choice value="Food" alias="f"><Choice value="Fish"/></Choice>'
            "</Taxonomy>",
            {"type": "string", "enum": ["f", "f / Fish"]},
        ),
        (
            '<Taxonomy name="c" toName="t" leafsOnly="true"><Choice value="Food"><Choice value="Fish"/></Choice>'
            '<Choice value="Toys"/></Taxonomy>',
            {"type": "array", "items": {"type": "string", "enum": ["Food / Fish", "Toys"]}, "minItems": 1},
        ),
        ('<TextArea name="c" toName="t"/>', {"type": "string"}),
    ],
)
def test_where_the_sdk_s_schema_would_not_do_it_is_another(control: str, schema: Mapping[str, Any]) -> None:
    assert schema_of(f'<View><Text name="t" value="$t"/>{control}</View>').parts == {"c": schema}


@pytest.mark.parametrize(
    ("control", "why"),
    [
        ('<RectangleLabels name="c" toName="i"><Label value="Logo"/></RectangleLabels>', "sees no image"),
        ('<HyperTextLabels name="c" toName="h"><Label value="A"/></HyperTextLabels>', "in a <Text> only"),
        ('<Labels name="c" toName="a"><Label value="A"/></Labels>', "in a <Text> only"),
        ('<Choices name="c" toName="t" value="$options"/>', "no labels"),
        ('<Taxonomy name="c" toName="t" apiUrl="https://example.com"/>', "no labels"),
        ('<Rating name="c" toName="t" maxRating="5000" perRegion="true"/>', "not asked about the task"),
        ('<Choices name="c" toName="t" tiebreak="feedback"><Choice value="A"/></Choices>', "not asked about the task"),
        ('<TextArea name="c" toName="t" tiebreak="explanation"/>', "not asked about the task"),
        ('<DateTime name="c" toName="t"/>', "<DateTime>"),
        (
            f'<Choices name="c" toName="t">{MANY}</Choices>',
            "over 1000 labels",
        ),
    ],
)
def test_a_control_that_cannot_be_asked_says_why(control: str, why: str) -> None:
    sources = '<Text name="t" value="$t"/><Image name="i" value="$i"/><HyperText name="h" value="$h"/>'
    schema = schema_of(f'<View>{sources}<Audio name="a" value="$a"/>{control}</View>')
    assert why in schema.left_out["c"]
    assert not schema.forms


def test_labels_that_come_with_a_task_are_its_values() -> None:
    xml = '<View><Text name="t" value="$t"/><Choices name="c" toName="t" value="$options"/></View>'
    data = {"options": [{"value": "First", "alias": "1st"}, {"value": "Second"}]}
    assert schema_of(xml, data).parts["c"] == {"type": "string", "enum": ["1st", "Second"]}


@pytest.mark.parametrize(
    ("quote", "occurrence", "found"),
    [
        ("cures everything", 1, (21, 37)),
        ("cures everything", 2, (42, 58)),
        ("cures everything", 3, None),
        ("seller", 2, (4, 10)),  # it stands there once, so which one is meant is plain
        (" seller ", 1, (4, 10)),
        ("Seller", 1, None),
        ("cures nothing", 1, None),
        ("  ", 1, None),
    ],
)
def test_a_quote_is_where_it_stands_letter_by_letter(
    quote: str, occurrence: int, found: tuple[int, int] | None
) -> None:
    control = MODERATION["evidence"]
    form = form_of(control)
    assert not isinstance(form, str)
    answer = form.read(control, [{"quote": quote, "label": "claim", "occurrence": occurrence}], TEXT)
    assert answer == ((Span(*found, ("claim",)),) if found else None)
    assert found is None or TEXT[slice(*found)] == quote.strip()


def test_a_quote_of_defused_text_is_found_in_the_text_itself() -> None:
    text = "Buy <b>now</b>\x00 or [INST] <|im_start|>never"
    control = MODERATION["evidence"]
    form = form_of(control)
    assert not isinstance(form, str)
    for words in ("‹b>now‹/b>", "‹|im_start|>never", "〔INST] ‹|im"):
        [span] = form.read(control, [{"quote": words, "label": "claim", "occurrence": 1}], text)  # type: ignore[misc]
        assert span.text == words.replace("‹", "<").replace("〔", "[")


def test_a_written_answer_has_no_characters_that_nobody_sees() -> None:
    form = form_of(MODERATION["why"])
    assert not isinstance(form, str)
    assert form.read(MODERATION["why"], "\x00so\u202e it\ud800 is\n", TEXT) == ("so  it  is",)
    assert form.read(MODERATION["why"], "x" * (MOST_WRITTEN + 1), TEXT) is None


def test_two_labels_of_the_same_words_are_one_span() -> None:
    control: Control = MODERATION["evidence"]
    form = form_of(control)
    assert not isinstance(form, str)
    said = [{"quote": "seller", "label": label, "occurrence": 1} for label in ("Threat", "claim")]
    assert form.read(control, said, TEXT) == (Span(4, 10, ("claim", "Threat")),)


def test_an_answer_hidden_by_the_others_is_dropped() -> None:
    schema = answer_schema(MODERATION, MODERATION.answerable, {})
    [question] = questions(MODERATION, {"title": "Knife", "body": ""})
    said = dict.fromkeys(schema.parts) | {"verdict": "allow", "policy": "Fake"}
    found = read(json.dumps(said), MODERATION, schema, question)
    assert found.answers == {"verdict": ("allow",)}
    assert "policy" not in found.unsure
    said["verdict"] = "reject"
    assert read(json.dumps(said), MODERATION, schema, question).answers == {
        "verdict": ("reject",),
        "policy": (("Fake",),),
    }


def test_the_name_of_each_value_is_what_tables_call_the_label() -> None:
    for control in MODERATION.answerable:
        kind = kind_of(control)
        assert kind is not None
        if kind.name not in ("spans", "boxes"):
            assert all(kind.labels(answer) == (str(value),) for value, answer in listed(control).items())
