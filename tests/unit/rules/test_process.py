"""Rules of process, where the mix of items, newcomers, times and skew would fool a naive one."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product

import numpy as np
import polars as pl
import pytest
from scipy.stats import hypergeom

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import Dataset
from sdk_scripts.rules._chance import drawn_at_least, drawn_at_most
from sdk_scripts.rules._change import changes
from tests.unit.rules.test_every_rule import observations

TEAM = ("ana", "ben", "chi")


def accused(rule: str, dataset: Dataset, **parameters: object) -> list[str]:
    return [it.subject for it in observations(rule, dataset, **parameters) if it.off]


def answered(label: Callable[[int, str], str], tasks: int = 120, team: tuple[str, ...] = TEAM) -> list[Given]:
    return [Given(task, who, label(task, who)) for task in range(1, tasks + 1) for who in team]


def test_a_stratified_draw_has_the_chances_of_counting_all_draws() -> None:
    strata = [(10, 3, 4), (6, 6, 2), (8, 1, 5), (7, 0, 3)]
    chances = dict.fromkeys(range(20), 0.0)
    for parts in product(*(range(drawn + 1) for *_, drawn in strata)):
        pairs = zip(parts, strata, strict=True)
        chances[sum(parts)] += float(np.prod([hypergeom.pmf(k, *it) for k, it in pairs]))
    for k in range(8):
        assert drawn_at_least(k, strata) == pytest.approx(sum(chances[n] for n in chances if n >= k))
        assert drawn_at_most(k, strata) == pytest.approx(sum(chances[n] for n in chances if n <= k))


def test_many_draws_are_close_to_the_exact_chance() -> None:
    assert drawn_at_least(3050, [(20_000, 6_000, 10_000)]) == pytest.approx(
        hypergeom.sf(3049, 20_000, 6_000, 10_000), 0.02
    )


def test_orders_that_mean_nothing_are_rarely_unlikely() -> None:
    rng = random.Random(0)
    people = [(f"a{n}", place, rng.random() < 0.15) for n in range(1000) for place in range(80)]
    rows = pl.DataFrame(people, schema=["annotator", "at", "wrong"], orient="row")
    found = changes(rows.with_columns(control=pl.lit("c"), stratum=pl.col("at") % 2), "at")
    for level in (0.01, 0.05, 0.2):
        assert 0 < (found["p"] <= level).mean() <= level


def test_what_others_skip_too_is_the_items_doing() -> None:
    rows = [
        Given(task, who, "" if task % 2 else "positive", skipped=bool(task % 2))
        for task in range(1, 41)
        for who in TEAM
    ]
    assert accused("skip_rate", example(rows)) == []


def test_who_labels_alone_may_not_skip_half() -> None:
    rows = [Given(task, "ana", "" if task % 2 else "positive", skipped=bool(task % 2)) for task in range(1, 61)]
    assert accused("skip_rate", example(rows)) == ["ana"]


def test_a_task_that_was_skipped_first_and_answered_later_is_no_skip() -> None:
    first = [Given(task, "ana", skipped=True) for task in range(1, 41)]
    assert accused("skip_rate", example([*first, *answered(lambda task, who: "positive", 40)])) == []


def test_who_never_got_a_task_to_escalate_does_not_avoid_it() -> None:
    config = """<View><Text name="text" value="$text"/><Choices name="verdict" toName="text">
    <Choice value="allow"/><Choice value="Escalate" alias="esc"/></Choices></View>"""
    hard = [Given(task, who, "esc") for task in range(1, 41) for who in ("ben", "chi")]
    easy = [Given(task, "ana", "allow") for task in range(41, 141)]
    found = observations("escalation_avoidance", example([*hard, *easy], config=config), labels=("ESC",))
    assert {it.subject for it in found} == {"ben", "chi"}
    avoids = [Given(task, "ana", "allow") for task in range(1, 41)]
    assert accused("escalation_avoidance", example([*hard, *avoids], config=config), labels=("esc",)) == ["ana"]


def test_items_that_become_harder_are_nobodys_drift() -> None:
    rng = random.Random(1)
    rows = answered(lambda task, who: "positive" if rng.random() > 0.05 + task / 2000 else "neutral", 600)
    found = observations("drift", example(rows))
    assert len(found) == len(TEAM)
    assert not any(it.off and it.p is not None and it.p < 0.05 for it in found)


def test_getting_better_is_no_drift() -> None:
    assert (
        accused("drift", example(answered(lambda task, who: "neutral" if who == "ana" and task < 60 else "positive")))
        == []
    )


def test_answers_without_a_time_have_no_order() -> None:
    from dataclasses import replace

    from msgspec import structs

    dataset = example(answered(lambda task, who: "neutral" if who == "ana" and task > 60 else "positive"))
    assert accused("drift", dataset) == ["ana"]
    tasks = [
        structs.replace(
            it, annotations=tuple(structs.replace(one, created_at=None, updated_at=None) for one in it.annotations)
        )
        for it in dataset.tasks
    ]
    untimed = replace(dataset, tasks=tasks)
    for rule in ("drift", "time_of_day", "label_shift", "agreement_drop"):
        try:
            assert accused(rule, untimed) == []
        except NotEnoughLabels:
            continue


def test_one_long_session_is_no_pattern_of_sessions() -> None:
    rows = answered(lambda task, who: "neutral" if who == "ana" and task > 60 else "positive")
    assert observations("time_of_day", example(rows)) == []


def test_bad_hours_are_found_whatever_the_place_in_the_session() -> None:
    rows = [
        Given(60 * day + place + 1, who, "neutral" if who == "ana" and day % 2 and place % 2 else "positive", at=at)
        for day in range(8)
        for place in range(40)
        for who in TEAM
        for at in [1440 * (day // 2) + (600 if day % 2 else 0) + place]
    ]
    [it] = [it for it in observations("time_of_day", example(rows)) if it.off]
    assert (it.subject, it.n) == ("ana", 320)
    assert "16:00 to 20:00 UTC" in it.message or "19:00" in it.message


def test_other_items_are_no_other_use_of_labels() -> None:
    def label(task: int) -> str:
        return "negative" if (task % 3 == 0) == (task <= 150) else "positive"

    rows = answered(lambda task, who: label(task), 300)
    found = observations("label_shift", example(rows))
    assert len(found) == len(TEAM)
    assert not any(it.off for it in found)


def test_a_newcomer_has_no_before() -> None:
    rows = answered(lambda task, who: "positive", 200, ("ben", "chi"))
    new = [Given(task, "ana", "neutral", at=400.0 + task) for task in range(160, 200)]
    assert {it.subject for it in observations("label_shift", example([*rows, *new]))} == {"ben", "chi"}


def test_a_label_that_became_rare_is_no_drop_of_agreement() -> None:
    """Both are wrong as often as before, which takes more off alpha where nearly all is positive."""

    def label(task: int, who: str) -> str:
        right = "positive" if task > 100 and task % 10 else ("negative" if task % 2 else "positive")
        return "neutral" if (task * 7 + len(who) * (who == "ana")) % 12 == 0 else right

    assert accused("agreement_drop", example(answered(label, 200, ("ana", "benjamin")))) == []


def test_a_batch_is_one_persons_only_if_nobody_else_answered_it() -> None:
    alone = [Given(task, "ana", "positive") for task in range(1, 101)]
    with pytest.raises(NotEnoughLabels):
        observations("concentration", example(alone))
    assert accused("concentration", example([*alone, Given(1, "ben", "positive")])) == [""]
    assert accused("concentration", example([*alone, *(Given(task, "ben", "positive") for task in range(1, 41))])) == []


def test_a_reviewer_who_gets_the_divided_cases_is_not_harsh() -> None:
    """Rea's cases are divided and half of them overturned; so are half of the few divided ones that Sam gets."""
    rows, truths, reviewers = [], {}, {}
    for task in range(1, 201):
        divided = task <= 100
        rows += [Given(task, who, "neutral" if divided and who == "ana" else "positive") for who in TEAM]
        truths[task] = "neutral" if divided and task % 2 else "positive"
        reviewers[task] = "rea@example.com" if divided and task % 5 else "sam@example.com"
    found = observations("reviewer_leniency", example(rows, truths=truths, reviewers=reviewers), minimum=20)
    assert {it.subject for it in found} == {"rea@example.com", "sam@example.com"}
    assert not any(it.off for it in found)


def test_cases_that_everybody_had_wrong_are_held_against_nobody() -> None:
    rows = answered(lambda task, who: "neutral", 40)
    found = observations("overturn_rate", example(rows, truths=dict.fromkeys(range(1, 41), "positive")))
    assert [(it.value, it.off, it.p) for it in found] == [(1.0, False, 1.0)] * 3


def test_an_answer_that_nobody_else_gave_cannot_be_compared() -> None:
    rows = [Given(task, "ana", "neutral") for task in range(1, 41)]
    with pytest.raises(NotEnoughLabels):
        observations("overturn_rate", example(rows, truths=dict.fromkeys(range(1, 41), "positive")))


def test_what_was_skipped_was_seen_and_days_are_counted_one_by_one() -> None:
    shown = [Given(task, "ben", {"sentiment": "negative", "severity": "high"}, at=task) for task in range(1, 13)]
    saw = [Given(task, "ana", skipped=True, at=(task % 2) * 1440.0) for task in range(1, 13)]
    found = observations("exposure", example([*shown, *saw]), labels=("high",), a_day=8)
    assert [(it.subject, it.value, it.off) for it in found] == [("ana", 6, False), ("ben", 12, True)]
