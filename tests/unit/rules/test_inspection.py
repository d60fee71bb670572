"""What is a finding among all that rules measure, and whose doing it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from ml_backend.labeling.errors import UnknownName
from ml_backend.settings import Settings
from sdk_scripts.inspection import benjamini_hochberg, inspect
from sdk_scripts.quality import Quality
from sdk_scripts.rule_examples import Given, example


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_p_values_are_adjusted_as_scipy_does(tested: list[float]) -> None:
    assert benjamini_hochberg(tested) == pytest.approx(false_discovery_control(tested).tolist())


def test_facts_are_no_tests() -> None:
    assert benjamini_hochberg([None, 0.01, None, 0.04]) == [None, 0.02, None, 0.04]


def test_a_rule_that_is_left_out_finds_nothing(settings: Settings) -> None:
    dataset = example(
        (Given(task, "ana", "negative") for task in range(1, 41)), truths=dict.fromkeys(range(1, 41), "positive")
    )
    assert "gold_failures" in {it.rule for it in inspect(dataset, settings).findings}
    left_out = Quality(rules={"gold_failures": False})
    assert "gold_failures" not in {it.rule for it in inspect(dataset, settings, quality=left_out).findings}


def test_an_unknown_rule_is_an_error(settings: Settings) -> None:
    with pytest.raises(UnknownName, match="gold_failures"):
        inspect(example([]), settings, quality=Quality(rules={"gold_failure": False}))


def cause(others_wrong_on: range, settings: Settings) -> str:
    """Of Ana's failures on tasks 1 to 30, where Ben and Chi are wrong on those tasks, too."""
    truths = {task: "positive" if task <= 60 else "negative" for task in range(1, 81)}
    wrong = {"ana": range(1, 31), "ben": others_wrong_on, "chi": others_wrong_on}
    rows = [
        Given(task, who, "neutral" if task in wrong[who] else truth) for task, truth in truths.items() for who in wrong
    ]
    found = inspect(example(rows, truths=truths), settings)
    failures = [it for it in found.findings if it.rule == "gold_failures"]
    return next(it.blame.cause for it in failures if it.observation.subject == "ana")


def test_who_is_wrong_alone_is_to_be_talked_to(settings: Settings) -> None:
    assert cause(range(0), settings) == "annotator"


def test_items_that_everybody_has_wrong_are_items(settings: Settings) -> None:
    assert cause(range(1, 31), settings) == "item"


def test_a_mix_up_that_others_make_elsewhere_is_the_guideline(settings: Settings) -> None:
    assert cause(range(31, 61), settings) == "guideline"
