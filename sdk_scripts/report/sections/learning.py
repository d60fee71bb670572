"""What more labels have brought: accuracy, calibration error and coverage of the model versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from markupsafe import Markup
from pydantic import BaseModel

from sdk_scripts.report.chance import Estimate, beyond_chance, difference
from sdk_scripts.report.interval_charts import MOST_LINES, Point, along
from sdk_scripts.report.model import Bin, VersionRow
from sdk_scripts.report.sections import Chart, Given, Section, Sheet, register

_RESAMPLES = 1000
MEASURED = (
    "Measured out of fold: every labelled task was answered by a model that had not seen its label, and right is what "
    "the annotators' consensus was at that time. Versions share most of their tasks, so neighbours are more alike than "
    "their intervals say."
)


class Step(BaseModel, frozen=True):
    """A version's figures for one control."""

    version: str
    created_at: datetime | None
    live: bool
    labels: int
    """It was measured on."""
    accuracy: float
    accuracy_low: float
    """Wilson's interval."""
    accuracy_high: float
    ece: float | None
    """Expected calibration error."""
    ece_low: float | None = None
    """95 % interval by a bootstrap within the bands of confidence, less its bias; None where those are not kept."""
    ece_high: float | None = None
    coverage: float | None
    """Share that may be accepted with 5 % errors at most, promised with certainty 0.95; None: nothing may."""
    coverage_low: float | None = None
    """Wilson's interval of the share; the promise is one of its own."""
    coverage_high: float | None = None


class Curve(BaseModel, frozen=True):
    control: str
    steps: list[Step]
    """From few labels to many; of equally many the later."""
    said: str


class LearningPart(BaseModel, frozen=True):
    measured: str
    """What the figures are of, in sentences."""
    curves: list[Curve]


@register("learning")
class Learning(Section):
    title = "Learning curve"
    place = 82

    def collect(self, given: Given) -> LearningPart | None:
        curves = learning_curves(given.core.versions)
        return LearningPart(measured=MEASURED, curves=curves) if curves else None

    def charts(self, part: LearningPart) -> Mapping[str, Markup]:
        drawn = {}
        for name, words in (("accuracy", "accuracy"), ("ece", "calibration error"), ("coverage", "acceptable at 95 %")):
            found = {it.control: _points(it, name) for it in part.curves}
            lines = {control: points for control, points in found.items() if len(points) > 1}
            if lines:
                alt = f"{words.capitalize()} of the model versions, with its interval, against the number of labels"
                shown = dict(list(lines.items())[:MOST_LINES])
                drawn[name] = along(shown, across="labels", up=f"{words}, out of fold", alt=alt, logarithmic=True)
        return drawn

    def sheets(self, part: LearningPart) -> Iterable[Sheet]:
        names = [*Step.model_fields]
        rows = [[it.control, *(getattr(s, name) for name in names)] for it in part.curves for s in it.steps]
        shares = ["accuracy", "accuracy low", "accuracy high", "coverage", "coverage low", "coverage high"]
        chart = Chart(
            "Accuracy by labels",
            "line",
            "labels",
            ["accuracy"],
            ("accuracy low", "accuracy high"),
            len(part.curves[0].steps),
        )
        columns = ["control", *(name.replace("_", " ") for name in names)]
        yield Sheet("Learning curve", columns, rows, shares=shares, charts=[chart])


def _points(curve: Curve, name: str) -> list[Point]:
    told = [(s.labels, *(getattr(s, f"{name}{end}") for end in ("_low", "", "_high"))) for s in curve.steps]
    return [(float(labels), low, middle, high) for labels, low, middle, high in told if None not in (low, middle, high)]


def learning_curves(versions: Sequence[VersionRow]) -> list[Curve]:
    """Of each control that two versions or more, or one, have figures for."""
    found: dict[str, list[Step]] = {}
    for version in versions:
        for control, metrics in version.metrics.items():
            n, accuracy = metrics.get("labels"), metrics.get("accuracy")
            if not n or accuracy is None:
                continue
            it, coverage = Estimate.share(accuracy * n, n), metrics.get("coverage_95")
            accepted = None if coverage is None else Estimate.share(coverage * n, n)
            honest = ece_interval(version.reliability.get(control, ()))
            found.setdefault(control, []).append(
                Step(
                    version=version.version,
                    created_at=version.created_at,
                    live=version.live,
                    labels=int(n),
                    accuracy=accuracy,
                    accuracy_low=it.low,
                    accuracy_high=it.high,
                    ece=metrics.get("ece"),
                    ece_low=honest[0] if honest else None,
                    ece_high=honest[1] if honest else None,
                    coverage=coverage,
                    coverage_low=accepted.low if accepted else None,
                    coverage_high=accepted.high if accepted else None,
                )
            )
    for steps in found.values():
        steps.sort(key=lambda it: (it.labels, it.created_at.timestamp() if it.created_at else 0.0))
    return [Curve(control=control, steps=steps, said=_said(steps)) for control, steps in sorted(found.items())]


def ece_interval(bins: Sequence[Bin]) -> tuple[float, float] | None:
    """Of the calibration error: right answers are drawn anew in each band of confidence. Chance alone raises the error,
    so what it adds on the average is taken off both ends."""
    import numpy as np

    if not bins:
        return None
    confidence, accuracy, count = np.array([(b.confidence, b.accuracy, b.count) for b in bins], dtype=np.float64).T
    weight = count / count.sum()
    right = np.random.default_rng(0).binomial(count.astype(int), np.clip(accuracy, 0, 1), (_RESAMPLES, len(bins)))
    drawn = np.abs(right / count - confidence) @ weight
    bias = float(drawn.mean() - np.abs(accuracy - confidence) @ weight)
    low, high = np.quantile(drawn, (0.025, 0.975)) - max(bias, 0.0)
    return max(0.0, float(low)), max(0.0, float(high))


def _said(steps: Sequence[Step]) -> str:
    first, last = steps[0], steps[-1]
    if last.labels == first.labels:
        return f"{_share(last)} with {last.labels:,} labels; a curve needs versions with more labels, or fewer."
    old, new = estimate(first), estimate(last)
    told = f"{_share(first)} with {first.labels:,} labels, {_share(last)} with {last.labels:,}"
    if not beyond_chance(old, new):
        return f"{told}: within chance, so nothing shows yet that more labels help."
    if new.value < old.value:
        return f"{told}: worse by more than chance. Look at what was labelled since, and by which guidelines."
    gain = difference(old, new).value / max(_doublings(first, last), 1e-9)
    return f"{told}: better by more than chance, {100 * gain:.1f} points for each doubling of the labels so far."


def estimate(step: Step) -> Estimate:
    return Estimate(step.accuracy, step.accuracy_low, step.accuracy_high)


def _doublings(first: Step, last: Step) -> float:
    from math import log2

    return log2(last.labels / first.labels)


def _share(step: Step) -> str:
    return f"{100 * step.accuracy:.0f} % ({100 * step.accuracy_low:.0f} to {100 * step.accuracy_high:.0f})"
