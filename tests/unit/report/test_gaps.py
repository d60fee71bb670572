"""Guideline gaps: who takes what for what, and how evenly."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from unit.analysis.exports import SENTIMENT, annotation, choice, dataset, task

from ml_backend.settings import Settings
from sdk_scripts.evidence import Evidence
from sdk_scripts.report.collect import collect
from sdk_scripts.report.gap_figures import LEAST_TASKS, Gap, _chance, advice, examples, gaps, section_of
from sdk_scripts.report.html import page
from sdk_scripts.report.model import ControlRow, LabelRow
from sdk_scripts.report.sections.gaps import GapsPart, weak_labels

GUIDELINES = "<h2>Length</h2><p>Long or short.</p><h2>Tone</h2><p>What is neutral, and what is negative.</p>"


def project(answer: Callable[[int, int], str], tasks: int = 60, people: int = 4) -> Evidence:
    """Two people a task, in turn; `answer` of a task and a person."""
    made = []
    for id in range(1, tasks + 1):
        pair = (id % people, (id + 1 + id // people) % people)
        who = pair if pair[0] != pair[1] else (pair[0], (pair[0] + 1) % people)
        given = [annotation(id * 10 + it, it + 1, choice("sentiment", answer(id, it))) for it in who]
        made.append(task(id, f"text {id}", given))
    return Evidence(dataset(made, SENTIMENT, url="http://studio.example/projects/4/data"))


def habit(id: int, who: int) -> str:
    """Even ones always say negative, odd ones neutral; every third task is clear."""
    return "positive" if id % 3 == 0 else "negative" if who % 2 == 0 else "neutral"


def either(id: int, who: int) -> str:
    return "positive" if id % 3 == 0 else random.Random(f"{id} {who}").choice(("negative", "neutral"))


def only(evidence: Evidence) -> Gap:
    (gap,) = gaps(evidence.judgements, evidence.config)
    return gap


def test_labels_that_everybody_mixes_are_confused_both_ways() -> None:
    gap = only(project(either))
    assert gap.labels == ('["negative"]', '["neutral"]')
    assert (gap.way, gap.leanings) == ("both", ())
    assert gap.share.low < gap.share.value == len(gap.confusion.items) / 60 < gap.share.high


def test_labels_that_each_keeps_apart_in_their_own_way_are_confused_between_people() -> None:
    gap = only(project(habit))
    assert gap.way == "between people"
    assert {(it.annotator, it.label) for it in gap.leanings} == {
        ("1", "negative"),
        ("2", "neutral"),
        ("3", "negative"),
        ("4", "neutral"),
    }
    assert all(it.count == it.of for it in gap.leanings)
    assert "settle it with" in advice(gap, "negative", "neutral", None)


@pytest.mark.parametrize(("differ", "found"), [(LEAST_TASKS - 1, 0), (LEAST_TASKS, 1)])
def test_a_few_tasks_are_no_gap(differ: int, found: int) -> None:
    evidence = project(lambda id, who: ("negative", "neutral")[who % 2] if id <= differ else "positive", people=2)
    assert len(gaps(evidence.judgements, evidence.config)) == found


def test_the_section_that_names_both_labels_is_shown() -> None:
    evidence = project(either)
    gap = only(evidence)
    section = section_of(evidence.config, gap, GUIDELINES)
    assert section is not None
    assert section.heading == "Tone"
    assert "Under “Tone” say when it is negative and when neutral" in advice(gap, "negative", "neutral", section)
    assert section_of(evidence.config, gap, "") is None


def test_examples_link_to_tasks_that_were_answered_both_ways() -> None:
    evidence = project(either)
    gap = only(evidence)
    shown = examples(evidence.judgements, evidence.config, gap, evidence.texts, evidence.dataset.link)
    assert len(shown) == 3
    for it in shown:
        assert it["task"] in gap.confusion.items
        assert it["url"] == f"http://studio.example/projects/4/data?task={it['task']}"
        assert "1 of 2 says" in str(it["said"])


def test_stars_next_to_each_other_are_no_gap() -> None:
    xml = '<View><Text name="text" value="$text"/><Rating name="stars" toName="text"/></View>'

    def given(id: int, who: int) -> dict[str, Any]:
        value = {"rating": 3 + who}
        return annotation(
            id * 10 + who, who, {"from_name": "stars", "to_name": "text", "type": "rating", "value": value}
        )

    evidence = Evidence(dataset([task(id, "t", [given(id, 0), given(id, 1)]) for id in range(1, 30)], xml))
    assert gaps(evidence.judgements, evidence.config) == []


def test_labels_below_what_is_reliable_are_listed_the_sure_ones_first() -> None:
    def row(label: str, alpha: float | None, half: float = 0.05) -> LabelRow:
        ends = {} if alpha is None else {"alpha_low": alpha - half, "alpha_high": alpha + half}
        return LabelRow(label=label, count=9, share=0.5, alpha=alpha, **ends)

    labels = [row("good", 0.9), row("perhaps", 0.6, 0.3), row("bad", 0.7), row("worse", 0.3), row("none", None)]
    about = {"items": 9, "judgements": 18, "percent": 0.5, "alpha": 0.5, "alpha_low": 0.4, "alpha_high": 0.6}
    controls = [ControlRow(control=kind, kind=kind, labels=labels, **about) for kind in ("choices", "rating")]
    found = weak_labels(controls)
    assert [(it.label, it.sure) for it in found] == [("worse", True), ("bad", True), ("perhaps", False)]
    assert {it.control for it in found} == {"choices"}


def test_a_decision_that_people_answer_otherwise_since_is_contested(settings: Settings) -> None:
    told = {**choice("sentiment", "positive"), "meta": {"tiebreak": {"review": "5/6/7"}}}
    later = {"created_at": "2026-03-01T00:00:00Z", "updated_at": "2026-03-01T00:00:00Z"}
    tasks = [
        task(
            1,
            "<b>bold</b>",
            [
                annotation(1, 9, told, ground_truth=True),
                annotation(2, 1, choice("sentiment", "negative"), **later),
                annotation(3, 2, choice("sentiment", "negative"), **later),
            ],
        ),
        task(2, "x", [annotation(4, 9, told, ground_truth=True), annotation(5, 1, choice("sentiment", "positive"))]),
    ]
    report = collect(dataset(tasks), settings)
    part = report.sections["gaps"]
    assert isinstance(part, GapsPart)
    assert [(it.task, it.decided, it.said) for it in part.contested] == [(1, "positive", "2 of 2 say negative")]
    assert "&lt;b&gt;bold" in page(report)


def test_people_differ_by_the_chi_squared_test() -> None:
    """2x2: (20, 10), (10, 20) gives 6.667 with one degree of freedom, p = 0.0098."""
    people = pl.DataFrame({"annotator": ["a", "b"], "one": [20, 10], "other": [10, 20]})
    assert _chance(people) == pytest.approx(0.00982, abs=1e-5)
    assert _chance(people.head(1)) is None
    assert _chance(pl.DataFrame({"annotator": ["a", "b"], "one": [20, 10], "other": [0, 0]})) == 1
