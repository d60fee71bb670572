"""Laws that every kind of control obeys, on controls and answers that hypothesis makes up."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ml_backend.labeling import kinds
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import KINDS, finite, kind_of, one_line
from tests.unit.labeling.asking import control, written
from tests.unit.labeling.strategies import TAGS, answers_to, configs, nasty_regions, nasty_values

thorough = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_every_kind_of_the_design_is_there_and_every_tag_has_one_kind() -> None:
    assert set(KINDS) == {"choices", "taxonomy", "rating", "number", "spans", "boxes", "pairwise", "text"}
    tags = [tag for _, kind in KINDS.items() for tag in kind.tags]
    assert len(tags) == len(set(tags))
    assert set(TAGS) <= set(tags)


def test_no_helper_of_the_package_is_shadowed_by_one_of_its_files() -> None:
    assert callable(kinds.finite)
    assert callable(kinds.string)
    assert not set(KINDS) & {"finite", "string", "picked", "region", "values", "in_order", "label_of", "canonical"}


@pytest.mark.parametrize("tag", TAGS)
@thorough
@given(data=st.data())
def test_what_is_written_is_read_back(tag: str, data: st.DataObject) -> None:
    asked = data.draw(configs((tag,), most=1)).controls[0]
    kind = kind_of(asked)
    assert kind
    answer = data.draw(answers_to(asked))
    regions = kind.write(asked, answer)
    assert kind.read(asked, regions) == answer
    assert kind.read(asked, json.loads(json.dumps(regions))) == answer
    assert {item["from_name"] for item in regions} == {asked.name}
    assert {item["type"] for item in regions} == {tag.lower()}


@pytest.mark.parametrize("tag", TAGS)
@thorough
@given(data=st.data())
def test_keys_and_answers_correspond_one_to_one(tag: str, data: st.DataObject) -> None:
    asked = data.draw(configs((tag,), most=1)).controls[0]
    kind = kind_of(asked)
    assert kind
    a, b = data.draw(answers_to(asked)), data.draw(answers_to(asked))
    assert kind.from_key(kind.key(a)) == a
    assert (kind.key(a) == kind.key(b)) == (a == b)
    assert kind.key(kind.from_key(kind.key(a))) == kind.key(a)
    hash(a)
    json.loads(kind.key(a))


@pytest.mark.parametrize("tag", TAGS)
@thorough
@given(data=st.data())
def test_distance_is_symmetric_from_zero_for_equal_answers_to_one(tag: str, data: st.DataObject) -> None:
    asked = data.draw(configs((tag,), most=1)).controls[0]
    kind = kind_of(asked)
    assert kind
    a, b = data.draw(answers_to(asked)), data.draw(answers_to(asked))
    assert kind.distance(a, a) == 0
    assert kind.distance(a, b) == kind.distance(b, a)
    assert 0 <= kind.distance(a, b) <= 1
    assert kind.distance(kind.from_key(kind.key(a)), kind.from_key(kind.key(b))) == kind.distance(a, b)
    if kind.name in {"choices", "taxonomy", "rating", "number", "pairwise"}:
        assert (kind.distance(a, b) == 0) == (a == b)


@pytest.mark.parametrize("tag", TAGS)
@thorough
@given(data=st.data())
def test_an_answer_shows_on_one_short_line(tag: str, data: st.DataObject) -> None:
    asked = data.draw(configs((tag,), most=1)).controls[0]
    kind = kind_of(asked)
    assert kind
    answer = data.draw(answers_to(asked))
    shown = kind.show(answer)
    assert shown
    assert len(shown) <= 120
    assert shown == one_line(shown)
    assert all(isinstance(label, str) for label in kind.labels(answer))


@pytest.mark.parametrize("tag", TAGS)
@given(data=st.data())
@settings(deadline=None)
def test_the_example_can_be_written(tag: str, data: st.DataObject) -> None:
    asked = data.draw(configs((tag,), most=1)).controls[0]
    kind = kind_of(asked)
    assert kind
    assert kind.read(asked, kind.write(asked, kind.example(asked))) == kind.example(asked)


@pytest.mark.parametrize("tag", TAGS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_reading_never_raises_and_what_it_reads_is_canonical(tag: str, data: st.DataObject) -> None:
    asked = data.draw(configs((tag,), most=1)).controls[0]
    kind = kind_of(asked)
    assert kind
    regions = data.draw(st.lists(st.fixed_dictionaries({"value": nasty_values}) | nasty_regions(["x"]), max_size=4))
    answer = kind.read(asked, [item for item in regions if isinstance(item, dict)])
    if answer is not None:
        assert kind.from_key(kind.key(answer)) == answer
        kind.key(answer).encode()
        kind.show(answer).encode()
        assert kind.distance(answer, answer) == 0


@pytest.mark.parametrize("tag", [tag for tag in TAGS if tag not in {"Rating", "Number", "Pairwise"}])
def test_an_empty_answer_cannot_be_written(tag: str) -> None:
    asked = control(f'<{tag} name="c" toName="text"><Label value="a"/></{tag}>')
    with pytest.raises(InputError):
        written(asked, ())


@given(st.floats(allow_nan=True) | st.integers() | st.booleans() | st.none() | st.text(max_size=3))
def test_a_finite_number_is_whole_where_it_can_be(value: Any) -> None:
    found = finite(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        assert found is None
        return
    assume(math.isfinite(value))
    assert found == pytest.approx(value)
    assert isinstance(found, int) == (float(value).is_integer() and abs(value) < 2**53)


@given(st.text(max_size=300))
def test_one_line_shows_no_control_characters_and_is_short(words: str) -> None:
    line = one_line(words)
    assert len(line) <= 120
    assert "\n" not in line
    assert "‮" not in line
    assert line == one_line(line)
