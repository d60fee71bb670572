"""Whose labels are wrong, or change; and who only got the hard items."""

from __future__ import annotations

import random

import polars as pl
import pytest

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.evidence import Evidence
from sdk_scripts.inspected import Inspected
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules.consensus_quality import agreeing
from tests.unit.rules.test_every_rule import observations

LABELS = ("positive", "neutral", "negative")


def off(rule: str, rows: list[Given], **more: object) -> list[str]:
    return sorted({it.subject for it in observations(rule, example(rows, **more)) if it.off})


def answered(who: str, tasks: range, error: float, seed: int) -> list[Given]:
    """The right answer of a task is its number's; so often another."""
    chance = random.Random(seed)
    return [Given(task, who, LABELS[(task + (chance.random() < error)) % 3]) for task in tasks]


def test_who_got_only_hard_items_does_not_agree_less_than_the_others_there() -> None:
    hard, easy = range(1, 81), range(81, 241)
    rows = answered("ana", hard, 0.4, 1)
    for seed, who in enumerate(("ben", "chi", "dan"), 2):
        rows += [*answered(who, hard, 0.4, seed), *answered(who, easy, 0.02, seed)]
    assert off("consensus_quality", rows) == []


def test_who_guesses_agrees_less_than_the_others() -> None:
    rows = answered("ana", range(1, 201), 0.6, 1)
    rows += [it for seed, who in enumerate(("ben", "chi"), 2) for it in answered(who, range(1, 201), 0.1, seed)]
    assert off("consensus_quality", rows) == ["ana"]


def test_two_who_disagree_do_not_tell_who_is_wrong() -> None:
    rows = [*answered("ana", range(1, 101), 0.6, 1), *answered("ben", range(1, 101), 0.0, 2)]
    with pytest.raises(NotEnoughLabels):
        observations("consensus_quality", example(rows))


def test_where_every_item_has_two_people_the_other_pairs_tell_who_is_wrong() -> None:
    people = ("ana", "ben", "chi", "dan", "eva")
    rows = []
    for task in range(1, 401):
        for place, who in enumerate((people[task % 5], people[(task + 1 + task // 5 % 4) % 5])):
            rows += answered(who, range(task, task + 1), 0.7 if who == "ana" else 0.05, 10 * task + place)
    assert off("consensus_quality", rows) == ["ana"]


def test_among_people_who_work_alike_the_gap_is_nil_within_every_item() -> None:
    chance = random.Random(4)
    rows = [Given(task, f"a{n}", chance.choice(LABELS)) for task in range(1, 30) for n in range(3 + task % 4)]
    table = agreeing(Inspected(Evidence(example(rows))).judgements)
    means = table.group_by("task").agg(pl.col("gap").mean())["gap"].to_list()
    assert means == pytest.approx([0.0] * 29)


def twice(who: str, changed: int, n: int = 40) -> list[Given]:
    first = [Given(task, who, "positive", 20.25 + task) for task in range(1, n + 1)]
    again = [Given(task, who, "negative" if task <= changed else "positive", 9.75 + task) for task in range(1, n + 1)]
    return [*first, *again]


def test_who_is_asked_alone_is_held_to_themselves() -> None:
    assert off("self_consistency", twice("ana", 20)) == ["ana"]
    assert off("self_consistency", twice("ana", 4)) == []


def test_where_all_change_their_answers_it_is_not_one_persons_doing() -> None:
    rows = [it for who in ("ana", "ben", "chi") for it in twice(who, 20)]
    assert off("self_consistency", rows) == []


def test_an_import_repeated_is_no_answer_given_again() -> None:
    once = [Given(task, "ana", "positive", 20.25 + task) for task in range(1, 41)]
    copies = [Given(100 + task, "ana", "positive", 20.25 + task) for task in range(1, 41)]
    texts = {task: f"parcel {task % 100 * 7919} of {task % 100 * 104729}" for task in (*range(1, 41), *range(101, 141))}
    with pytest.raises(NotEnoughLabels):
        observations("self_consistency", example([*once, *copies], texts=texts))


def test_the_very_same_text_in_another_task_is_the_same_item() -> None:
    once = [Given(task, "ana", "positive") for task in range(1, 41)]
    again = [Given(100 + task, "ana", "negative") for task in range(1, 41)]
    texts = {task: f"parcel {task % 100 * 7919} of {task % 100 * 104729}" for task in (*range(1, 41), *range(101, 141))}
    assert off("self_consistency", [*once, *again], texts=texts) == ["ana"]
    with pytest.raises(NotEnoughLabels):
        observations("near_duplicate_inconsistency", example([*once, *again], texts=texts))


def test_a_word_that_makes_all_the_difference_is_nobodys_inconsistency() -> None:
    texts = {}
    for pair in range(1, 41):
        story = " ".join(f"parcel{pair * place}" for place in range(3, 28))
        texts |= {pair: f"{story} good", 100 + pair: f"{story} bad"}
    both = [*range(1, 41), *range(101, 141)]
    right = {task: "positive" if task < 100 else "negative" for task in both}
    others = [Given(task, who, right[task]) for task in both for who in ("ben", "chi")]
    ana = [Given(task, "ana", right[task]) for task in both]
    with pytest.raises(NotEnoughLabels):
        observations("near_duplicate_inconsistency", example([*ana, *others], texts=texts))
    same = [Given(task, who, "positive") for task in both for who in ("ben", "chi")]
    assert off("near_duplicate_inconsistency", [*ana, *same], texts=texts) == ["ana"]


def test_ten_known_items_fail_nobody() -> None:
    truths = dict.fromkeys(range(1, 11), "positive")
    rows = [Given(task, "ana", "negative") for task in truths]
    assert observations("gold_failures", example(rows, truths=truths)) == []


def test_fifteen_of_twenty_right_is_no_failure_although_the_share_is_below_the_mark() -> None:
    truths = dict.fromkeys(range(1, 21), "positive")
    rows = [Given(task, "ana", "negative" if task < 6 else "positive") for task in truths]
    assert off("gold_failures", rows, truths=truths) == []
