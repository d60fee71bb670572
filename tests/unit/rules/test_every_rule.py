"""What holds of every inspection rule: its examples, its words, and that it says nothing of little."""

from __future__ import annotations

from contextlib import suppress

import pytest

from ml_backend.labeling.errors import ModelUnavailable, NotEnoughLabels
from sdk_scripts.evidence import Evidence
from sdk_scripts.inspected import Inspected
from sdk_scripts.inspection import inspect_with
from sdk_scripts.quality import Quality
from sdk_scripts.rule_examples import example
from sdk_scripts.rules import MAX_EVIDENCE, RULES, Dataset, Observation
from tests.unit.analysis.given import LengthEncoder

ALL = list(RULES)


def observations(rule: str, dataset: Dataset, **parameters: object) -> list[Observation]:
    member = RULES[rule]
    inspected = Inspected(Evidence(dataset, LengthEncoder), quality_of_example(dataset))
    return list(member(inspected, member.parameters(**parameters)))


def quality_of_example(dataset: Dataset) -> Quality:
    from sdk_scripts.quality import quality_of

    return quality_of(dataset.project or {})


def found(rule: str, dataset: Dataset) -> list[str]:
    """The rules with a finding, where only this one is asked."""
    quality = quality_of_example(dataset)
    only = {name: False for name in RULES if name != rule} | {rule: quality.rules.get(rule, True)}
    inspected = Inspected(Evidence(dataset, LengthEncoder), quality.model_copy(update={"rules": only}))
    return [finding.rule for finding in inspect_with(inspected).findings]


@pytest.mark.parametrize("rule", ALL)
def test_the_bad_example_is_found(rule: str) -> None:
    assert found(rule, RULES[rule].bad()) == [rule] * len(found(rule, RULES[rule].bad())) != []


@pytest.mark.parametrize("rule", ALL)
def test_the_good_example_is_measured_and_not_found(rule: str) -> None:
    assert observations(rule, RULES[rule].good())
    assert found(rule, RULES[rule].good()) == []


@pytest.mark.parametrize("rule", ALL)
def test_it_says_why_it_matters_and_what_to_do(rule: str) -> None:
    member = RULES[rule]
    assert member.why.endswith(".")
    assert member.do.endswith(".")
    assert type(member).__doc__
    assert all(field.description for field in member.parameters.model_fields.values())


@pytest.mark.parametrize("rule", ALL)
def test_its_observations_hold_what_they_promise(rule: str) -> None:
    for it in (*observations(rule, RULES[rule].bad()), *observations(rule, RULES[rule].good())):
        assert it.p is None or 0 <= it.p <= 1
        assert len(it.evidence) <= MAX_EVIDENCE
        assert it.message.endswith(".")
        assert "\n" not in it.message
        assert it.evidence or not it.off


@pytest.mark.parametrize("rule", ALL)
def test_it_says_nothing_of_an_empty_project(rule: str) -> None:
    with suppress(NotEnoughLabels, ModelUnavailable):
        assert [it for it in observations(rule, example([])) if it.off] == []


@pytest.mark.parametrize("rule", ALL)
def test_below_its_minimum_it_says_nothing(rule: str) -> None:
    with suppress(NotEnoughLabels, ModelUnavailable):
        assert observations(rule, RULES[rule].bad(), minimum=1_000_000) == []
