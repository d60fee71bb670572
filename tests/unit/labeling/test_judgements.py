"""The table of judgements: who answered what, when, how long, from which prediction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_backend.labeling.answers import write_answers
from ml_backend.labeling.config import parse
from ml_backend.labeling.judgements import SCHEMA, judgements, latest
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import Annotation, Prediction, Task, read_task
from tests.unit.labeling.strategies import answered, configs, json_values, nasty_regions

CONFIG = parse(
    '<View><Text name="t" value="$text"/><Rating name="stars" toName="t"/>'
    '<Choices name="tone" toName="t"><Choice value="kind"/><Choice value="rude"/></Choices></View>'
)
NINE, TEN = datetime(2026, 1, 1, 9, tzinfo=UTC), datetime(2026, 1, 1, 10, tzinfo=UTC)


def annotation(id: int, who: str, answer: dict[str, Any], **fields: Any) -> Annotation:
    return Annotation(id, who, tuple(write_answers(CONFIG, answer)), **fields)


def rows(annotations: Sequence[Annotation], predictions: Sequence[Prediction] = ()) -> pl.DataFrame:
    return judgements([Task(7, {}, tuple(annotations), tuple(predictions))], CONFIG)


def test_no_tasks_give_an_empty_table_of_the_same_columns() -> None:
    assert judgements([], CONFIG).schema == SCHEMA
    assert latest(judgements([], CONFIG)).is_empty()


def test_there_is_a_row_for_each_answer_of_each_annotation() -> None:
    first = annotation(1, "a@x", {"stars": 3, "tone": ("kind",)}, lead_time=2.5, created_at=NINE, ground_truth=True)
    found = rows([first, annotation(2, "b@x", {"tone": ("rude",)})])
    assert found.select("task", "control", "annotator", "answer", "annotation").rows() == [
        (7, "stars", "a@x", "3", 1),
        (7, "tone", "a@x", '["kind"]', 1),
        (7, "tone", "b@x", '["rude"]', 2),
    ]
    assert found["lead_time"].to_list() == [2.5, 2.5, None]
    assert found["created_at"].to_list() == [NINE, NINE, None]
    assert found["ground_truth"].to_list() == [True, True, False]


def test_skipped_tasks_leave_no_judgement() -> None:
    assert rows([annotation(1, "a@x", {"stars": 3}, cancelled=True)]).is_empty()


def test_of_two_judgements_of_one_person_the_later_counts() -> None:
    twice = [
        annotation(1, "a@x", {"stars": 1, "tone": ("rude",)}, updated_at=TEN),
        annotation(2, "a@x", {"stars": 2}, updated_at=NINE),
        annotation(3, "b@x", {"stars": 5}),
        annotation(4, "b@x", {"stars": 4}, updated_at=NINE),
    ]
    kept = latest(rows(twice))
    assert kept.select("control", "annotator", "answer").rows() == [
        ("stars", "b@x", "4"),
        ("stars", "a@x", "1"),
        ("tone", "a@x", '["rude"]'),
    ]


def test_at_the_same_time_the_higher_annotation_counts_and_people_stay_apart() -> None:
    same = [annotation(id, who, {"stars": id}, updated_at=NINE) for id, who in ((2, "a"), (1, "a"), (3, "b"))]
    assert latest(rows(same))["answer"].to_list() == ["2", "3"]


class TestChanged:
    predicted = Prediction(9, tuple(write_answers(CONFIG, {"stars": 3})), 0.9, "m")

    def changed(self, predictions: Sequence[Prediction], regions: Sequence[dict[str, Any]]) -> dict[str, bool | None]:
        found = rows([Annotation(1, "a", tuple(regions), parent_prediction=9)], predictions)
        return dict(found.select("control", "changed").rows())

    def test_it_compares_with_the_prediction_where_that_is_known(self) -> None:
        assert self.changed([self.predicted], write_answers(CONFIG, {"stars": 3})) == {"stars": False}
        assert self.changed([self.predicted], write_answers(CONFIG, {"stars": 4})) == {"stars": True}

    def test_an_answer_the_prediction_did_not_give_is_not_a_change(self) -> None:
        assert self.changed([self.predicted], write_answers(CONFIG, {"tone": ("kind",)})) == {"tone": None}

    @pytest.mark.parametrize(
        ("origin", "expected"), [("prediction", False), ("prediction-changed", True), ("manual", None), (None, None)]
    )
    def test_without_the_prediction_the_origin_of_the_regions_tells(self, origin: str, expected: bool | None) -> None:
        [region] = write_answers(CONFIG, {"stars": 3})
        assert self.changed([], [{**region, "origin": origin}]) == {"stars": expected}

    def test_without_a_prediction_nothing_is_known(self) -> None:
        assert rows([annotation(1, "a", {"stars": 3})])["changed"].to_list() == [None]

    def test_a_prediction_among_others_is_found_by_its_id(self) -> None:
        other = Prediction(8, tuple(write_answers(CONFIG, {"stars": 4})))
        assert self.changed([other, self.predicted], write_answers(CONFIG, {"stars": 4})) == {"stars": True}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_every_answer_of_every_kind_is_in_the_table_by_its_key(data: st.DataObject) -> None:
    config = data.draw(configs())
    given_answers = [data.draw(answered(config)) for _ in range(data.draw(st.integers(1, 3)))]
    people = [
        Annotation(place, str(place), tuple(write_answers(config, answer)))
        for place, answer in enumerate(given_answers)
    ]
    found = judgements([Task(1, {}, tuple(people))], config)
    expected = {
        (str(place), name, kind.key(value))
        for place, answer in enumerate(given_answers)
        for name, value in answer.items()
        if (kind := kind_of(config[name]))
    }
    assert set(found.select("annotator", "control", "answer").rows()) == expected


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_no_task_breaks_the_table(data: st.DataObject) -> None:
    names = ["stars", "tone"]
    fields = ["id", "completed_by", "lead_time", "created_at", "updated_at", "parent_prediction", "was_cancelled"]
    item = {
        **data.draw(st.dictionaries(st.sampled_from(fields), json_values)),
        "result": data.draw(st.lists(nasty_regions(names), max_size=3)),
    }
    task = read_task({"id": data.draw(json_values), "data": {}, "annotations": [item, item], "predictions": [item]})
    found = judgements([task], CONFIG)
    assert found.schema == SCHEMA
    assert latest(found).height <= max(1, found.height)


def test_many_tasks_are_put_together_in_their_order() -> None:
    regions = tuple(write_answers(CONFIG, {"stars": 3, "tone": ("kind",)}))
    tasks = [Task(number, {}, (Annotation(number, "a", regions),)) for number in range(60_000)]
    found = judgements(tasks, CONFIG)
    assert found.height == 120_000
    assert found["task"].is_sorted()
