"""Training where one config asks for choices, spans and comparisons."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ml_backend.encoder import Encoder
from ml_backend.examples import examples_of
from ml_backend.labeling.answers import answers
from ml_backend.labeling.config import parse
from ml_backend.labeling.kinds.spans import Span
from ml_backend.labeling.results import Task
from ml_backend.model_registry import ModelRegistry
from ml_backend.predictor import Predictor
from ml_backend.training import out_of_fold, train
from tests.unit.learning.marked import LISTINGS, comparisons, listings, mark
from tests.unit.learning.reviews import choice, task

PROJECT = "1.1795381865"
CONFIG = parse(
    '<View><Text name="text" value="$text"/><Text name="a" value="$a"/><Text name="b" value="$b"/>'
    '<Choices name="offer" toName="text"><Choice value="yes"/><Choice value="no"/></Choices>'
    '<Labels name="marks" toName="text"><Label value="Brand"/><Label value="Price"/><Label value="Contact"/></Labels>'
    '<Pairwise name="better" toName="a,b"/><TextArea name="why" toName="text"/><Number name="n" toName="text"/></View>'
)


def spans_of(answer: Iterable[Span]) -> list[tuple[int, int, str]]:
    return [(int(span.start), int(span.end), span.labels[0]) for span in answer]


def side(picked: str) -> dict[str, Any]:
    return {"from_name": "better", "to_name": "a", "type": "pairwise", "value": {"selected": picked}}


def tasks(count: int, *asked: str) -> list[Task]:
    made = []
    rows = zip(listings(count), comparisons(count), strict=True)
    for id, ((text, spans), ((left, right), picked)) in enumerate(rows, 1):
        regions = {
            "offer": [choice("offer", "yes" if "Price" in str(spans) else "no")],
            "marks": mark("marks", *spans_of(spans)),
            "better": [side(picked)],
        }
        data = {"text": text, "a": left, "b": right}
        made.append(task(id, data, [region for name in asked for region in regions[name]]))
    return made


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(str(tmp_path / "models"))


def test_each_kind_is_learned_and_answers_beside_the_others(encoder: Encoder, registry: ModelRegistry) -> None:
    outcome = train(PROJECT, CONFIG, tasks(30, "offer", "marks", "better"), encoder, registry)
    assert set(outcome.metrics) == {"offer", "marks", "better"}
    assert outcome.promoted
    data = {
        "text": "👜 ไทย Selling my Kanabi for $120, call +49 30 5512311.",
        "a": "My lamp is a waste of money.",
        "b": "My lamp is excellent and easy to use.",
    }
    (item,) = Predictor(registry, encoder).predict(PROJECT, CONFIG, [{"data": data}]).results
    found = answers(CONFIG, item["result"])
    assert found["better"] == "right"
    assert [span.text for span in found["marks"]] == ["Kanabi", "$120", "+49 30 5512311"]  # type: ignore[attr-defined]
    assert found["offer"] == ("yes",)
    assert item["score"] == min(region["score"] for region in item["result"])
    again = train(PROJECT, CONFIG, tasks(30, "offer", "marks", "better")[::-1], encoder, registry)
    assert again == outcome


def test_what_has_too_few_labels_is_left_alone(encoder: Encoder, registry: ModelRegistry) -> None:
    few = [*tasks(30, "marks"), *(task(100 + it.id, it.data, [side("left")]) for it in tasks(5))]
    outcome = train(PROJECT, CONFIG, few, encoder, registry)
    assert set(outcome.metrics) == {"marks"}
    assert set(out_of_fold(CONFIG, few, encoder)) == {"marks"}


def test_one_annotator_s_spans_are_learned_as_they_are(encoder: Encoder) -> None:
    text = "👜 Kanabi for $12"
    made = [task(1, {"text": text}, mark("marks", (2, 8, "Brand"), (13, 16, "Price"))), task(2, {"text": text}, [])]
    known = examples_of(LISTINGS, made, encoder)["marks"]
    assert known.tasks == (1,)
    assert known.answers == ((Span(2, 8, ("Brand",)), Span(13, 16, ("Price",))),)
    assert 0 < known.weights[0] < 1


def test_of_three_annotators_the_spans_nearest_to_all_are_learned(encoder: Encoder) -> None:
    most, shorter, other = (2, 8, "Brand"), (2, 7, "Brand"), (13, 16, "Price")
    agreed = task(1, {"text": "👜 Kanabi for $12"}, *[mark("marks", most)] * 3)
    split = task(2, {"text": "👝 Kanabi for $12"}, *(mark("marks", it) for it in (shorter, most, other)))
    two_of_three = task(3, {"text": "👞 Kanabi for $12"}, *(mark("marks", it) for it in (other, most, most)))
    known = examples_of(LISTINGS, [agreed, split, two_of_three], encoder)["marks"]
    assert known.answers == ((Span(*most[:2], ("Brand",)),),) * 3
    assert known.weights[0] > known.weights[2] > known.weights[1]
