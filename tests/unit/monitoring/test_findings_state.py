"""What is new, what continues, what is cleared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdk_scripts.monitoring.findings_state import Acknowledgement, Standings, acknowledged, compare
from tests.unit.monitoring.inspections import START, after, finding, inspection, standing

ANA = finding("ana")
FOUND, NOTHING = inspection(ANA), inspection()


def test_the_first_inspection_finds_everything_new() -> None:
    found = compare(Standings(), FOUND, START)
    assert found.states == {ANA.key: "new"}
    assert found.standings.open[ANA.key].since == START.isoformat(timespec="seconds")


def test_what_is_found_again_continues_since_it_was_first_found() -> None:
    found = compare(after(FOUND), FOUND, START + timedelta(hours=5))
    assert found.states == {ANA.key: "continuing"}
    it = found.standings.open[ANA.key]
    assert (it.since, it.seen, it.times) == ("2026-03-02T09:00:00+00:00", "2026-03-02T14:00:00+00:00", 2)


def test_what_is_found_no_more_is_cleared_at_once() -> None:
    found = compare(after(FOUND), NOTHING, START + timedelta(hours=5))
    assert [it.cleared_at for it in found.cleared] == ["2026-03-02T14:00:00+00:00"]
    assert found.standings.open == {}
    assert compare(found.standings, NOTHING, START + timedelta(hours=6)).cleared == ()


def test_a_rule_that_could_not_look_clears_nothing() -> None:
    found = compare(after(FOUND), inspection(measured=["speed"]), START + timedelta(hours=5))
    assert found.cleared == ()
    assert [it.key for it in found.unseen] == [ANA.key]
    assert compare(found.standings, FOUND, START + timedelta(hours=6)).states == {ANA.key: "continuing"}


def test_what_comes_back_within_days_is_not_new() -> None:
    found = compare(after(FOUND, NOTHING), FOUND, START + timedelta(days=3))
    assert found.states == {ANA.key: "continuing"}
    assert found.standings.open[ANA.key].since == "2026-03-02T09:00:00+00:00"


def test_what_comes_back_after_weeks_is_new() -> None:
    assert compare(after(FOUND, NOTHING), FOUND, START + timedelta(days=9)).states == {ANA.key: "new"}


def test_what_flaps_is_cleared_ever_later() -> None:
    """Once it has come back it has to stay away twice in a row, then three times."""
    once = after(FOUND, NOTHING, FOUND, NOTHING)
    assert once.open[ANA.key].away == 1
    assert after(FOUND, NOTHING, FOUND, NOTHING, NOTHING).open == {}
    twice = after(FOUND, NOTHING, FOUND, NOTHING, FOUND, NOTHING, NOTHING)
    assert twice.open[ANA.key].away == 2
    assert after(FOUND, NOTHING, FOUND, NOTHING, FOUND, NOTHING, NOTHING, NOTHING).open == {}


def test_cleared_findings_are_forgotten_after_a_month() -> None:
    assert compare(after(FOUND, NOTHING), NOTHING, START + timedelta(days=29)).standings.cleared
    assert not compare(after(FOUND, NOTHING), NOTHING, START + timedelta(days=40)).standings.cleared


@pytest.mark.parametrize(
    ("value", "known"),
    [(0.4, True), (0.3, True), (0.1, False)],  # 0.8 is the threshold: 0.4, 0.5 and 0.7 beyond it
)
def test_an_acknowledgement_holds_until_it_gets_markedly_worse(value: float, known: bool) -> None:
    it = standing()
    said = {it.key: Acknowledgement(it.key, "She is new.", it.seen, it.since, it.excess)}
    assert bool(acknowledged([replace(it, value=value)], said)) == known


def test_an_acknowledgement_is_not_of_a_later_finding() -> None:
    it = standing()
    said = {it.key: Acknowledgement(it.key, "She is new.", it.seen, "2025-01-01T00:00:00+00:00", it.excess)}
    assert not acknowledged([it], said)


STEPS = st.lists(
    st.tuples(st.sets(st.sampled_from("abcd")), st.sets(st.sampled_from(["gold_failures", "speed"]), min_size=1)),
    max_size=8,
)


@given(STEPS)
def test_nothing_is_lost_and_nothing_is_both_open_and_cleared(steps: Sequence[tuple[set[str], set[str]]]) -> None:
    before = Standings()
    for number, (subjects, measured) in enumerate(steps):
        rules = {"a": "speed", "b": "speed"}
        found = [finding(who, rules.get(who, "gold_failures")) for who in sorted(subjects)]
        found = [it for it in found if it.rule in measured]
        now = compare(before, inspection(*found, measured=measured), START + timedelta(hours=number))
        after = now.standings
        assert not after.open.keys() & after.cleared.keys()
        assert set(now.states) == {it.key for it in found} <= after.open.keys()
        assert before.open.keys() | before.cleared.keys() <= after.open.keys() | after.cleared.keys()
        assert all(it.rule in measured for it in now.cleared)
        before = Standings.from_json(after.to_json())
        assert before == after
