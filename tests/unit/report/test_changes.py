"""What changed between two reports, in words; whatever the earlier one is."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.analysis.exports import dataset
from unit.report.made import PEOPLE, XML, made

from ml_backend.settings import Settings
from sdk_scripts.report.collect import collect
from sdk_scripts.report.html import page
from sdk_scripts.report.sections.changes import ChangesPart, compared


def control(name: str, alpha: float, *labels: dict[str, Any], items: int = 100, half: float = 0.05) -> dict[str, Any]:
    about = {"alpha": alpha, "alpha_low": alpha - half, "alpha_high": alpha + half}
    return {"control": name, "items": items, **about, "labels": list(labels)}


def label(name: str, alpha: float, *, half: float = 0.05) -> dict[str, Any]:
    return {"label": name, "count": 50, "alpha": alpha, "alpha_low": alpha - half, "alpha_high": alpha + half}


def person(name: str, quality: float = 0.9, *, few: bool = False) -> dict[str, Any]:
    ends = {"quality_low": quality - 0.03, "quality_high": quality + 0.03}
    return {"annotator": name, "quality": quality, **ends, "few": few}


def finding(key: str, message: str = "Too fast.", severity: str = "high") -> dict[str, Any]:
    return {"key": key, "message": message, "severity": severity, "subject": "ana"}


def version(name: str, accuracy: float, n: int = 400) -> dict[str, Any]:
    return {"version": name, "live": True, "metrics": {"verdict": {"accuracy": accuracy, "labels": n}}}


def document(**more: Any) -> dict[str, Any]:
    overview = {"tasks": 500, "labeled": 400, "overlapped": 100, "judgements": 600, "annotators": 2, "skipped": 0}
    return {
        "url": "http://studio.example/projects/4/data",
        "generated_at": "2026-11-20T10:00:00Z",
        "overview": overview,
        "controls": [control("verdict", 0.7)],
        "annotators": [person("ana"), person("ben")],
        "hard_cases": [{"task": 1}, {"task": 2}],
        "causes": [{"signal": "skips", "cases": 2}],
        "inspection": {"findings": [finding("one")]},
        "versions": [version("v1", 0.8)],
        "gold": {"scores": [{"annotator": "ana", "control": "verdict", "verdict": "passed"}], "retired": 1},
        "changes": {"policy_version": "aaaa"},
        **more,
    }


def said(before: Any, **now: Any) -> list[str]:
    return [it.said for it in compared(before, document(**now)).said]


def test_nothing_changed_is_said_and_what_was_compared_is_named() -> None:
    found = compared(document(), document())
    assert found.said == []
    assert found.since == "2026-11-20 10:00"
    assert found.unchanged == [
        "labels",
        "annotators",
        "agreement",
        "hard cases",
        "findings",
        "model",
        "gold",
        "guidelines",
    ]


def test_what_neither_report_knows_is_not_said_to_be_unchanged() -> None:
    silent = document(versions=[], gold=None, inspection=None, changes={"policy_version": ""})
    assert compared(silent, silent).unchanged == ["labels", "annotators", "agreement", "hard cases"]


def test_counts_are_told_with_both_figures() -> None:
    more = {"tasks": 500, "labeled": 420, "overlapped": 100, "judgements": 650, "annotators": 2, "skipped": 3}
    assert said(document(), overview=more) == [
        "Judgements 600 → 650 (+50); tasks labeled 400 → 420 (+20); skipped 0 → 3 (+3)."
    ]


def test_people_who_came_and_went_are_named() -> None:
    assert said(document(), annotators=[person("ben"), person("cho")]) == ["New: cho.", "No longer there: ana."]


@pytest.mark.parametrize(
    ("alpha", "way", "better"),
    [(0.72, "within chance", None), (0.85, "better by more than chance", True), (0.5, "worse by more than", False)],
)
def test_a_change_of_alpha_within_chance_is_called_so(alpha: float, way: str, better: bool | None) -> None:
    (change,) = compared(document(), document(controls=[control("verdict", alpha)])).said
    assert change.said.startswith(f"verdict: alpha 0.70 (0.65 to 0.75) → {alpha:.2f}")
    assert way in change.said
    assert change.better is better


def test_nothing_is_said_of_agreement_on_few_tasks() -> None:
    few = document(controls=[control("verdict", 0.7, items=10)])
    assert said(few, controls=[control("verdict", 0.2, items=10)]) == []


def test_perfect_agreement_on_some_tasks_may_have_been_chance() -> None:
    perfect = document(controls=[control("verdict", 1.0, items=20, half=0.0)])
    (sentence,) = said(perfect, controls=[control("verdict", 0.9, items=20, half=0.08)])
    assert "1.00 (0.83 to 1.00) → 0.90 (0.82 to 0.98), within chance" in sentence


def test_of_many_labels_only_those_that_chance_does_not_move_are_told() -> None:
    names = [f"l{n}" for n in range(20)]
    old = document(controls=[control("verdict", 0.7, *(label(it, 0.5) for it in names))])
    new = [label(it, 0.58) for it in names[1:]]  # each alone would be told
    assert said(old, controls=[control("verdict", 0.7, label("l0", 0.8), *new)]) == [
        "l0 of verdict: alpha 0.50 (0.45 to 0.55) → 0.80 (0.75 to 0.85), better by more than chance."
    ]


def test_annotators_with_too_few_judgements_are_not_judged() -> None:
    better = [person("ana", 0.6), person("ben", 0.6, few=True)]
    assert said(document(), annotators=better) == [
        "ana: quality 0.90 (0.87 to 0.93) → 0.60 (0.57 to 0.63), worse by more than chance."
    ]


def test_hard_cases_come_and_go_by_task_and_by_cause() -> None:
    now = {"hard_cases": [{"task": 2}, {"task": 3}, {"task": 4}], "causes": [{"signal": "skips", "cases": 3}]}
    first, causes = said(document(), **now)
    assert first.startswith("Hard cases 2 → 3: 2 new, 1 no longer hard.")
    assert "within chance" in first
    assert causes == "By cause: skips 2 → 3."


def test_findings_are_compared_by_key_the_weightiest_first() -> None:
    now = [finding("mild", "Slow.", "low"), finding("grave", "Copies.", "high")]
    assert said(document(), inspection={"findings": now}) == [
        "2 findings are new: ana: Copies. ana: Slow.",
        "1 finding is no longer there: ana: Too fast.",
    ]


def test_another_model_is_told_with_its_accuracy() -> None:
    (sentence,) = said(document(), versions=[version("v2", 0.82)])
    assert sentence.startswith("The live model: v1 → v2. Right on unseen tasks of verdict: 80.0 % (75.8 to 83.6) →")
    assert "within chance" in sentence
    (change,) = compared(document(), document(versions=[version("v2", 0.95)])).said
    assert change.better is True


def test_gold_and_guidelines_are_told() -> None:
    failed = {"annotator": "ana", "control": "verdict", "verdict": "failed", "asked": 30, "right": 15}
    assert said(document(), gold={"scores": [failed], "retired": 2}, changes={"policy_version": "bbbb"}) == [
        "ana (verdict): gold passed → failed, 15 of 30 right.",
        "Gold questions retired: 1 → 2.",
        "The guidelines: version aaaa → bbbb. Figures from before and after are of different rules.",
    ]


@pytest.mark.parametrize(
    ("before", "note"),
    [
        (None, "no earlier report"),
        ([], "cannot be read"),
        ({}, "cannot be read"),
        ({"overview": {"tasks": "many"}}, "cannot be read"),
        (document(url="http://elsewhere.example/projects/5/data"), "another project"),
        (document(controls=[control("mood", 0.7)]), "no control is in both"),
    ],
)
def test_what_cannot_be_compared_is_said_to_be_so(before: Any, note: str) -> None:
    found = compared(before, document())
    assert note in found.note
    assert (found.said, found.unchanged) == ([], [])


def test_the_same_project_under_another_name_of_its_host_is_compared() -> None:
    assert not compared(document(url="https://labels.example/projects/4/data"), document()).note


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_a_damaged_report_never_breaks_the_comparison(data: st.DataObject) -> None:
    before = copy.deepcopy(document())
    for _ in range(data.draw(st.integers(1, 3))):
        place: Any = before
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else range(len(place))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
                place[key] = data.draw(JSON)
                break
            place = place[key]
    found = compared(before, document())
    json.dumps(found.model_dump(mode="json"), allow_nan=False)
    assert all("nan" not in it.said for it in found.said)


def test_hostile_words_of_an_earlier_report_are_shown_as_text(settings: Settings) -> None:
    report = collect(dataset(made(4), XML), settings)
    first: Any = report.to_json()
    first["annotators"].append({"annotator": "<script>alert(1)</script>\x1b[31m"})
    html = page(report.model_copy(update={"sections": {"changes": compared(first, report.to_json())}}))
    assert "No longer there: &lt;script&gt;alert(1)" in html
    assert "\x1b" not in html


def test_a_project_that_went_on_is_told_from_its_own_earlier_report(settings: Settings) -> None:
    tasks = made(40, later_better=False)
    first: Any = json.loads(json.dumps(collect(dataset(tasks[:30], XML), settings).to_json()))
    report = collect(dataset(tasks, XML), settings, before=first)
    part = report.sections["changes"]
    assert isinstance(part, ChangesPart)
    old, new = first["overview"]["judgements"], report.overview.judgements
    assert part.said[0].said.startswith(f"Judgements {old} → {new} (+{new - old})")
    assert not any(name in it.said for it in part.said for name in PEOPLE if "New:" in it.said)
    again = collect(dataset(tasks, XML), settings, before=report.to_json()).sections["changes"]
    assert isinstance(again, ChangesPart)
    assert again.said == []
    assert "Nothing has changed" in page(report.model_copy(update={"sections": {"changes": again}}))
