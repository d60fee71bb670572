"""What the learning curve says, and what it does not."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from sdk_scripts.report.model import Bin, VersionRow
from sdk_scripts.report.sections.learning import MEASURED, Learning, LearningPart, ece_interval, learning_curves


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


def test_the_interval_of_the_calibration_error_holds_the_truth_nearly_always() -> None:
    draw, held = random.Random(0), 0
    for _ in range(100):
        shifts = (0.1, 0.1, 0.1, 0.1, 0.1)  # confidence is ten points too high everywhere
        levels = (0.55, 0.65, 0.75, 0.85, 0.95)
        bins = []
        for level, shift in zip(levels, shifts, strict=True):
            right = sum(draw.random() < level - shift for _ in range(100))
            bins.append(Bin(confidence=level, accuracy=right / 100, count=100))
        low, high = ece_interval(bins) or (1.0, 0.0)
        held += low <= 0.1 <= high
    assert held >= 88
    assert ece_interval([]) is None


def test_calibration_and_coverage_have_charts_where_two_versions_tell() -> None:
    bins = {"verdict": [Bin(confidence=0.8, accuracy=0.7, count=80)]}
    told = [version(n, 0.8, coverage_95=0.3).model_copy(update={"reliability": bins}) for n in (100, 200)]
    part = LearningPart(measured=MEASURED, curves=learning_curves(told))
    assert set(Learning().charts(part)) == {"accuracy", "ece", "coverage"}
    step = part.curves[0].steps[0]
    assert step.coverage_low is not None
    assert step.coverage_high is not None
    assert step.coverage_low < 0.3 < step.coverage_high
