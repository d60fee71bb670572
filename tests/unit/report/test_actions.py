"""What to do next: what each would do, how that is known, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from pydantic import RootModel
from unit.analysis.exports import SENTIMENT, dataset, task, voted
from unit.report.made import XML, made, without_people

from ml_backend.labeling.consensus import ITEMS
from ml_backend.settings import Settings
from sdk_scripts.evidence import Evidence
from sdk_scripts.report import effects
from sdk_scripts.report.chance import Estimate
from sdk_scripts.report.collect import collect
from sdk_scripts.report.effects import HOURS, WRONG, Effect
from sdk_scripts.report.levers import Facts, Lever, levers
from sdk_scripts.report.model import Action, AnnotatorRow, Overview, Report, ThresholdRow, VersionRow
from sdk_scripts.report.sections import Given
from sdk_scripts.report.sections.actions import ranked


class Part(RootModel[dict[str, Any]]):
    """Of another section."""


def person(name: str, quality: float, *, half: float = 0.03, few: bool = False, judgements: int = 500) -> AnnotatorRow:
    return AnnotatorRow(
        annotator=name,
        judgements=judgements,
        quality=quality,
        quality_low=quality - half,
        quality_high=quality + half,
        few=few,
        agreement=0.7,
        median_lead_time=None,
        prelabeled=0,
        changed=None,
    )


def live(**more: Any) -> VersionRow:
    metrics = {"sentiment": {"labels": 100.0, "accuracy": 0.8, "ece": 0.02}}
    about = {"version": "v1", "created_at": datetime(2026, 1, 1, tzinfo=UTC), "live": True, "labels": 100}
    return VersionRow(**{**about, "metrics": metrics, **more})


def facts(tasks: Sequence[dict[str, Any]] = (), parts: dict[str, dict[str, Any]] | None = None, **core: Any) -> Facts:
    """Of an export of a hundred tasks with two judgements each and a hundred without, where none is given."""
    labels = ("negative", "neutral", "positive")
    shown = list(tasks) or [
        *(voted(id, f"text {id}", labels[id % 3], labels[id % 3]) for id in range(1, 101)),
        *(task(id, f"text {id}") for id in range(101, 201)),
    ]
    evidence = Evidence(dataset(shown, SENTIMENT, project=core.pop("project", {"id": 4})))
    rows = evidence.judgements
    overview = Overview(
        tasks=len(shown),
        labeled=rows["task"].n_unique(),
        overlapped=rows.group_by("task").len().filter(pl.col("len") > 1).height,
        judgements=rows.height,
        annotators=2,
        skipped=0,
        predicted=0,
    )
    about: dict[str, Any] = {"overview": overview, "controls": [], "annotators": [], "hard_cases": [], "versions": []}
    about |= {
        "days": [],
        "overlap": [],
        "notes": [],
        "headline": [],
        "title": "t",
        "url": None,
        "judgements": pl.DataFrame(),
    }
    report = Report(generated_at=datetime(2026, 1, 1, tzinfo=UTC), **{**about, **core})
    given = Given(evidence, Settings(), report, [], parts={name: Part(it) for name, it in (parts or {}).items()})
    return Facts(given)


def found(given: Facts, what: str) -> Lever | None:
    return next((it for it in levers(given) if what in it.what), None)


def amount(lever: Lever | None) -> Estimate:
    assert lever is not None
    assert isinstance(lever.effect, Effect), lever.effect
    return lever.effect.amount


def consensus_of(*rows: tuple[int, float, int]) -> pl.DataFrame:
    """(task, confidence, judgements)."""
    made = [(id, "sentiment", '["neutral"]', confidence, n, False) for id, confidence, n in rows]
    return pl.DataFrame(made, schema=ITEMS, orient="row")


# -- effects -----------------------------------------------------------------------------------------------------------


def test_wrong_labels_are_what_the_confidence_lacks_with_the_interval_of_a_sum() -> None:
    it = effects.expected_wrong(consensus_of(*((id, 0.9, 2) for id in range(100))))
    assert it.value == pytest.approx(10)
    assert (it.low, it.high) == (pytest.approx(10 - 1.96 * 3, abs=0.01), pytest.approx(10 + 1.96 * 3, abs=0.01))
    sure = effects.expected_wrong(consensus_of((1, 1.0, 2)))
    assert (sure.value, sure.low, sure.high) == (0, 0, 0)


def test_reviews_count_more_than_confidence_once_there_are_enough() -> None:
    pairs, items = [("sentiment", id) for id in range(40)], consensus_of(*((id, 0.9, 2) for id in range(20)))
    by_reviews = effects.of_hard_cases(pairs, items, (6, 12), compared=True)
    assert isinstance(by_reviews, Effect)
    assert by_reviews.amount.value == pytest.approx(10)  # half of the 20 that have a label
    assert "6 of 12" in by_reviews.basis
    by_confidence = effects.of_hard_cases(pairs, items, (6, 9), compared=True)
    assert isinstance(by_confidence, Effect)
    assert by_confidence.amount.value == pytest.approx(2)
    assert isinstance(effects.of_hard_cases(pairs, items, (0, 0), compared=False), str)


def test_a_review_overturns_what_most_had_said_before_it() -> None:
    def row(id: int, answer: str, day: int, *, decided: bool = False) -> dict[str, Any]:
        at = datetime(2026, 1, day, tzinfo=UTC)
        about = {"task": id, "control": "c", "annotator": f"{answer}{day}", "answer": answer, "annotation": day}
        return {**about, "created_at": at, "updated_at": at, "decided": decided, "ground_truth": decided}

    people = [row(1, "a", 1), row(1, "a", 2), row(1, "b", 3), row(2, "a", 1), row(2, "b", 9), row(2, "b", 9)]
    people += [row(3, "a", 1), row(3, "b", 2)]
    decisions = [row(id, "b", 5, decided=True) for id in (1, 2, 3)]
    table = pl.DataFrame([*people, *decisions])
    # 1: two of three; 2: the only one before it; 3: tied, so nothing was overturned
    assert effects.overturned(table, pl.DataFrame(people)) == (2, 3)


def test_a_rule_spares_half_of_what_is_confused_where_one_person_labels_alone() -> None:
    it = effects.of_a_rule(Estimate(0.2, 0.1, 0.3), 1000).amount
    assert (it.value, it.low, it.high) == (100, 50, 150)


def test_a_second_annotator_saves_what_the_consensus_of_two_is_surer_of() -> None:
    items = consensus_of(*((id, 0.8, 1) for id in range(50)), *((id, 0.95, 2) for id in range(50, 250)))
    found = effects.of_a_second_annotator(items)
    assert isinstance(found, Effect)
    assert found.amount.value == pytest.approx(50 * 0.15)
    assert 0 < found.amount.low < found.amount.value < found.amount.high
    assert isinstance(effects.of_a_second_annotator(consensus_of((1, 0.9, 1), (2, 0.8, 2))), str)


# -- levers ------------------------------------------------------------------------------------------------------------


def test_without_a_label_there_is_one_thing_to_do() -> None:
    assert [it.what for it in levers(facts([task(1, "t")]))] == ["Start labeling."]


def test_without_overlap_nothing_is_invented(settings: Settings) -> None:
    report = collect(dataset([voted(id, f"text {id}", "neutral") for id in range(1, 61)]), settings)
    assert report.actions[0].what.startswith("Let two people label")
    assert all(it.effect is None and it.basis for it in report.actions)


def test_only_who_is_surely_below_the_others_is_to_be_talked_to() -> None:
    people = [person("usual", 0.9), person("steady", 0.92), person("odd", 0.6), person("new", 0.2, few=True)]
    people += [person("near", 0.88, half=0.05)]
    given = facts(annotators=people)
    assert [it.what for it in levers(given) if it.what.startswith("Talk")] == ["Talk to odd."]
    usual = (0.9 + 0.92 + 0.88) / 3
    assert amount(found(given, "Talk to odd")).value == pytest.approx(500 * (usual - 0.6))
    assert amount(found(given, "Talk to odd")).low == pytest.approx(500 * (usual - 0.63))


def test_accepting_saves_the_hours_of_what_is_accepted_of_the_unlabelled() -> None:
    rows = [ThresholdRow(error=0.05, certainty=0.95, confidence=0.9, coverage=0.4)]
    given = facts(versions=[live(thresholds={"sentiment": rows})])
    saved = amount(found(given, "Let the machine label alone"))
    assert saved.value == pytest.approx(100 * 0.4 * 4.5 / 3600)
    assert saved.low < saved.value < saved.high


@pytest.mark.parametrize(
    "more",
    [
        {"thresholds": {"sentiment": [ThresholdRow(error=0.05, certainty=0.95, confidence=None, coverage=0)]}},
        {"thresholds": {"sentiment": [ThresholdRow(error=0.1, certainty=0.95, confidence=0.9, coverage=0.4)]}},
        {"metrics": {"sentiment": {}, "why": {}}},
    ],
)
def test_accepting_is_not_proposed_where_nothing_promises_it(more: dict[str, Any]) -> None:
    rows = [ThresholdRow(error=0.05, certainty=0.95, confidence=0.9, coverage=0.4)]
    assert found(facts(versions=[live(**{"thresholds": {"sentiment": rows}, **more})]), "alone") is None


def test_accepting_is_not_proposed_where_the_policy_does_already() -> None:
    rows = [ThresholdRow(error=0.05, certainty=0.95, confidence=0.9, coverage=0.4)]
    project = {"id": 4, "description": 'tiebreak policy: {"accept": {}}'}
    assert found(facts(project=project, versions=[live(thresholds={"sentiment": rows})]), "alone") is None


def test_training_anew_is_worth_what_a_doubling_of_labels_has_brought() -> None:
    def step(labels: int, accuracy: float) -> dict[str, Any]:
        return {
            "labels": labels,
            "accuracy": accuracy,
            "accuracy_low": accuracy - 0.02,
            "accuracy_high": accuracy + 0.02,
        }

    rising = {"learning": {"curves": [{"steps": [step(25, 0.6), step(50, 0.8)]}]}}
    given = facts(parts=rising, versions=[live(labels=50)])
    assert amount(found(given, "Train a new version")).value == pytest.approx(0.2 * 1 * 100)
    flat = {"learning": {"curves": [{"steps": [step(25, 0.8), step(50, 0.81)]}]}}
    lever = found(facts(parts=flat, versions=[live(labels=50)]), "Train a new version")
    assert lever is not None
    assert isinstance(lever.effect, str)
    assert found(facts(parts=rising, versions=[live(labels=99)]), "Train a new version") is None


def test_findings_count_the_labels_expected_to_be_wrong_among_their_tasks() -> None:
    def finding(**more: Any) -> dict[str, Any]:
        about = {
            "rule": "too_fast",
            "severity": "high",
            "state": "new",
            "message": "Fast.",
            "do": "Ask.",
            "evidence": [1, 2],
        }
        return {**about, **more}

    told = {"inspection": {"findings": [finding(), finding(evidence=[3]), finding(severity="low", rule="x")]}}
    given = facts(parts=told)
    lever = found(given, "Look into too fast: 2 findings.")
    assert amount(lever).value == pytest.approx(effects.expected_wrong(given.items.filter(pl.col("task") <= 3)).value)
    acknowledged = {"inspection": {"findings": [finding(state="acknowledged")]}}
    assert found(facts(parts=acknowledged), "Look into") is None


def test_predicting_is_worth_the_time_that_predictions_save() -> None:
    time = {"saved": 0.3, "saved_low": 0.2, "saved_high": 0.4}
    given = facts(parts={"working": {"figures": {"time": time}}})
    assert amount(found(given, "Predict the tasks")).value == pytest.approx(100 * 4.5 / 3600 * 0.3)
    unsure = {"working": {"figures": {"time": {**time, "saved_low": -0.1}}}}
    assert found(facts(parts=unsure), "Predict the tasks") is None


# -- rank --------------------------------------------------------------------------------------------------------------


def lever(what: str, value: float | None, unit: str = WRONG) -> Lever:
    effect = "nobody knows" if value is None else Effect(Estimate(value, value, value), unit, "so")
    return Lever(what, "why", effect)


def test_the_greatest_effect_comes_first_and_the_unknown_last_in_their_order() -> None:
    given = [lever("x", None), lever("a", 10), lever("y", None), lever("b", 30), lever("c", 1, HOURS), lever("d", 0.01)]
    assert [it.what for it in ranked(given, seconds=180)] == ["b", "c", "a", "x", "y"]  # an hour is 20 labels
    assert [it.what for it in ranked(given, seconds=30)] == ["c", "b", "a", "x", "y"]  # an hour is 120


def test_every_effect_is_within_its_interval_and_says_how_it_was_worked_out(settings: Settings) -> None:
    tasks = made(160)
    report = collect(dataset([*tasks, *without_people(tasks)], XML), settings)
    known = [it for it in report.actions if it.effect is not None]
    assert known
    for it in report.actions:
        assert isinstance(it, Action)
        assert it.basis
        assert it.section in {"", *report.sections, "agreement", "annotators", "hard_cases", "models"}
        if it.effect is not None and it.effect_low is not None and it.effect_high is not None:
            assert 0 <= it.effect_low <= it.effect <= it.effect_high
    told: Any = report.to_json()["actions"]
    assert [it["what"] for it in told] == [it.what for it in report.actions]
