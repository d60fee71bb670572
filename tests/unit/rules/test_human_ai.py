"""Rules of working with the machine, where a naive one would accuse the wrong person."""

from __future__ import annotations

import pytest

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from tests.unit.rules.test_every_rule import observations


def seeded(who: str, kept: int, of: int) -> list[Given]:
    return [
        Given(task, who, "negative" if task <= kept else "positive", shown="negative", arm="seeded")
        for task in range(1, of + 1)
    ]


def test_a_seed_that_a_review_found_right_is_no_stamp() -> None:
    dataset = example(seeded("ana", 10, 12), truths=dict.fromkeys(range(1, 9), "negative"))
    assert observations("rubber_stamping", dataset) == []
    [it] = observations("rubber_stamping", dataset, minimum=4)
    assert (it.value, it.n) == (0.5, 4)


def test_as_many_seeds_as_luck_and_slips_bring_are_no_stamp() -> None:
    [it] = observations("rubber_stamping", example(seeded("ana", 2, 12)))
    assert not it.off
    [it] = observations("rubber_stamping", example(seeded("ana", 5, 5)))
    assert it.off


def test_without_seeds_nothing_can_be_said_of_stamps() -> None:
    with pytest.raises(NotEnoughLabels, match="seeded"):
        observations("rubber_stamping", example([Given(1, "ana", "positive", shown="positive")]))


def stampers_and_one_who_looks() -> list[Given]:
    return [
        Given(task, who, "negative" if who == "ana" and task % 2 else "positive", shown="positive")
        for task in range(1, 41)
        for who in ("ana", "ben", "chi", "dee")
    ]


def test_who_looks_where_the_others_stamp_is_not_accused() -> None:
    with pytest.raises(NotEnoughLabels):
        observations("over_correction", example(stampers_and_one_who_looks()))
    truths = {task: "negative" if task % 2 else "positive" for task in range(1, 41)}
    found = observations("over_correction", example(stampers_and_one_who_looks(), truths=truths))
    assert [it.subject for it in found if it.off] == []


def test_what_the_others_say_counts_as_right_only_where_it_is_asked_for() -> None:
    found = observations("over_correction", example(stampers_and_one_who_looks()), by_others=True)
    assert [it.subject for it in found if it.off] == ["ana"]


def test_tasks_labelled_blind_are_no_corrections() -> None:
    rows = [Given(task, "ana", "neutral", shown="positive", arm="blind") for task in range(1, 41)]
    with pytest.raises(NotEnoughLabels):
        observations("over_correction", example(rows, truths=dict.fromkeys(range(1, 41), "positive")))


def arms(who: str, first: int, score_blind: float) -> list[Given]:
    """Where the machine is sure everybody agrees with it, where it is not every second time, seen or unseen."""
    rows = []
    for task in range(first, first + 120):
        blind = task % 3 == 0
        sure = not blind and task % 4 > 0
        label = "positive" if sure or task % 2 else "neutral"
        arm, score = ("blind", score_blind) if blind else ("plain", 0.97 if sure else 0.6)
        rows.append(Given(task, who, label, shown="positive", arm=arm, score=score))
    return rows


def test_blind_tasks_that_the_machine_is_unsure_of_are_compared_with_such() -> None:
    rows = arms("ana", 1, 0.6)
    unsure = [row for row in rows if row.score == 0.6]
    assert {row.answers for row in unsure} == {"positive", "neutral"}
    assert not any(it.off for it in observations("anchoring", example(rows)))


def test_the_team_is_measured_beside_its_people() -> None:
    both = [*arms("ana", 1, 0.6), *arms("ben", 121, 0.6)]
    assert [it.subject for it in observations("anchoring", example(both))] == ["", "ana", "ben"]
    assert [it.subject for it in observations("anchoring", example(arms("ana", 1, 0.6)))] == ["ana"]
