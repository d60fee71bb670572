"""Who does not look at the items; and who only seems not to."""

from __future__ import annotations

import random

import pytest

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from tests.unit.rules.test_every_rule import observations

LABELS = ("positive", "neutral", "negative")
TAGS = """<View><Text name="text" value="$text"/>
  <Choices name="tags" toName="text" choice="multiple">
    <Choice value="a"/><Choice value="b"/><Choice value="c"/></Choices></View>"""
STARS = """<View><Text name="text" value="$text"/><Rating name="stars" toName="text" maxRating="5"/></View>"""
TREE = """<View><Text name="text" value="$text"/><Taxonomy name="topic" toName="text">
  <Choice value="Food"><Choice value="Fruit"/><Choice value="Meat"/></Choice><Choice value="Toys"/></Taxonomy></View>"""
RATIONALE = "This clearly breaks the rules of the platform."


def off(rule: str, rows: list[Given], **more: object) -> list[str]:
    return sorted({it.subject for it in observations(rule, example(rows, **more)) if it.off})


def careful(right: list[str], people: tuple[str, ...] = ("ben", "chi", "dan"), error: float = 0.1) -> list[Given]:
    chance = random.Random(5)
    return [
        Given(task, who, chance.choice(LABELS) if chance.random() < error else label)
        for task, label in enumerate(right, 1)
        for who in people
    ]


def drawn(n: int, weights: tuple[int, ...], seed: int = 3) -> list[str]:
    return random.Random(seed).choices(LABELS, weights, k=n)


def test_skewed_labels_make_nobody_a_straight_liner() -> None:
    right = drawn(200, (92, 4, 4))
    assert off("straight_lining", careful(right, ("ana", "ben", "chi", "dan"))) == []


def test_a_straight_liner_is_found_although_nearly_all_items_call_for_that_label() -> None:
    right = drawn(200, (88, 6, 6))
    rows = [Given(task, "ana", "positive") for task in range(1, 201)]
    assert off("straight_lining", [*rows, *careful(right)]) == ["ana"]


def test_who_got_only_items_of_one_label_is_no_straight_liner_and_no_noise() -> None:
    right = ["positive"] * 60 + drawn(140, (1, 1, 1))
    rows = [*(Given(task, "ana", "positive") for task in range(1, 61)), *careful(right)]
    assert off("straight_lining", rows) == []
    assert off("low_information", rows) == []


def test_one_annotator_alone_cannot_be_told_from_the_items() -> None:
    rows = [Given(task, "ana", "positive") for task in range(1, 101)]
    for rule in ("straight_lining", "low_information", "long_runs"):
        with pytest.raises(NotEnoughLabels):
            observations(rule, example(rows))


@pytest.mark.parametrize(
    ("config", "answers", "straight"),
    [
        (TAGS, [("a",), ("a", "b"), ("c",)], ("a", "b")),
        (STARS, [1, 3, 5], 3),
        (TREE, [(("Food", "Fruit"),), (("Food", "Meat"),), (("Toys",),)], (("Toys",),)),
    ],
    ids=["several labels", "rating", "taxonomy"],
)
def test_straight_lining_is_found_in_every_kind_of_control(config: str, answers: list, straight: object) -> None:
    name = {TAGS: "tags", STARS: "stars", TREE: "topic"}[config]
    rows = [Given(task, who, {name: answers[task % 3]}) for task in range(1, 81) for who in ("ben", "chi")]
    rows += [Given(task, "ana", {name: straight}) for task in range(1, 81)]
    assert off("straight_lining", rows, config=config) == ["ana"]
    assert off("low_information", rows, config=config) == ["ana"]


def test_an_order_of_items_that_makes_runs_is_nobodys_fault() -> None:
    right = [LABELS[task // 10 % 3] for task in range(240)]
    assert off("long_runs", careful(right, ("ana", "ben", "chi", "dan"))) == []


def test_labels_imported_at_once_have_no_runs() -> None:
    rows = [Given(task, "ana", LABELS[task // 40], at=0) for task in range(1, 120)]
    rows += careful([LABELS[task % 3] for task in range(1, 120)])
    assert "ana" not in {it.subject for it in observations("long_runs", example(rows))}


def test_a_label_that_stands_first_in_one_control_is_no_position_bias() -> None:
    right = drawn(150, (1, 1, 1))
    severity = ["high" if task % 2 else "low" for task in range(150)]
    answers = list(zip(right, severity, strict=True))
    rows = [
        Given(task, who, {"sentiment": "positive" if who == "ana" and task % 2 else s, "severity": level})
        for task, (s, level) in enumerate(answers, 1)
        for who in ("ana", "ben", "chi")
    ]
    assert off("position_bias", rows) == []


def test_the_last_option_everywhere_is_position_bias_and_told_once() -> None:
    rows = [
        Given(task, who, {"sentiment": LABELS[task % 3], "severity": "high" if task % 2 else "low"})
        for task in range(1, 81)
        for who in ("ben", "chi")
    ]
    rows += [Given(task, "ana", {"sentiment": "negative", "severity": "high"}) for task in range(1, 81)]
    found = [it for it in observations("position_bias", example(rows)) if it.subject == "ana"]
    assert [(it.off, "last option" in it.message) for it in found] == [(True, True)]


def test_random_answers_say_nothing_of_the_items_and_careful_ones_do() -> None:
    right, guessed = drawn(200, (3, 2, 1)), drawn(200, (3, 2, 1), seed=8)
    rows = [Given(task, "ana", label) for task, label in enumerate(guessed, 1)]
    assert off("low_information", [*rows, *careful(right, error=0.3)]) == ["ana"]


def test_where_two_disagree_about_everything_nobody_is_blamed_for_it() -> None:
    rows = [Given(task, "ana", label) for task, label in enumerate(drawn(200, (1, 1, 1)), 1)]
    rows += [Given(task, "ben", label) for task, label in enumerate(drawn(200, (1, 1, 1), seed=9), 1)]
    assert off("low_information", rows) == []


def written(task: int, text: str, **more: object) -> Given:
    return Given(task, "ana", {"sentiment": "positive", "rationale": (text,)}, **more)


def test_the_same_reason_for_the_same_text_is_no_copy() -> None:
    rows = [written(task, RATIONALE) for task in range(1, 61)]
    assert off("copy_pasted_rationales", rows, texts=dict.fromkeys(range(1, 61), "the very same item")) == []
    different = {task: f"{task * 7919} parcels of {task * 104729}" for task in range(1, 61)}
    assert off("copy_pasted_rationales", rows, texts=different) == ["ana"]


def test_a_reason_that_the_machine_wrote_is_nobodys_copy() -> None:
    shown = {"sentiment": "positive", "rationale": (RATIONALE,)}
    with pytest.raises(NotEnoughLabels):
        observations(
            "copy_pasted_rationales", example([written(task, RATIONALE, shown=shown) for task in range(1, 61)])
        )


def test_copies_with_a_word_changed_are_copies() -> None:
    different = {task: f"{task * 7919} parcels of {task * 104729}" for task in range(1, 61)}
    long = RATIONALE + " It offers what nobody may sell there, and asks to pay outside of it."
    rows = [written(task, f"{long} {'Really' if task % 2 else 'Surely'}.") for task in range(1, 61)]
    found = observations("copy_pasted_rationales", example(rows, texts=different))
    assert [(it.off, it.value) for it in found] == [(True, 1.0)]
