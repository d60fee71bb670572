"""Agreement between annotators, per control, beyond chance and with an interval.

One judgement a person and task: where somebody judged a task twice, the last one counts, because agreeing with oneself
is not agreement between annotators. Judgements without an annotator count as those of as many people; decisions of a
review do not count. Undefined figures are NaN (null in JSON), and `note` says why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from ml_backend.labeling import alpha as statistics
from ml_backend.labeling.annotator_agreement import (
    NAN,
    AnnotatorAgreement,
    over_controls,
    pair_agreement,
    plain,
    with_others,
)
from ml_backend.labeling.bootstrap import percentile_interval, resample
from ml_backend.labeling.coefficients import (
    cohen_kappa,
    fleiss_kappa,
    gwet_ac1,
    krippendorff_alpha,
)
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.judgements import latest, of_annotators
from ml_backend.labeling.kinds import Kind, Scale, kind_of
from ml_backend.labeling.units import Cells, Coded, Floats, code

__all__ = [
    "Agreement",
    "AnnotatorAgreement",
    "ControlAgreement",
    "LabelAgreement",
    "agreement",
    "krippendorff_alpha",
    "pair_agreement",
]

_FEW_ITEMS = 10


@dataclass(frozen=True)
class LabelAgreement:
    """Whether a label applies: nominal alpha of its presence, at most 1, with a 95 % interval."""

    count: int
    """Judgements that gave the label, of all the control's."""
    alpha: float
    alpha_low: float = NAN
    alpha_high: float = NAN


@dataclass(frozen=True)
class ControlAgreement:
    control: str
    kind: str
    scale: Scale
    """What alpha measures: equal or not (nominal), ranks, squared differences, or the kind's distance. Choices that
    allow several are compared by distance (Jaccard's)."""
    items: int
    """Tasks with two judgements or more."""
    annotators: int
    judgements: int
    """One a person and task, those of tasks with a single one included."""
    percent: float
    """The share of pairs of judgements of a task that are equal, 0–1, mean over items; on a distance scale their mean
    similarity, 1 − distance."""
    alpha: float
    """Krippendorff's alpha on `scale`, at most 1."""
    alpha_low: float
    alpha_high: float
    """The 95 % percentile bootstrap interval over items."""
    alphas: Mapping[str, float] = field(default_factory=dict)
    """Alpha on every scale that makes sense. Ordinal: numbers by size, choices in the config's order; interval: where
    all answers are numbers."""
    fleiss: float = NAN
    cohen: float = NAN
    """Cohen's kappa, where there are exactly two annotators."""
    ac1: float = NAN
    """Gwet's AC1, over the config's labels; NaN on a distance scale, as kappas are."""
    labels: Mapping[str, LabelAgreement] = field(default_factory=dict)
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        return {name: plain(value) for name, value in asdict(self).items() if name != "control"}


@dataclass(frozen=True)
class Agreement:
    controls: Mapping[str, ControlAgreement]
    annotators: Mapping[str, AnnotatorAgreement]

    def to_json(self) -> dict[str, Any]:
        return {
            "controls": {name: found.to_json() for name, found in self.controls.items()},
            "annotators": {name: found.to_json() for name, found in self.annotators.items()},
        }


def agreement(table: pl.DataFrame, config: LabelConfig, *, seed: int = 0) -> Agreement:
    """Agreement of the judgements (`judgements.SCHEMA`) on every control that asks about the task as a whole.

    `seed` fixes the bootstrap (1,000 resamples of tasks) and, for free answers with over 300 different ones, the pairs
    from which expected disagreement is estimated. A control nobody judged is there too, with a note.
    """
    rows = latest(of_annotators(table))
    controls: dict[str, ControlAgreement] = {}
    shares: dict[str, dict[str, tuple[int, int, float]]] = {}
    for control in config.answerable:
        kind = kind_of(control)
        if kind is None:
            continue
        coded = code(rows, control, kind)
        controls[control.name], similarity = _control(coded, control, kind, seed)
        for name, share in with_others(coded, similarity).items():
            shares.setdefault(name, {})[control.name] = share
    return Agreement(controls, {name: over_controls(shares[name]) for name in sorted(shares)})


def _control(coded: Coded, control: Control, kind: Kind, seed: int) -> tuple[ControlAgreement, Floats]:
    """The control's agreement, and each cell's mean similarity of one of its judgements to the unit's others, (C,)."""
    cells, pairable = coded.cells, coded.cells.pairable
    scale: Scale = "distance" if kind.scale == "nominal" and control.multiple else kind.scale
    distances = statistics.Distances(coded.answers, kind.distance)
    if scale == "distance":
        same = cells.count * cells.per_unit[cells.unit] - distances.within(cells) - cells.count
        similarity = same / np.maximum(cells.count * (cells.per_unit[cells.unit] - 1), 1)
    else:
        similarity = (cells.count - 1) / np.maximum(cells.per_unit[cells.unit] - 1, 1)
    many = cells.per_unit >= 2
    by_unit = cells.sum_by_unit(cells.count * similarity) / np.maximum(cells.per_unit, 1)
    single = control.labels and not control.open and scale == "nominal"
    found = ControlAgreement(
        control=control.name,
        kind=kind.name,
        scale=scale,
        items=pairable.units,
        annotators=len(coded.annotators),
        judgements=len(coded.unit),
        percent=float(by_unit[many].mean()) if many.any() else NAN,
        **_alphas(coded, pairable, scale, distances, control, kind, seed),
    )
    if scale != "distance":
        found = replace(
            found,
            fleiss=fleiss_kappa(pairable),
            cohen=_cohen(coded),
            ac1=gwet_ac1(cells, len(control.keys) if single else None),
        )
    return found, similarity


