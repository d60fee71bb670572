"""The figures of a report, on exports small enough to check by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from unit.analysis import exports

from ml_backend.labeling.kinds import KINDS
from ml_backend.labeling.results import project_key
from ml_backend.model_registry import Model, ModelRegistry, StoredHead, VersionInfo
from ml_backend.outcomes import outcomes_of
from ml_backend.prelabelers import State
from ml_backend.settings import Settings
from sdk_scripts.demo_data import slot_account
from sdk_scripts.report import write_report
from sdk_scripts.report.collect import collect

VOTES = [("negative", "negative"), ("positive", "positive"), ("negative", "positive"), ("neutral",), ()]


def small(**more: object):
    tasks = [exports.voted(id, f"the text of task {id}", *labels) for id, labels in enumerate(VOTES, start=1)]
    return exports.dataset(tasks, **more)


def test_counts_are_those_of_the_export(settings: Settings) -> None:
    overview = collect(small(), settings).overview
    assert overview.model_dump() == {
        "tasks": 5,
        "labeled": 4,
        "overlapped": 3,
        "judgements": 7,
        "annotators": 2,
        "skipped": 0,
        "predicted": 0,
    }


def test_no_model_reads_the_texts_of_a_very_large_project(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: Settings) -> NoReturn:
        raise AssertionError("a model was asked for")

    monkeypatch.setattr("ml_backend.encoder.load_encoder", read)
    monkeypatch.setattr("sdk_scripts.report.collect.MOST_READ", 3)
    report = collect(small(), settings)
    assert [it for it in report.notes if "4 labelled tasks are more than the 3 that a model reads" in it]
    assert report.overview.labeled == 4


def test_labels_are_counted_in_the_order_of_the_config_with_their_share_of_judgements(settings: Settings) -> None:
    (control,) = collect(small(), settings).controls
    assert [(row.label, row.count) for row in control.labels] == [("negative", 3), ("neutral", 1), ("positive", 3)]
    assert control.labels[0].share == pytest.approx(3 / 7)
    assert control.percent == pytest.approx(2 / 3)


def test_time_is_counted_once_an_annotation_and_changes_once_a_prediction(settings: Settings) -> None:
    tasks = [
        exports.task(
            1,
            "text",
            [
                exports.annotation(
                    1, "a@b.example", exports.choice("sentiment", "positive"), parent_prediction=9, lead_time=10
                ),
                exports.annotation(
                    2, "c@d.example", exports.choice("sentiment", "negative"), parent_prediction=9, lead_time=30
                ),
            ],
            predictions=[exports.predicted(9, "positive", 0.9)],
        )
    ]
    rows = {row.annotator: row for row in collect(exports.dataset(tasks), settings).annotators}
    assert (rows["a@b.example"].changed, rows["c@d.example"].changed) == (0.0, 1.0)
    assert rows["c@d.example"].median_lead_time == 30
    assert rows["c@d.example"].prelabeled == 1


def test_hard_cases_carry_text_reasons_and_a_link(settings: Settings) -> None:
    (case,) = [
        case
        for case in collect(small(url="http://studio.example/projects/4/data"), settings).hard_cases
        if case.task == 3
    ]
    assert case.text == "the text of task 3"
    assert case.url == "http://studio.example/projects/4/data?task=3"
    assert case.reasons


def test_answers_of_a_scale_are_numbers_in_the_tidy_table_and_all_are_words(settings: Settings) -> None:
    stars = {"from_name": "stars", "to_name": "text", "type": "rating", "value": {"rating": 4}}
    given = exports.annotation(1, "a@b.example", exports.choice("verdict", "allow"), stars, lead_time=2.0004)
    rows = collect(exports.dataset([exports.task(1, "text", [given])], exports.EVERY_KIND), settings).judgements
    assert rows.select("control", "answer", "answer as a number").rows() == [
        ("stars", "4", 4.0),
        ("verdict", "allow", None),
    ]
    assert rows["judged at"].to_list() == [datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)] * 2
    assert rows["seconds on the task"].to_list() == [2.0, 2.0]


def test_a_signal_without_evidence_is_told_in_the_notes(settings: Settings) -> None:
    assert any("model_against_human" in note for note in collect(small(), settings).notes)


def test_slots_of_a_public_data_set_are_not_shown_as_persons(settings: Settings) -> None:
    tasks = [
        exports.task(
            1, "text", [exports.annotation(1, "slot-03@vader.example", exports.choice("sentiment", "neutral"))]
        )
    ]
    tasks[0]["annotations"][0]["completed_by"] = {"id": 1, "email": slot_account(3)[0]}
    assert "not persons" in collect(exports.dataset(tasks), settings).annotators_note
    assert not collect(small(), settings).annotators_note


def test_versions_of_a_live_project_come_from_the_registry(settings: Settings) -> None:
    project = {"id": 4, "created_at": "2026-11-22T12:00:00Z", "title": "reviews"}
    assert collect(small(project=project), settings).versions == []
    bins = [
        {"confidence": 0.7, "accuracy": 0.8, "count": 5},
        {"confidence": None, "accuracy": None, "count": 0},
    ]
    budget = {"error": 0.05, "certainty": 0.95, "confidence": None, "coverage": 0}
    metrics = {
        "sentiment": {
            "accuracy": 0.75,
            "macro_f1": None,
            "ece": 0.12,
            "reliability": bins,
            "coverage": {"0.95": 0.4},
            "thresholds": [budget],
        }
    }
    info = VersionInfo(
        version="",
        created_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
        labels=40,
        metrics=metrics,
        fingerprint="0" * 16,
        label_fingerprint="l",
        data_fingerprint="d",
        config_fingerprint="c",
        encoder="e",
        recipe=1,
    )
    registry = ModelRegistry(settings.models)
    head = StoredHead("few_shot", "s", State({}, {}))
    none = outcomes_of(KINDS["choices"], np.empty(0, np.uint64), [], [])
    model = Model(info, {"sentiment": head}, {"sentiment": np.empty(0, np.uint64)}, {"sentiment": none})
    name = registry.save(project_key(project), model)
    registry.promote(project_key(project), name)
    report = collect(small(project=project), settings)
    (version,) = report.versions
    assert (version.version, version.live, version.labels) == (name, True, 40)
    assert version.metrics["sentiment"]["accuracy"] == 0.75
    assert [(one.confidence, one.accuracy, one.count) for one in version.reliability["sentiment"]] == [(0.7, 0.8, 5)]
    assert version.metrics["sentiment"]["coverage_95"] == 0.4
    assert [row.confidence for row in version.thresholds["sentiment"]] == [None]
    assert any("75 %" in sentence for sentence in report.headline)
    assert any("by confidence" in action.what for action in report.actions)


def test_an_older_report_is_replaced_and_no_draft_is_left(settings: Settings, tmp_path: Path) -> None:
    for _ in range(2):
        files = write_report(small(), tmp_path, settings=settings)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "report.html", "report.json", "report.xlsx"]
    assert files.html.stat().st_size < 3_000_000


def test_a_report_is_dated_in_utc(settings: Settings) -> None:
    assert abs((collect(small(), settings).generated_at - datetime.now(UTC)).total_seconds()) < 60
