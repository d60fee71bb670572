"""What people are told, and when: no flood, nothing twice, nothing missed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdk_scripts.monitoring.alerts import DIGEST, LISTED, Due, Told, due, harmless
from sdk_scripts.monitoring.findings_state import Acknowledgement, Standings, compare
from tests.unit.monitoring.inspections import KEY, START, after, finding, inspection

NOW = START.timestamp()
HOUR, DAY = 3600.0, DIGEST.total_seconds()
ANA, BOB = finding("ana"), finding("bob")
FOUND, NOTHING = inspection(ANA), inspection()


def told(standings: Standings, before: Told = Told(), now: float = NOW, **more: Any) -> Due:  # noqa: B008
    known = more.pop("known", {})
    return due(KEY, standings, known, before, now, pause=more.pop("pause", 900.0))


def subjects(it: Due) -> list[str]:
    assert it.message is not None
    return [line.subject for line in it.message.found]


def test_new_findings_are_told_once() -> None:
    first = told(after(FOUND))
    assert subjects(first) == ["ana"]
    again = told(after(FOUND, FOUND), first.after, NOW + HOUR)
    assert (again.message, again.at) == (None, None)


def test_findings_below_the_least_severity_are_not_told() -> None:
    standings = after(inspection(finding("ana", severity="medium"), finding("bob", severity="low")))
    assert subjects(told(standings)) == ["ana"]


def test_one_message_has_all_new_findings_the_worst_first_and_counts_the_rest() -> None:
    many = [finding(f"person{n:02d}", weight=float(n), severity="medium") for n in range(14)]
    message = told(after(inspection(*many, finding("worst", weight=1.0)))).message
    assert message is not None
    assert [it.subject for it in message.found[:2]] == ["worst", "person13"]
    assert (len(message.found), message.more) == (LISTED, 5)


def test_another_message_waits_until_the_pause_is_over() -> None:
    first = told(after(FOUND))
    both = after(FOUND, inspection(ANA, BOB))
    early = told(both, first.after, NOW + 60)
    assert (early.message, early.at) == (None, NOW + 900)
    late = told(both, first.after, NOW + 900)
    assert subjects(late) == ["bob"]
    assert late.message is not None
    assert late.message.still_open == 1


def test_what_is_cleared_is_named_once_and_only_to_who_heard_of_it() -> None:
    gone = after(FOUND, NOTHING)
    assert told(gone).message is None
    first = told(after(FOUND)).after
    message = told(gone, first, NOW + HOUR).message
    assert message is not None
    assert [it.subject for it in message.cleared] == ["ana"]
    assert message.headline == "Tiebreak: 1 cleared in Reviews"
    assert told(gone, told(gone, first, NOW + HOUR).after, NOW + 2 * HOUR).message is None


def test_a_finding_that_flaps_is_told_of_once() -> None:
    now, before, messages = NOW, Told(), 0
    seen = []
    for step in (FOUND, NOTHING, FOUND, NOTHING, FOUND, NOTHING, NOTHING, FOUND):
        seen.append(step)
        it = told(after(*seen), before, now)
        before, messages, now = (it.after if it.message else before), messages + bool(it.message), now + HOUR
    assert messages == 2  # found, cleared


def test_what_comes_back_after_weeks_is_told_anew() -> None:
    heard = told(after(FOUND, NOTHING), told(after(FOUND)).after, NOW + HOUR).after
    later = after(FOUND, NOTHING, *[None] * 400, FOUND)
    assert subjects(told(later, heard, NOW + 402 * HOUR)) == ["ana"]


def test_two_workers_at_once_do_not_tell_the_same() -> None:
    """Each has its own idea of since when, as both found it for the first time."""
    first = told(after(FOUND)).after
    other = after(None, FOUND)
    assert other.open[ANA.key].since != after(FOUND).open[ANA.key].since
    assert told(other, first, NOW + HOUR).message is None


def test_what_stays_open_is_told_in_a_digest_once_a_day() -> None:
    standings = after(FOUND, FOUND)
    first = told(standings).after
    assert told(standings, first, NOW + DAY - 1).message is None
    digest = told(standings, first, NOW + DAY)
    assert digest.message is not None
    assert (digest.message.kind, subjects(digest)) == ("digest", ["ana"])
    assert told(standings, digest.after, NOW + DAY + HOUR).message is None
    again = told(standings, digest.after, NOW + 2 * DAY).message
    assert again is not None
    assert again.id != digest.message.id


def ack(standings: Standings, excess: float | None = None) -> dict[str, Acknowledgement]:
    it = standings.open[ANA.key]
    at = "2026-03-02T10:00:00+00:00"
    return {it.key: Acknowledgement(it.key, "known", at, it.since, it.excess if excess is None else excess)}


def test_an_acknowledged_finding_is_in_no_message_and_no_digest() -> None:
    standings = after(FOUND)
    assert told(standings, known=ack(standings)).message is None
    first = told(standings).after
    assert told(standings, first, NOW + 2 * DAY, known=ack(standings)).message is None


def test_one_that_got_markedly_worse_is_told_of_once_more() -> None:
    standings = after(FOUND)
    known = ack(standings, excess=0.1)
    worse = told(standings, told(standings).after, NOW + HOUR, known=known)
    assert worse.message is not None
    assert [it.state for it in worse.message.found] == ["worse"]
    assert told(standings, worse.after, NOW + 2 * HOUR, known=known).message is None


def test_a_message_that_may_have_arrived_has_the_same_id_when_it_comes_again() -> None:
    standings = after(FOUND)
    first, again = told(standings).message, told(standings, now=NOW + HOUR).message
    assert first is not None
    assert again is not None
    assert (first.id, first.found[0].id) == (again.id, again.found[0].id)


def test_failures_are_tried_again_ever_later_with_all_that_is_due_by_then() -> None:
    failing, waits = Told(), []
    for _ in range(7):
        failing = failing.failed(NOW)
        waits.append(failing.again - NOW)
    assert waits == sorted(waits)
    assert waits[0] == 60
    assert waits[-1] == waits[-2] == 21_600
    both = after(inspection(ANA, BOB))
    assert told(both, failing).at == failing.again
    assert subjects(told(both, failing, failing.again)) == ["ana", "bob"]
    assert Told().failed(NOW, after=5_000.0).again == NOW + 5_000


def test_what_was_told_is_read_back_and_damage_counts_as_nothing() -> None:
    first = told(after(FOUND)).after
    assert Told.from_json(first.to_json()) == first
    for damaged in ({}, {"findings": [1]}, {**first.to_json(), "last": "soon"}, {"findings": {"a": {"b": 1}}}):
        assert Told.from_json(damaged) == Told()


@pytest.mark.parametrize("ping", ["@here", "@channel everyone", "see @bob", "(@all)", "<@U123>", "<!channel>"])
def test_a_ping_is_none(ping: str) -> None:
    assert "@" not in harmless(ping, 99).replace("@\u200b", "")


@pytest.mark.parametrize(
    "link", ["https://evil.example/x", "ftp://evil.example", "www.evil.com", "evil.example", "go to evil.co.uk/now!"]
)
def test_a_link_is_none(link: str) -> None:
    said = harmless(link, 99)
    assert "://" not in said
    assert ".ex" not in said
    assert ".co" not in said


@pytest.mark.parametrize("text", ["ana@example.com", "0.05 of 12", "16 of 40 right (40%). So it is.", "e.g. this"])
def test_harmless_words_stay_as_they_are(text: str) -> None:
    assert harmless(text, 99) == text


@given(st.text(), st.integers(2, 50))
def test_text_is_one_bounded_line(text: str, most: int) -> None:
    said = harmless(text, most)
    assert len(said.replace("\u200b", "")) <= most
    assert not {"\n", "\r", "\u202e", "\x1b"} & set(said)


STEPS = st.lists(
    st.tuples(st.sets(st.sampled_from(["ana", "bob", "cho"])), st.integers(1, 80), st.booleans()),
    min_size=1,
    max_size=15,
)


@given(STEPS)
def test_whatever_comes_and_goes_each_thing_is_told_once_and_in_the_end(
    steps: list[tuple[set[str], int, bool]],
) -> None:
    standings, before, now = Standings(title="Reviews"), Told(), START
    arrived: list[tuple[str, str]] = []

    def tell(receiver_is_up: bool) -> None:
        nonlocal before
        it = told(standings, before, now.timestamp())
        if it.message is None:
            return
        if not receiver_is_up:
            before = before.failed(now.timestamp())
            return
        before = it.after
        lines = (*it.message.found, *it.message.cleared)
        arrived.extend((line.id, line.state) for line in lines if line.state != "open")

    for subjects, hours, up in steps:
        now += timedelta(hours=hours)
        standings = compare(standings, inspection(*map(finding, sorted(subjects))), now).standings
        tell(up)
    now += timedelta(days=1)
    tell(True)
    assert len(set(arrived)) == len(arrived)
    assert {key for key, it in standings.open.items() if not it.away} <= before.findings.keys()
    assert all(before.findings[key].cleared for key in standings.cleared if key in before.findings)
