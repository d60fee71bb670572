"""Simulated teams: that they do what their names say, and that the rules tell who works with care."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from scipy.stats import binom

from sdk_scripts.evidence import Evidence
from sdk_scripts.inspected import Inspected
from sdk_scripts.inspection import Finding, inspect_with
from tests.simulated_annotators import Team, simulated
from tests.simulated_behaviours import BEHAVIOURS, Conditions
from tests.simulated_items import LABELS, Item, made_items, review_items


@cache
def everybody() -> Team:
    """Twelve who work with care, and one of each other kind; of those who collude, two."""
    others = [name for name in BEHAVIOURS if name not in ("careful", "colluding")]
    return simulated(["careful"] * 12 + ["colluding"] * 2 + others, 200, seed=7)


@cache
def sentiments() -> pl.DataFrame:
    team = everybody()
    truth = pl.DataFrame({"task": list(team.truth), "right": [f'["{label}"]' for label in team.truth.values()]})
    table = Inspected(Evidence(team.dataset)).all_judgements.filter(
        pl.col("control") == "sentiment", ~pl.col("decided")
    )
    return table.join(truth, on="task").with_columns(
        behaviour=pl.col("annotator").replace_strict(dict(team.behaviour), default=None)
    )


def share(behaviour: str, what: pl.Expr) -> float:
    return float(sentiments().filter(behaviour=behaviour).select(what.mean()).item())


def test_the_same_seed_gives_the_same_team() -> None:
    behaviours = ["careful", "clicker", "careful"]
    first, again, other = (simulated(behaviours, 20, seed=seed) for seed in (1, 1, 2))
    assert first.dataset.tasks == again.dataset.tasks != other.dataset.tasks


def test_everybody_labels_about_as_much_as_was_asked_and_no_task_twice() -> None:
    table = Inspected(Evidence(everybody().dataset)).annotations
    counted = table.group_by("annotator").len()["len"]
    assert counted.len() == len(everybody().behaviour)
    assert 150 <= counted.min() <= counted.max() <= 200  # type: ignore[operator]  # of integers
    assert table.select("annotator", "task").is_unique().all()


def test_careful_people_are_right_where_the_item_is_clear_and_differ_where_it_is_not() -> None:
    items = {item.text: item for item in made_items(2000, 7)}
    difficulty = {
        task.id: items[text].difficulty for task in everybody().dataset.tasks if (text := task.data["text"]) in items
    }
    table = (
        sentiments()
        .filter(behaviour="careful")
        .with_columns(difficulty=pl.col("task").replace_strict(difficulty, default=None))
    )
    right = pl.col("answer") == pl.col("right")
    clear, hard = table.filter(pl.col("difficulty") < 0.1), table.filter(pl.col("difficulty") > 0.4)
    assert clear.select(right.mean()).item() > 0.95
    assert hard.select(right.mean()).item() < 0.8


def test_each_behaviour_is_what_its_name_says() -> None:
    right, same = pl.col("answer") == pl.col("right"), pl.col("answer") == pl.col("shown")
    careful = share("careful", right)
    assert careful > 0.85
    assert share("clicker", right) < 0.45
    assert share("hurried", pl.col("lead_time")) < 0.5 * share("careful", pl.col("lead_time"))
    most = sentiments().filter(behaviour="straight_liner").group_by("answer").len().sort("len")["len"]
    assert most[-1] / most.sum() > 0.85
    assert share("rubber_stamper", same) > 0.9 > share("careful", same)
    assert share("avoider", pl.col("answer") == '["neutral"]') == 0
    assert share("over_caller", pl.col("answer") == '["negative"]') > 1.3 * share(
        "careful", pl.col("answer") == '["negative"]'
    )
    half = sentiments().filter(behaviour="drifter").sort("updated_at").with_row_index()
    first, then = half.filter(pl.col("index") < len(half) // 2), half.filter(pl.col("index") >= len(half) // 2)
    assert first.select(right.mean()).item() > then.select(right.mean()).item() + 0.2
    assert share("slow", pl.col("lead_time")) > 2.5 * share("careful", pl.col("lead_time"))
    assert share("contrarian", same) < 0.5 * share("careful", same)
    skips = Inspected(Evidence(everybody().dataset)).annotations.group_by("annotator").agg(pl.col("skipped").mean())
    assert dict(skips.iter_rows())[next(iter(everybody().of("skipper")))] > 0.35


def test_those_who_collude_agree_with_each_other_and_not_with_the_truth() -> None:
    one, other = (sentiments().filter(annotator=who) for who in sorted(everybody().of("colluding")))
    both = one.join(other, on="task", suffix="_other")
    assert both.select((pl.col("answer") == pl.col("answer_other")).mean()).item() > 0.9
    assert share("colluding", pl.col("answer") == pl.col("right")) < 0.75


def test_who_avoids_escalation_passes_nothing_on() -> None:
    table = Inspected(Evidence(everybody().dataset)).judgements.filter(control="severity")
    passed = table.group_by("annotator").agg(passed=(pl.col("answer") == '["escalate"]').mean())
    shares = dict(passed.iter_rows())
    assert [shares[who] for who in everybody().of("escalation_avoider")] == [0]
    assert all(shares[who] > 0 for who in everybody().of("careful"))


def test_reviews_are_items_as_hard_as_their_raters_found_them(demo_archive: Path) -> None:
    items = review_items(demo_archive)
    assert len(items) > 3000
    assert all(sum(item.seen) == pytest.approx(1) and item.truth in LABELS for item in items)
    assert 0.05 < sum(item.difficulty > 0.4 for item in items) / len(items) < 0.5


SUSPECTED, CERTAIN = 0.05, 0.999
"""Of careful annotators at most that share may have a finding; chance brings more than the bound once in a thousand."""
FOUND_BY = {
    "hurried": {"too_fast"},
    "straight_liner": {"straight_lining"},
    "rubber_stamper": {"rubber_stamping", "machine_following"},
    "drifter": {"drift"},
    "avoider": {"label_bias"},
    "over_caller": {"label_bias"},
    "colluding": {"collusion"},
    "clicker": {"low_information", "consensus_quality"},
    "escalation_avoider": {"escalation_avoidance"},
    "slow": {"too_slow"},
    "rusher": {"sudden_change"},
    "skipper": {"skip_rate"},
    "paster": {"copy_pasted_rationales"},
    "contrarian": {"consensus_quality", "over_correction"},
}
HARDER = {
    "skewed labels": Conditions(positive=0.95),
    "nobody labels what another does": Conditions(overlap=(1,)),
    "some get harder items": Conditions(specialists=0.2),
    "a good model is shown on every task": Conditions(model=0.97, shown=1.0, blind=0, seeded=0),
    "no times": Conditions(timed=False, at_once=True),
    "no predictions and no gold": Conditions(shown=0, gold=0),
}


def findings(
    behaviours: Sequence[str], items: Sequence[Item] | None = None, **more: object
) -> tuple[Team, list[Finding]]:
    """About people."""
    team = simulated(behaviours, 200, items=items, **more)  # type: ignore[arg-type]  # the options of `simulated`
    inspection = inspect_with(Inspected(Evidence(team.dataset)))
    return team, [it for it in inspection.findings if it.observation.subject]


def most(n: int) -> int:
    return int(binom.ppf(CERTAIN, n, SUSPECTED))


def test_of_careful_annotators_hardly_anybody_is_suspected() -> None:
    people = 20
    suspected = 0
    for seed in (11, 12):
        team, found = findings(["careful"] * people, seed=seed)
        suspected += len({it.observation.subject for it in found})
        assert {it.observation.subject for it in found} <= set(team.behaviour)
    assert suspected <= most(2 * people)


@pytest.mark.parametrize("condition", HARDER)
def test_nor_where_rules_have_it_harder(condition: str) -> None:
    _, found = findings(["careful"] * 20, conditions=HARDER[condition], seed=13)
    assert len({it.observation.subject for it in found}) <= most(20)


@pytest.mark.parametrize("behaviour", FOUND_BY)
def test_gross_misbehaviour_is_found_by_the_rule_for_it(behaviour: str) -> None:
    careless = [behaviour] * 4
    team, found = findings([*careless, *["careful"] * 14], seed=21)
    by_rule = {it.observation.subject for it in found if it.rule in FOUND_BY[behaviour]}
    assert len(by_rule & team.of(behaviour)) >= 3
    suspects = {it.observation.subject for it in found} & team.of("careful")
    assert len(suspects) <= most(14)


def test_a_finding_about_who_clicks_at_random_is_said_to_be_theirs() -> None:
    team, found = findings(["clicker", "clicker", *["careful"] * 14], seed=31)
    causes = Counter(it.blame.cause for it in found if it.observation.subject in team.of("clicker"))
    assert causes["annotator"] >= 0.8 * causes.total() > 0


def test_a_decision_that_nobody_shares_is_said_to_be_the_items() -> None:
    contested = {label: LABELS[(LABELS.index(label) + 1) % 3] for label in LABELS}
    items = [
        replace(
            item, seen=tuple(0.7 if label == item.truth else 0.15 for label in LABELS), decided=contested[item.truth]
        )
        if place % 5 == 0
        else item
        for place, item in enumerate(made_items(1500, 5))
    ]
    conditions = Conditions(hard_gold=True, gold=0.2, overlap=(3, 4))
    _, found = findings(["careful"] * 12, items, conditions=conditions, seed=41)
    causes = Counter(it.blame.cause for it in found if it.rule == "gold_failures")
    assert causes.total() >= 6
    assert causes["item"] + causes["guideline"] >= 0.9 * causes.total()
