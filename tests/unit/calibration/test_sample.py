"""Which tasks a round asks about."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sdk_scripts.calibration.rounds import STRATA
from sdk_scripts.calibration.sample import Candidate, draw

CANDIDATES = st.lists(
    st.builds(
        Candidate,
        item=st.integers(-50, 50),
        stratum=st.sampled_from(STRATA),
        labels=st.dictionaries(st.sampled_from("ab"), st.sampled_from("xyz")),
        group=st.one_of(st.none(), st.integers(0, 8)),
        judged_by=st.frozensets(st.sampled_from("uvw")),
    ),
    unique_by=lambda it: it.item,
)


@given(CANDIDATES, st.integers(1, 30), st.randoms())
def test_no_text_is_asked_twice_and_as_many_as_asked_for_wherever_there_are_so_many(
    candidates: list[Candidate], size: int, shuffled: random.Random
) -> None:
    sample = draw(candidates, size, "round-1")
    groups = [it.item if it.group is None else f"group {it.group}" for it in sample.chosen]
    different = {it.item if it.group is None else f"group {it.group}" for it in candidates}
    assert len(set(groups)) == len(groups) == min(size, len(different))
    mixed = list(candidates)
    shuffled.shuffle(mixed)
    assert draw(mixed, size, "round-1") == sample


def plain(number: int, **more: object) -> list[Candidate]:
    return [Candidate(item, STRATA[item % 4], **more) for item in range(number)]


def test_each_stratum_has_a_quarter_and_another_round_other_tasks() -> None:
    one, two = (draw(plain(400), 40, name) for name in ("round-1", "round-2"))
    assert Counter(it.stratum for it in one.chosen) == dict.fromkeys(STRATA[:4], 10)
    assert not one.short
    assert len({it.item for it in one.chosen} & {it.item for it in two.chosen}) < 20


def test_what_falls_short_is_told_with_what_it_was_filled_from() -> None:
    few = [Candidate(n, "gold") for n in range(2)] + [Candidate(n, "sure") for n in range(10, 40)]
    few += [Candidate(n, "rest") for n in range(50, 53)] + [Candidate(n, "unsure") for n in range(60, 90)]
    sample = draw(few, 20)
    assert Counter(it.stratum for it in sample.chosen) == {"gold": 2, "rest": 3, "unsure": 10, "sure": 5}
    told = {it.stratum: it.to_json() for it in sample.short}
    assert told["gold"] == {"stratum": "gold", "wanted": 5, "found": 2, "filled_from": {"rest": 3}}
    assert told["hard"] == {"stratum": "hard", "wanted": 5, "found": 0, "filled_from": {"unsure": 5}}


def test_a_rare_label_is_not_lost() -> None:
    usual = [Candidate(n, STRATA[n % 4], {"verdict": "allow"}) for n in range(1000)]
    rare = [Candidate(2000 + n, STRATA[n % 4], {"verdict": "reject"}) for n in range(8)]
    sample = draw([*usual, *rare], 40)
    assert sum(it.labels["verdict"] == "reject" for it in sample.chosen) == 8


def test_what_people_have_judged_comes_last_and_the_hardest_first() -> None:
    judged = [Candidate(n, "hard", judged_by=frozenset("u"), harm=9) for n in range(5)]
    fresh = [Candidate(10 + n, "hard", harm=n) for n in range(5)]
    taken = [it.item for it in draw([*judged, *fresh], 28).chosen]
    assert taken[:5] == [14, 13, 12, 11, 10]
    assert sorted(taken[5:]) == [0, 1, 2, 3, 4]