def _alphas(
    coded: Coded, cells: Cells, scale: Scale, distances: statistics.Distances, control: Control, kind: Kind, seed: int
) -> dict[str, Any]:
    member, names = _labels(coded, control, kind)
    counts = dict(zip(names, (member.T @ coded.cells.per_value).astype(int).tolist(), strict=True))
    if not cells.units:
        return {
            "alpha": NAN,
            "alpha_low": NAN,
            "alpha_high": NAN,
            "labels": {name: LabelAgreement(counts[name], NAN) for name in names},
            "note": _why_undefined(coded),
        }
    by_scale: dict[str, statistics.Statistic] = {}
    if scale == "distance":
        by_scale["distance"] = statistics.by_distance(cells, distances, seed=seed)
    else:
        by_scale["nominal"] = statistics.nominal(cells)
        if coded.ranked:
            by_scale["ordinal"] = statistics.ordinal(cells)
        if coded.numbers is not None:
            by_scale["interval"] = statistics.interval(cells, coded.numbers)
    alphas = {name: float(it.alpha(_total(it.features))[0]) for name, it in by_scale.items()}
    low, high, labels = _intervals(cells, by_scale[scale], member, seed)
    return {
        "alpha": alphas[scale],
        "alpha_low": float(low[0]) if not math.isnan(alphas[scale]) else NAN,
        "alpha_high": float(high[0]) if not math.isnan(alphas[scale]) else NAN,
        "alphas": alphas,
        "labels": {
            name: LabelAgreement(
                counts[name], float(labels[place]), *(_ends(labels[place], low[place + 1], high[place + 1]))
            )
            for place, name in enumerate(names)
        },
        "note": _note(cells, alphas[scale]),
    }


def _intervals(cells: Cells, main: statistics.Statistic, member: Any, seed: int) -> tuple[Floats, Floats, Floats]:
    """One bootstrap for alpha and every label's: the ends of the intervals, (1 + L,), and the labels' alphas, (L,)."""
    from scipy import sparse

    by_label = statistics.label_features(cells, member)
    features = sparse.hstack(
        [sparse.csr_matrix(main.features), by_label, sparse.csr_matrix(cells.per_unit[:, None].astype(np.float64))],
        format="csr",
    )
    width = main.features.shape[1]

    def statistic(sums: Floats) -> Floats:
        labels = statistics.label_alphas(sums[:, width:-1], sums[:, -1])
        return np.column_stack([main.alpha(sums[:, :width]), labels])

    labels = statistic(_total(features))[0, 1:]
    if cells.units < 2:
        nothing = np.full(len(labels) + 1, NAN)
        return nothing, nothing, labels
    low, high = percentile_interval(resample(features, statistic, seed=seed))
    return low, high, labels


def _labels(coded: Coded, control: Control, kind: Kind) -> tuple[Any, list[str]]:
    """(V, L) membership, sparse, and the labels: the config's (for choices), then others in order of first use."""
    from scipy import sparse

    place = {name: index for index, name in enumerate(control.keys)} if kind.scale == "nominal" else {}
    rows, columns = [], []
    for value, answer in enumerate(coded.answers):
        for name in dict.fromkeys(kind.labels(answer)):
            rows.append(value)
            columns.append(place.setdefault(name, len(place)))
    shape = (len(coded.answers), len(place))
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape), list(place)


def _cohen(coded: Coded) -> float:
    if len(coded.annotators) != 2:
        return NAN
    given = np.full((2, len(coded.tasks)), -1)
    given[coded.annotator, coded.unit] = coded.value
    both = (given >= 0).all(axis=0)
    return cohen_kappa(given[0, both], given[1, both])


def _why_undefined(coded: Coded) -> str:
    if not len(coded.unit):
        return "Nobody has judged it yet."
    if len(coded.annotators) == 1:
        return "Only one person has judged it; agreement needs a second."
    return "No task has two judgements yet, so there is nothing to compare."


def _note(cells: Cells, alpha: float) -> str:
    if math.isnan(alpha):
        return "All compared answers are the same, so chance would agree as well: alpha is undefined."
    if cells.units < 2:
        return "Only one task has two judgements: there is no interval."
    if cells.units < _FEW_ITEMS:
        return f"Only {cells.units} tasks have two judgements: the interval is rough."
    return ""


def _total(features: Any) -> Floats:
    return np.asarray(features.sum(axis=0), dtype=np.float64).reshape(1, -1)


def _ends(alpha: float, low: float, high: float) -> tuple[float, float]:
    return (float(low), float(high)) if not math.isnan(alpha) else (NAN, NAN)
