from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ml_backend.labeling.errors import ConfigError
from ml_backend.policy import (
    Accept,
    Expert,
    LargeModel,
    Policy,
    Tier,
    policy_line,
    policy_of,
    stop_of,
    without_lines,
    without_stop,
)
from ml_backend.settings import Settings

shares = st.floats(0, 0.5)
severities = st.floats(0, 100)
errors = st.floats(0.001, 0.5)
tiers = st.lists(
    st.builds(Tier, severity=severities, error=errors), min_size=1, max_size=4, unique_by=lambda it: it.severity
)
large_models = st.builds(LargeModel, samples=st.integers(1, 20), tokens_a_day=st.none() | st.integers(0, 10**9))
policies = st.builds(
    Policy,
    accept=st.none()
    | st.builds(
        Accept,
        tiers=tiers,
        people_from=st.none() | severities,
        audit=st.floats(0.001, 1),
        account=st.none() | st.just("Machine@Example.com"),
    ),
    expert=st.none() | st.builds(Expert, severity_from=st.none() | severities, instruction_like=st.booleans()),
    blind=shares,
    seeded=st.floats(0, 0.2),
    large_model=st.none() | large_models,
    automatic=st.booleans(),
)
STOP = (
    'tiebreak auto-accept stopped: {"at": "2026-11-26T10:00:00Z", "audits": 4, "errors": 2, "version": "v", "why": "é"}'
)


@given(policies, st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_policy_is_read_back_from_its_line_whatever_people_wrote_around_it(policy: Policy, words: str) -> None:
    text = f"{without_lines(words)}\r\n\r\n  tiebreak policy: {policy.line()}\r\n{STOP}\r\ntiebreak: reviews"
    assert policy_of({"description": text}) == policy
    assert Policy.model_validate_json(policy.line()).fingerprint == policy.fingerprint
    assert policy_line(without_lines(text)) is None


def test_an_empty_section_is_not_the_same_as_none() -> None:
    assert Policy(accept=Accept()).line() == '{"accept": {}}'
    assert Policy().line() == "{}"
    assert Policy(accept=Accept()).fingerprint != Policy().fingerprint


def test_of_several_lines_the_last_counts_and_without_one_everything_is_off() -> None:
    assert policy_of({"description": 'tiebreak policy: {"blind": 0.1}\ntiebreak policy: {"blind": 0.2}'}).blind == 0.2
    for description in (None, "", "We have a tiebreak policy: be kind", 7):
        assert policy_of({"description": description}) == Policy()
        assert stop_of({"description": description}) is None


@pytest.mark.parametrize("line", ["{oops", "[]", '{"blind": 0.6}', '{"blnd": 0.1}', "null"])
def test_a_line_that_people_broke_names_the_project_the_reason_and_the_mend(line: str) -> None:
    with pytest.raises(ConfigError, match="project 7 cannot be read") as caught:
        policy_of({"id": 7, "description": f"tiebreak policy: {line}"})
    assert caught.value.reasons
    assert "tiebreak sync" in str(caught.value)


def test_a_stop_is_read_and_taken_away_without_anything_else() -> None:
    text = f'Ours.\n\ntiebreak policy: {{"accept": {{}}}}\n{STOP}\ntiebreak: reviews'
    stop = stop_of({"description": text})
    assert stop is not None
    assert (stop.audits, stop.errors, stop.why) == (4, 2, "é")
    assert without_stop(text) == 'Ours.\n\ntiebreak policy: {"accept": {}}\n\ntiebreak: reviews'
    assert stop_of({"description": without_stop(text)}) is None
    with pytest.raises(ConfigError, match="auto-accept stopped"):
        stop_of({"description": "tiebreak auto-accept stopped: why not"})


def test_the_tier_of_a_task_is_the_highest_that_begins_at_or_below_its_severity() -> None:
    accept = Accept(tiers=(Tier(severity=3, error=0.005), Tier(severity=0, error=0.02)), people_from=4)
    found = [accept.tier(severity) for severity in (0, 2.9, 3, 3.9, 4, 9)]
    assert [tier and tier.error for tier in found] == [0.02, 0.02, 0.005, 0.005, None, None]
    with pytest.raises(ValidationError, match="two tiers begin at severity 3"):
        Accept(tiers=(Tier(severity=3), Tier(severity=3)))
    assert Accept(tiers=(Tier(severity=1),)).tier(0.5) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"blind": -0.1},
        {"blind": 0.51},
        {"seeded": 0.21},
        {"accept": {"audit": 0}},
        {"accept": {"tiers": []}},
        {"accept": {"account": "me"}},
        {"large_model": {"money_a_day": 1}},
        {"large_model": {"samples": 0}},
        {"expert": {"models_differ": 2}},
        {"other": 1},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate(wrong)


def test_a_short_secret_is_refused_and_none_is_printed() -> None:
    with pytest.raises(ValidationError, match="16 characters"):
        Settings(_env_file=None, policy_secret="short")
    assert "sixteen" not in repr(Settings(_env_file=None, policy_secret="sixteen letters or more"))
