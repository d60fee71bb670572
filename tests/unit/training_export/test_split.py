"""Splits that leak nothing, have every label, and stay."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.analysis import exports
from unit.training_export import labelled

from ml_backend.labeling.errors import InputError
from sdk_scripts.training_export.groups import groups_of
from sdk_scripts.training_export.rows import Wanted, rows
from sdk_scripts.training_export.split import SHARES, Event, balance, shares_of, splits_of

ALL = Wanted(mark_gold=True, mark_unsure=True)
events = st.lists(
    st.builds(Event, st.tuples(st.integers(-1, 30), st.integers(1, 99)), st.integers(1, 40), st.sampled_from("abcd")),
    max_size=80,
)


def content(events: list[Event]) -> dict[int, str]:
    return {event.group: f"text {event.group}" for event in events}


def drawn(n: int, labels: str, seed: int = 0) -> list[Event]:
    """n groups, each with one of the labels, those first in the alphabet much more often."""
    rng = random.Random(seed)
    weights = [2.0**-place for place in range(len(labels))]
    return [Event((id, id), id, rng.choices(labels, weights)[0]) for id in range(1, n + 1)]


@given(events, st.randoms(use_true_random=False), st.integers(0, 5))
def test_a_split_does_not_depend_on_the_order_of_what_it_is_told(
    given: list[Event], order: random.Random, seed: int
) -> None:
    shuffled = [*given, *given[:3]]
    order.shuffle(shuffled)
    assert splits_of(given, content(given), seed=seed) == splits_of(shuffled, content(given), seed=seed)


@given(events, events)
def test_labels_given_later_change_no_split(first: list[Event], more: list[Event]) -> None:
    later = [Event((it.order[0] + 100, it.order[1]), it.group, it.label) for it in more]
    before = splits_of(first, content(first))
    after = splits_of([*first, *later], content([*first, *later]))
    assert {group: after[group] for group in before} == before


@given(events, st.sampled_from([(1.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.9, 0.0, 0.1)]))
def test_a_split_that_nobody_asked_for_stays_empty(given: list[Event], shares: tuple[float, ...]) -> None:
    assert all(shares[place] for place in splits_of(given, content(given), shares).values())


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_kept_for_all_and_for_each_label(seed: int) -> None:
    given = drawn(3000, "abcde", seed)
    places = splits_of(given, content(given), seed=seed)
    for label in "abcde":
        of = [places[event.group] for event in given if event.label == label]
        for place, share in enumerate(SHARES):
            assert abs(of.count(place) - share * len(of)) <= 3 + 3 * (share * len(of)) ** 0.5
    assert [list(places.values()).count(place) / 3000 for place in range(3)] == pytest.approx(SHARES, abs=0.02)


@pytest.mark.parametrize("seed", range(20))
def test_a_rare_label_is_in_every_split_from_its_third_group_on(seed: int) -> None:
    given = drawn(300, "ab", seed)
    rare = [Event((1000 + place, place), 1000 + place, "rare") for place in range(3)]
    places = splits_of([*given, *rare], content([*given, *rare]), seed=seed)
    assert {places[event.group] for event in rare} == {0, 1, 2}


def test_many_rare_labels_do_not_drown_the_shares() -> None:
    given = [Event((id, id), id, id % 150) for id in range(1, 451)]
    places = list(splits_of(given, content(given)).values())
    assert places.count(2) / 450 < 0.2
    assert places.count(1) / 450 < 0.2


def test_another_seed_splits_otherwise() -> None:
    given = drawn(200, "ab")
    assert splits_of(given, content(given), seed=1) != splits_of(given, content(given), seed=2)


@pytest.mark.parametrize("text", ["0.8,0.2", "a,b,c", "0.5,0.5,0.5", "1.2,-0.1,-0.1", "nan,0,1", "0,0.5,0.5"])
def test_shares_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"Give three shares"):
        shares_of(text)
    assert shares_of("0.7, 0.1, 0.2") == (0.7, 0.1, 0.2)


copies = st.lists(st.tuples(st.integers(1, 6), st.sampled_from(["", " again", "!"])), min_size=2, max_size=25)
"""Which text each task has, and how it differs from others of it."""


def texts(given: list[tuple[int, str]]) -> dict[int, str]:
    return {id: labelled.text(number) + ending for id, (number, ending) in enumerate(given, start=1)}


@settings(max_examples=40)
@given(copies, st.data())
def test_no_group_of_near_duplicates_crosses_a_split(given: list[tuple[int, str]], data: st.DataObject) -> None:
    votes = data.draw(st.lists(st.lists(st.sampled_from(labelled.LABELS), min_size=1, max_size=2), min_size=len(given)))
    found = labelled.by_task(rows(labelled.of(votes[: len(given)], texts(given)), ALL))
    splits: dict[int, set[str]] = {}
    for task, row in found.items():
        splits.setdefault(given[task - 1][0], set()).add(row.split)
        assert row.group == min(id for id, (number, _) in enumerate(given, start=1) if number == given[task - 1][0])
    assert all(len(found) == 1 for found in splits.values())


@settings(max_examples=30)
@given(labelled.votes.filter(any), labelled.votes, st.integers(1, 3))
def test_a_task_keeps_its_split_when_tasks_and_labels_are_added(
    votes: list[list[str]], more: list[list[str]], again: int
) -> None:
    before = labelled.by_task(rows(labelled.of(votes), ALL))
    json = labelled.tasks([*votes, *more])
    for task in json[: len(votes)][::again]:
        late = [exports.annotation(90_000 + task["id"], 77, exports.choice("sentiment", "neutral"))]
        task["annotations"] += [{**it, "created_at": "2027-01-01T00:00:00Z"} for it in late]
    for task in json[len(votes) :]:
        task["annotations"] = [{**it, "created_at": "2027-01-01T00:00:00Z"} for it in task["annotations"]]
    after = labelled.by_task(rows(labelled.evidence(json), ALL))
    assert {task: after[task].split for task in before} == {task: row.split for task, row in before.items()}


def test_controls_of_a_task_share_its_split_whichever_are_exported() -> None:
    json = [
        exports.task(
            id,
            labelled.text(id),
            [
                exports.annotation(
                    id,
                    1,
                    exports.choice("verdict", "allow"),
                    {"from_name": "stars", "to_name": "text", "type": "rating", "value": {"rating": 1 + id % 5}},
                )
            ],
        )
        for id in range(1, 60)
    ]
    evidence = labelled.evidence(json, exports.EVERY_KIND)
    both, one = rows(evidence, ALL), rows(evidence, Wanted(controls=("stars",), mark_unsure=True))
    split = {task: row.split for task, row in labelled.by_task(both, "verdict").items()}
    assert split == {task: row.split for task, row in labelled.by_task(both, "stars").items()}
    assert split == {task: row.split for task, row in labelled.by_task(one, "stars").items()}
    assert len(set(split.values())) == 3


def test_tasks_about_the_same_image_are_one_group_and_those_without_text_or_image_by_their_data() -> None:
    xml = """<View><Image name="i" value="$image"/><Choices name="c" toName="i"><Choice value="x"/></Choices></View>"""
    json = [exports.task(id, "") for id in range(1, 6)]
    for task, data in zip(json, [{"image": "a"}, {"image": "b"}, {"image": "a"}, {"x": 1}, {"x": 1}], strict=True):
        task["data"] = data
    assert groups_of(labelled.evidence(json, xml)) == {1: 1, 2: 2, 3: 1, 4: 4, 5: 4}


def test_the_balance_says_how_far_shares_are_off_and_which_groups_are_too_large() -> None:
    found = balance({1: "train", 2: "train", 3: "train", 4: "test"}, {1: 1, 2: 1, 3: 1, 4: 4}, (0.5, 0.0, 0.5))
    assert found.rows == {"train": 3, "validation": 0, "test": 1}
    assert found.off == pytest.approx(0.25)
    assert (found.groups, found.alike, found.largest, found.too_large) == (2, 1, 3, 1)
