"""Predictions are checked against the label config before they are sent."""

from __future__ import annotations

from typing import Any

import pytest

from ml_backend.labeling.answers import write_answers
from ml_backend.labeling.config import parse
from ml_backend.labeling.kinds import kind_of
from ml_backend.studio.checks import prediction_problems

CONFIG = parse("""<View>
  <Text name="text" value="$text"/>
  <Image name="image" value="$image"/>
  <Choices name="verdict" toName="text"><Choice value="ok"/><Choice value="bad" alias="b"/></Choices>
  <Choices name="many" toName="text" choice="multiple"><Choice value="x"/><Choice value="y"/></Choices>
  <Choices name="open" toName="text" value="$options"/>
  <Taxonomy name="clause" toName="text"><Choice value="Food"><Choice value="Fruit"/></Choice></Taxonomy>
  <Rating name="stars" toName="text" maxRating="5"/>
  <Number name="price" toName="text" min="0" max="10"/>
  <Labels name="evidence" toName="text"><Label value="Claim"/></Labels>
  <RectangleLabels name="logos" toName="image"><Label value="Logo"/></RectangleLabels>
  <TextArea name="why" toName="text"/>
  <DateTime name="when" toName="text"/>
</View>""")
BESIDE = parse("""<View>
  <Image name="image" value="$image"/>
  <Rectangle name="box" toName="image"/>
  <Labels name="what" toName="image"><Label value="Logo"/></Labels>
</View>""")


def prediction(result: Any, **fields: Any) -> dict[str, Any]:
    return {"task": 1, "result": result, "score": 0.5, "model_version": "v1", **fields}


def region(name: str, value: Any, type: str = "choices", to_name: str = "text") -> dict[str, Any]:
    return {"from_name": name, "to_name": to_name, "type": type, "value": value}


@pytest.mark.parametrize("control", [c for c in CONFIG.controls if kind_of(c)], ids=lambda control: control.name)
def test_what_a_kind_writes_fits(control: Any) -> None:
    kind = kind_of(control)
    assert kind is not None
    written = write_answers(CONFIG, {control.name: kind.example(control)}, {control.name: 0.9})
    assert prediction_problems(prediction(written), CONFIG) == []


def test_explanations_fit_the_controls_they_are_for() -> None:
    config = parse(
        '<View><Text name="text" value="$text"/><TextArea name="why" toName="text" tiebreak="explanation"/>'
        '<Labels name="drove" toName="text" tiebreak="explanation"><Label value="for it"/></Labels></View>'
    )
    made = [
        {**region("why", {"text": ["Because."]}, "textarea"), "readonly": True},
        {**region("drove", {"start": 0, "end": 3, "text": "bad", "labels": ["for it"]}, "labels"), "readonly": True},
    ]
    assert prediction_problems(prediction(made), config) == []
    made[1]["value"]["labels"] = ["of it"]
    assert "of it" in str(prediction_problems(prediction(made), config))


def test_labels_beside_a_rectangle_fit() -> None:
    box = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0}
    two = [
        {"id": "a", **region("box", box, "rectangle", "image")},
        {"id": "a", **region("what", {**box, "labels": ["Logo"]}, "labels", "image")},
    ]
    assert prediction_problems(prediction(two), BESIDE) == []
    two[1]["value"]["labels"] = ["Cat"]
    assert "Cat" in str(prediction_problems(prediction(two), BESIDE))


def test_a_kind_nobody_knows_is_let_through() -> None:
    assert prediction_problems(prediction([region("when", {"datetime": "2026-01-01"}, "datetime")]), CONFIG) == []


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ([region("mood", {"choices": ["ok"]})], "no control named 'mood'"),
        ([region("verdict", {"choices": ["great"]})], "great"),
        ([region("verdict", {"choices": ["bad"]})], "b"),
        ([region("verdict", {"choices": ["ok", "b"]})], "no answer"),
        ([region("verdict", {"choices": []})], "no answer"),
        ([region("verdict", {"choices": ["ok"]}, to_name="image")], "not about 'image'"),
        ([region("verdict", {"choices": ["ok"]}, "labels")], "type 'labels'"),
        ([region("verdict", None)], "no value"),
        ([region("many", {"choices": ["x", "z"]})], "z"),
        ([region("clause", {"taxonomy": [["Fruit"]]}, "taxonomy")], "Fruit"),
        ([region("stars", {"rating": 6}, "rating")], "stars"),
        ([region("price", {"number": 11}, "number")], "price"),
        ([region("evidence", {"start": 0, "end": 3, "labels": ["Lie"]}, "labels")], "Lie"),
        ([region("logos", {"x": 0, "y": 0, "width": 200, "height": 5}, "rectanglelabels", "image")], "logos"),
        ({"verdict": "ok"}, "no list of regions"),
        (["ok"], "no list of regions"),
        (None, "no list of regions"),
    ],
)
def test_what_does_not_fit_is_said(result: Any, said: str) -> None:
    problems = prediction_problems(prediction(result), CONFIG)
    assert said in "; ".join(problems)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"task": "1"}, "task"),
        ({"task": True}, "task"),
        ({"model_version": " "}, "model_version"),
        ({"model_version": None}, "model_version"),
        ({"score": "0.5"}, "score"),
        ({"score": float("nan")}, "score"),
        ({"score": 7.5}, "7.5"),
        ({"score": True}, "score"),
    ],
)
def test_a_field_that_label_studio_would_mistake_is_said(fields: dict[str, Any], said: str) -> None:
    [problem] = prediction_problems(prediction([region("verdict", {"choices": ["ok"]})], **fields), CONFIG)
    assert said in problem
