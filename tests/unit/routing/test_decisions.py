"""Where a task goes: the laws that hold whatever the policy and the facts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.labeling.arms import Arms
from ml_backend.labeling.config import parse
from ml_backend.labeling.thresholds import Threshold
from ml_backend.policy import Accept, Expert, Policy, Tier
from ml_backend.prelabelers import Opinion
from sdk_scripts.route_decisions import Judged, Route, decide, models_differ, unanswered
from tests.unit.routing.policies import judged, policies, thresholds

SURE = Judged(1, confidence=0.99)
TWO_TIERS = Policy(accept=Accept(tiers=(Tier(), Tier(severity=5, error=0.001)), people_from=10))
KNOWN = {(0.0, "local"): Threshold(0.9, 0.5, 100, 0, 0.01), (5.0, "local"): Threshold(0.98, 0.5, 100, 0, 0.001)}


def route(policy: Policy = TWO_TIERS, facts: Judged = SURE, **more: bool) -> Route:
    return decide(policy, KNOWN, facts, **more)


@given(policies, thresholds, judged, st.booleans(), st.booleans())
def test_whatever_the_policy_the_laws_of_routing_hold(policy, known, facts, audited, stopped) -> None:  # type: ignore[no-untyped-def]
    found = decide(policy, known, facts, audited=audited, stopped=stopped)
    assert found.task == facts.task
    assert found.why
    assert found.audit <= (audited and found.destination == "machine")
    if facts.arm != "plain":
        assert found.destination == "human"
    if found.destination == "machine":
        assert policy.accept is not None
        assert not stopped
        assert facts.confidence is not None
        tier = policy.accept.tier(facts.severity)
        assert tier is not None
        threshold = known[tier.severity, facts.by]
        assert threshold is not None
        assert facts.confidence >= threshold.confidence - 1e-6
        surer = replace(facts, confidence=1.0)
        assert decide(policy, known, surer, audited=audited).destination == "machine"
    if found.destination == "expert":
        assert policy.expert is not None
        assert decide(policy, {}, facts, stopped=True).destination == "expert"


@pytest.mark.parametrize(
    ("facts", "destination", "why"),
    [
        (SURE, "machine", "as sure as"),
        (replace(SURE, confidence=0.5), "human", "not sure enough"),
        (replace(SURE, confidence=None, lacking="no answer to why"), "human", "no answer to why"),
        (replace(SURE, severity=5.0, confidence=0.97), "human", "not sure enough"),
        (replace(SURE, severity=5.0), "machine", "as sure as"),
        (replace(SURE, severity=10.0, confidence=1.0), "human", "that severe"),
        (replace(SURE, by="joint"), "human", "no threshold"),
        (replace(SURE, arm="blind"), "human", "experiment"),
        (replace(SURE, arm="seeded"), "human", "experiment"),
    ],
)
def test_a_task_goes_where_the_policy_sends_it_and_says_why(facts: Judged, destination: str, why: str) -> None:
    found = route(facts=facts)
    assert found.destination == destination
    assert why in found.why


def test_a_stopped_auto_accept_accepts_nothing_and_says_so() -> None:
    found = route(stopped=True)
    assert (found.destination, found.why) == ("human", "auto-accept has stopped")


@pytest.mark.parametrize(
    ("expert", "facts", "control"),
    [
        (Expert(severity_from=5), replace(SURE, severity=5.0, severe="verdict"), "verdict"),
        (Expert(models_differ=0.8), replace(SURE, differ=0.85, differing="verdict"), "verdict"),
        (Expert(instruction_like=True), replace(SURE, instruction="the text asks for a label"), ""),
    ],
)
def test_each_reason_for_an_expert_comes_before_the_machine(expert: Expert, facts: Judged, control: str) -> None:
    found = decide(TWO_TIERS.model_copy(update={"expert": expert}), KNOWN, facts)
    assert (found.destination, found.control) == ("expert", control)
    assert decide(TWO_TIERS, KNOWN, facts).destination == "machine"
    assert decide(TWO_TIERS.model_copy(update={"expert": Expert()}), KNOWN, facts).destination == "machine"


def test_about_the_share_asked_for_is_audited_and_which_does_not_change() -> None:
    arms = Arms("secret")
    chosen = {task for task in range(5_000) if arms.audited(task, 0.1)}
    assert 400 <= len(chosen) <= 600
    assert chosen <= {task for task in range(5_000) if arms.audited(task, 0.3)}


CONFIG = parse(
    '<View><Text name="t" value="$t"/><Choices name="verdict" toName="t"><Choice value="ok"/><Choice value="bad"/>'
    '</Choices><View visibleWhen="choice-selected" whenTagName="verdict" whenChoiceValue="bad">'
    '<Choices name="clause" toName="t"><Choice value="a"/><Choice value="b"/></Choices>'
    '<TextArea name="why" toName="t" required="true"/><TextArea name="remark" toName="t"/></View>'
    '<Choices name="feedback" toName="t" tiebreak="feedback"><Choice value="x"/></Choices></View>'
)


def test_a_control_that_an_answer_brings_on_the_screen_and_nobody_answers_is_named_but_for_remarks() -> None:
    assert unanswered(CONFIG, {"verdict": ("ok",)}) == []
    assert unanswered(CONFIG, {"verdict": ("bad",), "clause": ("a",)}) == ["why"]
    assert unanswered(CONFIG, {"verdict": ("bad",)}) == ["clause", "why"]
    assert unanswered(CONFIG, {}) == ["verdict"]


def opinions(**said: tuple[str, float]) -> dict[str, Opinion]:
    return {name: Opinion((label,), confidence) for name, (label, confidence) in said.items()}


def test_models_differ_where_both_answer_what_is_on_their_screens_and_not_alike() -> None:
    local = opinions(verdict=("bad", 0.9), clause=("a", 0.7))
    assert models_differ(CONFIG, local, opinions(verdict=("ok", 0.8), clause=("b", 0.99))) == (0.8, "verdict")
    assert models_differ(CONFIG, local, opinions(verdict=("bad", 0.8), clause=("b", 0.99))) == (0.7, "clause")
    assert models_differ(CONFIG, local, local) == (0.0, "")
    assert models_differ(CONFIG, local, {}) == (0.0, "")
