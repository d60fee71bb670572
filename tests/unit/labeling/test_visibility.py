from __future__ import annotations

import pytest

from ml_backend.labeling.answers import on_screen
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.kinds import Answer

MODERATION = parse("""<View><Text name="text" value="$text"/>
  <Choices name="severity" toName="text" visibleWhen="choice-selected" whenTagName="policy"><Choice value="low"/>
    <Choice value="high"/></Choices>
  <Choices name="verdict" toName="text"><Choice value="Allow" alias="allow"/><Choice value="Reject" alias="reject"/>
    <Choice value="Escalate" alias="escalate"/></Choices>
  <View visibleWhen="choice-selected" whenTagName="verdict" whenChoiceValue="reject, Escalate">
    <Choices name="policy" toName="text"><Choice value="ip"/><Choice value="safety"/></Choices></View>
  <Choices name="why" toName="text" visibleWhen="region-selected"><Choice value="x"/><Choice value="y"/></Choices>
</View>""")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"verdict": ("allow",), "policy": ("ip",), "severity": ("low",)}, {"verdict"}),
        ({"verdict": ("reject",), "policy": ("ip",), "severity": ("low",)}, {"verdict", "policy", "severity"}),
        ({"verdict": ("escalate",), "policy": ("ip",)}, {"verdict", "policy"}),
        ({"verdict": ("reject",), "severity": ("low",)}, {"verdict"}),
        ({"policy": ("ip",), "severity": ("low",)}, set()),
        ({"verdict": ("allow",), "why": ("x",)}, {"verdict"}),
        ({}, set()),
    ],
)
def test_a_control_is_answered_where_its_condition_is_met(given: dict[str, Answer], shown: set[str]) -> None:
    assert on_screen(MODERATION, given, when_unknown=False) == {
        name: answer for name, answer in given.items() if name in shown
    }


def test_a_condition_on_a_branch_of_a_taxonomy_is_met_by_its_label() -> None:
    config = parse("""<View><Text name="text" value="$text"/><Taxonomy name="topic" toName="text"><Choice value="Food">
      <Choice value="Fish"/></Choice></Taxonomy><Choices name="fresh" toName="text" visibleWhen="choice-selected"
      whenTagName="topic" whenChoiceValue="Fish"><Choice value="yes"/><Choice value="no"/></Choices></View>""")
    given: dict[str, Answer] = {"topic": (("Food", "Fish"),), "fresh": ("yes",)}
    assert on_screen(config, given, when_unknown=False) == given


def circle() -> LabelConfig:
    return parse("""<View><Text name="text" value="$text"/>
      <Choices name="a" toName="text" visibleWhen="choice-selected" whenTagName="b"><Choice value="x"/></Choices>
      <Choices name="b" toName="text" visibleWhen="choice-selected" whenTagName="a"><Choice value="x"/></Choices>
    </View>""")


@pytest.mark.parametrize("when_unknown", [True, False])
def test_controls_that_wait_for_each_other_are_never_seen(when_unknown: bool) -> None:
    assert on_screen(circle(), {"a": ("x",), "b": ("x",)}, when_unknown=when_unknown) == {}
