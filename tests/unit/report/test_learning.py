"""What the learning curve says, and what it does not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sdk_scripts.report.model import VersionRow
from sdk_scripts.report.sections.learning import MEASURED, Learning, LearningPart, learning_curves


def version(labels: int, accuracy: float, **more: float | None) -> VersionRow:
    return VersionRow(
        version=f"v{labels}",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        live=False,
        labels=labels,
        metrics={"verdict": {"labels": labels, "accuracy": accuracy, "ece": 0.03, "coverage_95": None, **more}},
    )


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ([version(800, 0.9), version(100, 0.6)], "better by more than chance, 10.0 points for each doubling"),
        ([version(800, 0.6), version(100, 0.9)], "worse by more than chance"),
        ([version(120, 0.7), version(100, 0.65)], "within chance"),
        ([version(100, 0.65)], "a curve needs versions with more labels"),
    ],
)
def test_more_labels_are_said_to_help_only_beyond_chance(versions: list[VersionRow], said: str) -> None:
    (curve,) = learning_curves(versions)
    assert said in curve.said


def test_steps_go_from_few_labels_to_many_with_wilsons_interval() -> None:
    (curve,) = learning_curves([version(400, 0.8), version(100, 0.7)])
    assert [it.labels for it in curve.steps] == [100, 400]
    last = curve.steps[1]
    assert (last.accuracy_low, last.accuracy_high) == (pytest.approx(0.7580, abs=1e-4), pytest.approx(0.8363, abs=1e-4))


def test_a_version_that_was_not_measured_is_no_step() -> None:
    assert (
        learning_curves([version(0, 0.8), VersionRow(version="x", created_at=None, live=True, labels=5, metrics={})])
        == []
    )


def test_the_chart_has_a_table_and_a_single_version_has_no_chart() -> None:
    one = LearningPart(measured=MEASURED, curves=learning_curves([version(100, 0.7)]))
    two = LearningPart(measured=MEASURED, curves=learning_curves([version(100, 0.7), version(200, 0.8)]))
    assert not Learning().charts(one)
    assert "aria-label" in Learning().charts(two)["accuracy"]
    (sheet,) = Learning().sheets(two)
    assert len(list(sheet.rows)) == 2
    assert "out of fold" in two.measured
