"""label-studio-sdk's LabelInterface as an oracle: Label Studio 1.23 checks what is imported with it.

It parses the same configs to the same controls and labels, and takes whatever `write_answers` writes, but for two
things that its own screen stores and it refuses, each with a test of its own below.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from label_studio_sdk.label_interface import LabelInterface

from ml_backend.labeling.answers import answers, write_answers
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.kinds.boxes import Box
from tests.unit.labeling.strategies import TAGS, answers_to, configs

OURS = sorted((Path(__file__).parents[3] / "label_configs").glob("*/config.xml"))
slow = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def objections(config: LabelConfig, regions: list[dict[str, Any]]) -> list[str]:
    return LabelInterface(config.xml).validate_prediction({"result": regions, "score": 0.5}, return_errors=True)


def assert_same(config: LabelConfig) -> None:
    oracle = LabelInterface(config.xml)
    theirs = {control.name: control for control in oracle.controls}
    assert set(theirs) == {control.name for control in config.controls}
    for control in config.controls:
        assert theirs[control.name].tag == control.tag
        assert tuple(theirs[control.name].to_name) == control.to_names
        ends = dict.fromkeys(label.path[-1] for label in control.labels)
        assert list(theirs[control.name].labels or []) == list(ends)
    named = {source.name: source for source in config.sources if source.name}
    assert {it.name: it.tag for it in oracle.objects} == {name: source.tag for name, source in named.items()}


@slow
@given(configs())
def test_configs_have_the_same_controls_labels_and_sources(config: LabelConfig) -> None:
    assert_same(config)


@pytest.mark.parametrize("path", OURS, ids=lambda it: it.parent.name)
def test_our_own_configs_have_the_same_controls_labels_and_sources(path: Path) -> None:
    assert_same(parse(path.read_text("utf-8")))


@pytest.mark.parametrize("tag", TAGS)
@slow
@given(data=st.data())
def test_what_is_written_is_valid(tag: str, data: st.DataObject) -> None:
    config = data.draw(configs((tag,), most=1))
    [control] = config.controls
    assume(not control.nested)
    regions = write_answers(config, {control.name: data.draw(answers_to(control))}, {control.name: 0.5})
    assert objections(config, regions) == []


@pytest.mark.parametrize("path", OURS, ids=lambda it: it.parent.name)
def test_examples_of_our_own_configs_are_valid(path: Path) -> None:
    config = parse(path.read_text("utf-8"))
    given_answers = {it.name: kind.example(it) for it in config.answerable if (kind := kind_of(it))}
    assert objections(config, write_answers(config, given_answers)) == []


def test_a_box_labelled_by_a_labels_control_is_valid() -> None:
    config = parse(
        '<View><Image name="i" value="$image"/><Labels name="kind" toName="i"><Label value="L"/></Labels>'
        '<Rectangle name="box" toName="i"/></View>'
    )
    assert objections(config, write_answers(config, {"box": (Box(1, 2, 3, 4, 45, ("L",)),)})) == []


@pytest.mark.parametrize("tag", ["Choices", "RectangleLabels"])
@slow
@given(data=st.data())
def test_the_sdk_s_own_sample_predictions_are_read(tag: str, data: st.DataObject) -> None:
    config = data.draw(configs((tag,), most=1))
    assume(not config.controls[0].nested)
    sample = LabelInterface(config.xml).generate_sample_prediction()
    assert sample is not None
    filled = [region for region in sample["result"] if region["value"].get("choices") != []]
    assert set(answers(config, filled)) == {region["from_name"] for region in filled}


def test_paths_of_nested_choices_are_stored_by_the_screen_and_refused_by_the_import() -> None:
    config = parse(
        '<View><Text name="t" value="$text"/><Choices name="c" toName="t" allowNested="true"><Choice value="a">'
        '<Choice value="b"/></Choice></Choices></View>'
    )
    regions = write_answers(config, {"c": ("b",)})
    assert regions[0]["value"] == {"choices": [["a", "b"]]}
    assert objections(config, regions)  # so such predictions can be shown through /predict, not imported


def test_the_name_of_a_pairwise_s_source_is_what_the_import_takes() -> None:
    config = parse(
        '<View><Pairwise name="p" toName="a,b"/><Text name="a" value="$a"/><Text name="b" value="$b"/></View>'
    )
    [region] = write_answers(config, {"p": "right"})
    assert objections(config, [region]) == []
    by_the_screen = {**region, "to_name": "p"}
    assert objections(config, [by_the_screen])
    assert answers(config, [by_the_screen]) == {"p": "right"}
