"""Simulated teams: that they do what their names say, and that the rules tell who works with care."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import polars as pl
import pytest

from sdk_scripts.evidence import Evidence
from sdk_scripts.inspected import Inspected
from tests.simulated_annotators import Team, simulated
from tests.simulated_behaviours import BEHAVIOURS
from tests.simulated_items import LABELS, made_items, review_items


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
