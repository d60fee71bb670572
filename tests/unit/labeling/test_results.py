"""Label Studio's JSON and what it means: tasks, annotations, answers, task data."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_backend.labeling.answers import answers, with_task_labels, write_answers
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import InputError, UnknownName
from ml_backend.labeling.judgements import judgements
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.kinds.boxes import Box
from ml_backend.labeling.results import read_annotation, read_prediction, read_task, read_time
from ml_backend.labeling.task_data import lookup, text_of
from tests.unit.labeling.strategies import answered, configs, json_values, nasty_regions

slow = [HealthCheck.too_slow, HealthCheck.data_too_large]


def view(inside: str) -> LabelConfig:
    return parse(f'<View><Text name="t" value="$text"/><Image name="i" value="$image"/>{inside}</View>')


class TestReading:
    @pytest.mark.parametrize("value", [None, [], "task", 3, {}, {"id": 1}, {"data": None}, {"data": []}])
    def test_what_has_no_data_is_no_task(self, value: Any) -> None:
        with pytest.raises(InputError, match="no `data` object"):
            read_task(value)

    @settings(max_examples=150, deadline=None, suppress_health_check=slow)
    @given(data=st.data())
    def test_nothing_inside_a_task_can_break_its_reading(self, data: st.DataObject) -> None:
        fields = ["id", "meta", "annotations", "predictions"]
        item = data.draw(st.dictionaries(st.sampled_from(fields), json_values))
        result = data.draw(json_values | st.lists(nasty_regions(["c"]), max_size=2))
        parts = data.draw(st.dictionaries(st.sampled_from(ANNOTATION_FIELDS), json_values)) | {"result": result}
        task = read_task({"data": {}, **item, "annotations": [parts, item], "predictions": [parts]})
        assert abs(task.id) < 2**63
        for annotation in task.annotations:
            annotation.annotator.encode()
            assert annotation.lead_time is None or 0 <= annotation.lead_time < math.inf

    @pytest.mark.parametrize(
        ("who", "expected"),
        [
            ({"id": 3, "email": "a@example.com"}, "a@example.com"),
            ({"id": 3}, "c@example.com"),
            (3, "c@example.com"),
            (4, "4"),
            ("b@example.com", "b@example.com"),
            (None, ""),
            (True, ""),
            ([3], ""),
        ],
    )
    def test_an_annotator_is_an_e_mail_where_there_is_one(self, who: Any, expected: str) -> None:
        assert read_annotation({"completed_by": who}, {3: "c@example.com"}).annotator == expected

    @pytest.mark.parametrize("score", ["0.5", math.nan, math.inf, True, None, [1]])
    def test_a_score_that_is_no_number_is_none(self, score: Any) -> None:
        assert read_prediction({"score": score}).score is None

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2026-11-22T21:00:02.623249Z", datetime(2026, 11, 22, 21, 0, 2, 623249, UTC)),
            ("2026-11-22T23:00:02+02:00", datetime(2026, 11, 22, 21, 0, 2, tzinfo=UTC)),
            ("2026-11-22T21:00:02", datetime(2026, 11, 22, 21, 0, 2, tzinfo=UTC)),
            ("0001-01-01T00:00:00+23:00", None),
            ("yesterday", None),
            ("", None),
            (5, None),
            (None, None),
        ],
    )
    def test_times_are_read_in_utc(self, text: Any, expected: datetime | None) -> None:
        assert read_time(text) == expected


ANNOTATION_FIELDS = ["id", "completed_by", "lead_time", "was_cancelled", "created_at", "parent_prediction", "score"]


class TestAnswers:
    @settings(max_examples=60, deadline=None, suppress_health_check=slow)
    @given(data=st.data())
    def test_answers_written_to_a_whole_config_are_read_back(self, data: st.DataObject) -> None:
        config = data.draw(configs())
        given_answers = data.draw(answered(config))
        regions = json.loads(json.dumps(write_answers(config, given_answers)))
        assert answers(config, regions) == given_answers

    @settings(max_examples=150, deadline=None, suppress_health_check=slow)
    @given(data=st.data())
    def test_no_result_can_break_them(self, data: st.DataObject) -> None:
        config = data.draw(configs(most=2))
        names = [control.name for control in config.controls]
        for name, answer in answers(config, data.draw(st.lists(nasty_regions(names), max_size=4))).items():
            kind = kind_of(config[name])
            assert kind
            assert kind.from_key(kind.key(answer)) == answer

    def test_a_region_carries_its_control_s_score_and_an_id_of_its_own(self) -> None:
        config = view(
            '<Rating name="r" toName="t"/><RectangleLabels name="b" toName="i"><Label value="L"/></RectangleLabels>'
        )
        boxes = (Box(1, 1, 2, 2, 0, ("L",)), Box(5, 5, 2, 2, 0, ("L",)))
        regions = write_answers(config, {"r": 3, "b": boxes}, {"r": 0.123456789})
        assert [it.get("score") for it in regions] == [0.123457, None, None]
        assert len({it["id"] for it in regions}) == 3

    def test_an_unknown_control_and_one_without_a_kind_cannot_be_written(self) -> None:
        config = view('<Rating name="r" toName="t"/><KeyPoint name="k" toName="i"/>')
        with pytest.raises(UnknownName, match="no control named 'x'"):
            write_answers(config, {"x": 3})
        with pytest.raises(InputError, match="Nothing can write an answer to <KeyPoint name='k'>"):
            write_answers(config, {"k": 3})

    def test_questions_about_regions_and_feedback_are_no_answers(self) -> None:
        config = view('<Rating name="r" toName="t" perRegion="true"/><Rating name="f" toName="t" tiebreak="feedback"/>')
        assert answers(config, [{"from_name": name, "value": {"rating": 3}} for name in "rf"]) == {}

    def test_explanations_that_come_along_with_a_submission_are_no_answers(self) -> None:
        config = view('<Rating name="r" toName="t"/><TextArea name="why" toName="t" tiebreak="explanation"/>')
        why = {"from_name": "why", "to_name": "t", "type": "textarea", "value": {"text": ["Because."]}}
        rating = {"from_name": "r", "to_name": "t", "type": "rating", "value": {"rating": 3}}
        assert answers(config, [rating, why]) == {"r": 3}
        stored = read_task({"id": 1, "data": {}, "annotations": [{"id": 2, "result": [why]}]})
        assert answers(config, stored.annotations[0].regions) == {}
        assert len(judgements([stored], config)) == 0


class TestHiddenControls:
    config = view(
        '<Choices name="v" toName="t" choice="multiple"><Choice value="Good" alias="g"/><Choice value="Bad"/></Choices>'
        '<View visibleWhen="choice-selected" whenTagName="v" whenChoiceValue="Bad,Awful">'
        '<Choices name="why" toName="t"><Choice value="Spam"/></Choices></View>'
        '<Rating name="praise" toName="t" visibleWhen="choice-selected" whenTagName="v" whenChoiceValue="Good"/>'
        '<TextArea name="more" toName="t" visibleWhen="choice-selected" whenTagName="why"/>'
        '<TextArea name="note" toName="t" visibleWhen="region-selected"/>'
    )
    everything: Any = {"v": ("Bad",), "why": ("Spam",), "praise": 5, "more": ("m",), "note": ("n",)}  # noqa: RUF012

    def answered(self, **changes: Any) -> set[str]:
        return set(answers(self.config, write_answers(self.config, {**self.everything, **changes})))

    def test_a_control_the_other_answers_hide_has_no_answer(self) -> None:
        assert self.answered() == {"v", "why", "more", "note"}

    def test_hiding_one_hides_those_that_depend_on_it(self) -> None:
        assert self.answered(v=("g",)) == {"v", "praise", "note"}

    def test_any_of_the_values_is_enough_by_alias_or_by_text(self) -> None:
        assert self.answered(v=("g", "Bad")) == {"v", "why", "praise", "more", "note"}

    def test_without_the_answer_it_depends_on_a_control_is_hidden(self) -> None:
        regions = write_answers(self.config, {"why": ("Spam",), "praise": 1})
        assert answers(self.config, regions) == {}

    def test_a_leaf_of_a_taxonomy_shows_a_control_too(self) -> None:
        config = view(
            '<Taxonomy name="p" toName="t"><Choice value="A"><Choice value="Other"/></Choice>'
            '<Choice value="B"><Choice value="Other"/></Choice></Taxonomy>'
            '<Rating name="r" toName="t" visibleWhen="choice-selected" whenTagName="p" whenChoiceValue="Other"/>'
        )
        seen = write_answers(config, {"p": (("B", "Other"),), "r": 2})
        assert set(answers(config, seen)) == {"p", "r"}
        assert set(answers(config, write_answers(config, {"p": (("B",),), "r": 2}))) == {"p"}


class TestRectanglesBesideLabels:
    config = view(
        '<Labels name="kind" toName="i"><Label value="Logo" alias="l"/><Label value="Text"/></Labels>'
        '<Rectangle name="box" toName="i"/>'
    )
    place: Any = {"x": 1, "y": 2, "width": 3, "height": 4, "rotation": 0}  # noqa: RUF012

    def test_two_regions_with_one_id_are_one_labelled_box(self) -> None:
        regions = [
            {"id": "a", "from_name": "box", "value": self.place},
            {"id": "a", "from_name": "kind", "value": {**self.place, "labels": ["l"]}},
            {"id": "b", "from_name": "box", "value": {**self.place, "x": 50}},
        ]
        assert answers(self.config, regions) == {"box": (Box(1, 2, 3, 4, 0, ("l",)), Box(50, 2, 3, 4))}

    def test_a_labelled_box_is_written_as_two_regions_with_one_id(self) -> None:
        answer = {"box": (Box(1, 2, 3, 4, 0, ("Text", "l")), Box(50, 2, 3, 4))}
        regions = write_answers(self.config, answer, {"box": 0.5})
        assert [(it["id"], it["from_name"], it["type"]) for it in regions] == [
            ("box-0", "box", "rectangle"),
            ("box-0", "kind", "labels"),
            ("box-2", "box", "rectangle"),
        ]
        assert regions[0]["value"].keys() == self.place.keys()
        assert {box.labels for box in answers(self.config, regions)["box"]} == {("Text", "l"), ()}

    def test_a_label_the_labels_control_does_not_know_cannot_be_written(self) -> None:
        with pytest.raises(UnknownName, match="no label of 'kind' named 'Logo'"):
            write_answers(self.config, {"box": (Box(1, 2, 3, 4, 0, ("Logo",)),)})

    def test_a_box_without_a_labels_control_has_none(self) -> None:
        config = view('<Rectangle name="box" toName="i"/>')
        assert answers(config, write_answers(config, {"box": (Box(1, 2, 3, 4),)})) == {"box": (Box(1, 2, 3, 4),)}


class TestTaskLabels:
    data: Any = {  # noqa: RUF012
        "options": [
            {"value": "Paris", "hint": "France"},
            {"value": "Rome", "alias": "r", "children": [{"value": "Trastevere"}, {"nothing": 1}]},
            "no object",
            {"value": 5},
        ],
        "first": "Answer one",
    }

    def test_labels_come_from_task_data_in_its_order(self) -> None:
        config = view('<Choices name="c" toName="t" value="$options"><Choice value="None of them"/></Choices>')
        shown = with_task_labels(config["c"], self.data)
        assert shown.keys == ("None of them", "Paris", "r", "Trastevere")
        assert [label.path for label in shown.labels][-1] == ("r", "Trastevere")
        assert shown.labels[1].hint == "France"

    def test_a_choice_may_stand_for_a_field_of_task_data(self) -> None:
        config = view(
            '<Choices name="c" toName="t"><Choice value="$first"/><Choice value="$second" alias="2"/></Choices>'
        )
        shown = with_task_labels(config["c"], self.data)
        assert shown.keys == ("Answer one", "2")
        assert shown.labels[0].text == "Answer one"

    @settings(deadline=None)
    @given(json_values)
    def test_no_task_data_breaks_them(self, value: Any) -> None:
        config = view('<Choices name="c" toName="t" value="$options"><Choice value="$first"/></Choices>')
        assert with_task_labels(config["c"], {"options": value, "first": value}).labels

    def test_a_control_with_labels_of_its_own_only_is_left_as_it_is(self) -> None:
        control = view('<Choices name="c" toName="t"><Choice value="a"/></Choices>')["c"]
        assert with_task_labels(control, self.data) is control


class TestTaskData:
    data: Any = {  # noqa: RUF012
        "a": {"b": [{"c": "deep"}]},
        "a.b": "a key with a dot",
        "list": ["zero", "one"],
        "n": 4.5,
        "yes": True,
        "none": None,
        "talk": [{"author": "A", "text": "Hi"}, {"author": "B", "text": "Hello"}],
    }

    @pytest.mark.parametrize(
        ("field", "expected"),
        [
            ("n", 4.5),
            ("a.b", "a key with a dot"),
            ("a.b[0].c", "deep"),
            ("list[1]", "one"),
            ("list[2]", None),
            ("list.x", None),
            ("n.x", None),
            ("n[0]", None),
            ("nothing", None),
            ("nothing.at[0].all", None),
            (f"list[{'9' * 5000}]", None),
        ],
    )
    def test_paths_lead_to_values_or_nowhere(self, field: str, expected: Any) -> None:
        assert lookup(self.data, field) == expected

    def test_text_is_joined_a_field_a_line_and_what_is_no_text_is_left_out(self) -> None:
        assert text_of(self.data, ["list[0]", "nothing", "n", "yes", "none"]) == "zero\n4.5"

    def test_a_dialogue_is_its_words(self) -> None:
        assert text_of(self.data, ["talk"]) == "A Hi\nB Hello"

    def test_bottomless_data_is_read_as_far_as_it_makes_sense(self) -> None:
        deep: Any = "end"
        for _ in range(5000):
            deep = [deep]
        assert text_of({"deep": deep}, ["deep"]) == ""

    @given(st.dictionaries(st.text(max_size=3), json_values, max_size=3), st.text(max_size=8))
    @settings(deadline=None)
    def test_no_data_breaks_a_look_up(self, data: dict[str, Any], field: str) -> None:
        lookup(data, field)
        assert isinstance(text_of(data, [*data, field]), str)
