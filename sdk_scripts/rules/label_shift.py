"""The same kind of item gets other labels than before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import numpy as np
import polars as pl
from pydantic import Field
from scipy.special import xlogy
from scipy.stats import gamma

from ml_backend.labeling.errors import ModelUnavailable, NotEnoughLabels
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.labeling.units import Floats
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.wording import show_key

DRAWS = 500
MOST_LABELS = 30
"""Answers told apart; rarer ones are one."""


class Shift(Parameters):
    minimum: int = Field(default=50, ge=20, description="least number of answers before, and in the window")
    days: float = Field(
        default=7, gt=0, description="the window: the newest days, or the newer half if that is shorter"
    )
    psi: float = Field(default=0.2, gt=0, description="population stability index from which a shift matters")


@register("label_shift")
class LabelShift:
    """Distribution of somebody's labels in the window against before, of items alike by what is known, else what most
    of the others say, else what the stored prediction says: so it does not matter that other items were assigned. Of
    the whole project, by the stored predictions alone.

    The size is the population stability index, Σ (q - p) ln(q / p), of both distributions standardised to the window's
    items, half an answer added to each kind; 0.1 is usually called some shift and 0.2 a large one (Siddiqi, Credit
    Risk Scorecards, 2006). Off where it is `psi` or more beyond what chance alone brings on average. p is that of the
    G-test of independence summed over the kinds of items (Sokal & Rohlf, Biometry), by 500 tables with the same
    margins; its tail by the gamma distribution with their mean and variance, as many small cells make the chi-squared
    one wrong."""

    dimension = "process"
    severity: Severity = "medium"
    why = "Labels of before and after do not mean the same, so no model or statistic of both is right."
    do = "Compare items alike from before and after; if the new use is right, label the old ones again."
    parameters = Shift

    @staticmethod
    def bad() -> Dataset:
        return _answered(lambda task: task > 100 and task % 2 == 0)

    @staticmethod
    def good() -> Dataset:
        return _answered(lambda task: task % 12 == 0)

    def __call__(self, inspected: Inspected, parameters: Shift) -> Iterator[Observation]:
        looked_at = ["annotator", "control", "task", "at", "answer", "said", "likely", "kind"]
        table = _with_kinds(inspected).select(looked_at)
        who = ["annotator", "control"]
        of_people = _windowed(table, who, parameters)
        of_project = _windowed(table.with_columns(kind="said", likely="said", annotator=pl.lit("")), who, parameters)
        if of_people.is_empty() and of_project.is_empty():
            raise NotEnoughLabels(
                "No answer has a time and anything that says what kind of item it is about.",
                mend="Let two people label some of the tasks, or pre-label them (`tiebreak prelabel`).",
            )
        for rows in (of_people, of_project):
            for (annotator, control), part in rows.group_by("annotator", "control", maintain_order=True):
                yield from _observe(inspected, str(annotator), str(control), part, parameters)


def _with_kinds(inspected: Inspected) -> pl.DataFrame:
    """Judgements that have a time, with `said` (the stored prediction), `likely` (the answer one would expect) and
    `kind`, the same for items alike; null where nothing tells."""
    told = inspected.known.select("annotation", "control", "annotator", "known", "stratum")
    return (
        inspected.judgements.filter(pl.col("control").is_in(list(inspected.controls)), pl.col("at").is_not_null())
        .join(told, on=["annotation", "control", "annotator"], how="left", maintain_order="left")
        .join(_predicted(inspected), on=["control", "task"], how="left", maintain_order="left")
        .with_columns(likely=pl.coalesce("known", "said"))
        .with_columns(kind=pl.coalesce(pl.format("{} {}", "stratum", "known"), "said"))
    )


def _predicted(inspected: Inspected) -> pl.DataFrame:
    """[control, task, said]: the stored predictions."""
    kinds = {name: kind for name, control in inspected.controls.items() if (kind := kind_of(control))}
    try:
        stored = inspected.evidence.stored
    except ModelUnavailable:
        stored = {}
    schema = {"control": pl.String(), "task": pl.Int64(), "said": pl.String()}
    tables = [pl.DataFrame(schema=schema)]
    for name, kind in kinds.items():
        opinions, keys = stored.get(name, {}), _Keys(kind.key)
        said = [keys[opinion.answer] for opinion in opinions.values()]
        tables.append(pl.DataFrame({"control": [name] * len(said), "task": list(opinions), "said": said}, schema))
    return pl.concat(tables)


class _Keys(dict[Answer, str]):
    """Each worked out once."""

    def __init__(self, key: Callable[[Answer], str]) -> None:
        self._key = key

    def __missing__(self, answer: Answer) -> str:
        self[answer] = key = self._key(answer)
        return key


def _windowed(table: pl.DataFrame, who: list[str], parameters: Shift) -> pl.DataFrame:
    """Of who has enough on both sides, with `late`: in the window."""
    at, week = pl.col("at"), timedelta(days=parameters.days)
    begin = pl.max_horizontal((at.max() - week).over(who), at.median().over(who))
    sides = table.filter(pl.col("kind").is_not_null()).with_columns(late=at > begin)
    late = pl.col("late").sum().over(who)
    return sides.filter(pl.min_horizontal(late, pl.len().over(who) - late) >= parameters.minimum)


def _observe(
    inspected: Inspected, annotator: str, control: str, rows: pl.DataFrame, parameters: Shift
) -> Iterator[Observation]:
    common = rows["answer"].value_counts(sort=True)["answer"].head(MOST_LABELS).to_list()
    kinds = rows["kind"].unique(maintain_order=True).to_list()
    places = {key: place for place, key in enumerate(common)}, {key: place for place, key in enumerate(kinds)}
    answer, kind = (
        rows[name].replace_strict(known, default=len(known), return_dtype=pl.Int64).to_numpy()
        for name, known in (("answer", places[0]), ("kind", places[1]))
    )
    late = rows["late"].to_numpy()
    shape = (len(kinds), len(common) + 1)
    before, after = np.zeros(shape), np.zeros(shape)
    np.add.at(before, (kind[~late], answer[~late]), 1)
    np.add.at(after, (kind[late], answer[late]), 1)
    shared = (before.sum(axis=1) > 0) & (after.sum(axis=1) > 0)
    before, after = before[shared], after[shared]
    if min(before.sum(), after.sum()) < parameters.minimum:
        return
    drawn = _drawn(before, after)
    observed, chance = _g(before, after), _g(before + after - drawn, drawn)
    change = float(_index(before, after)) - float(_index(before + after - drawn, drawn).mean())
    p, q = _standardised(before, after)
    widest = int(np.argmax(np.abs(q - p)[: len(common)]))
    label = show_key(inspected.controls[control], common[widest])
    telling = rows.filter("late", pl.col("answer" if q[widest] > p[widest] else "likely") == common[widest])
    odd = (
        telling.filter(pl.col("answer") != pl.col("likely"))
        .sort("at", descending=True)["task"]
        .unique(maintain_order=True)
    )
    begin = rows.filter("late").select(pl.col("at").min().dt.to_string("%Y-%m-%d")).item()
    evidence = odd if len(odd) else rows.filter("late")["task"].unique(maintain_order=True)
    yield Observation(
        subject=annotator,
        control=control,
        value=change,
        threshold=parameters.psi,
        n=int(before.sum() + after.sum()),
        off=change >= parameters.psi,
        p=_tail(float(observed), chance),
        evidence=tuple(evidence.head(MAX_EVIDENCE).to_list()),
        message=f"{'' if annotator else 'All together: '}of items alike, {p[widest]:.0%} got {label} before and "
        f"{q[widest]:.0%} in the {int(after.sum())} answers since {begin} (PSI "
        f"{change:.2f} beyond chance).",
        about="annotator" if annotator else "process",
    )


def _drawn(before: Floats, after: Floats) -> Floats:
    """(DRAWS, kinds, answers): tables of the window if it were drawn at random from all answers to each kind."""
    rng = np.random.default_rng(0)
    both, sizes = (before + after).astype(np.int64), after.sum(axis=1).astype(np.int64)
    tables = [
        rng.multivariate_hypergeometric(row, size, DRAWS, method="marginals")
        for row, size in zip(both, sizes, strict=True)
    ]
    return np.stack(tables, axis=1).astype(np.float64)


def _g(before: Floats, after: Floats) -> Floats:
    """Σ 2 O ln(O / E) over kinds of items; over the last two axes, of which both have the same sums along the last."""
    both = before + after
    size, sides = both.sum(axis=-1), (before.sum(axis=-1), after.sum(axis=-1))
    known = xlogy(counts := np.arange(int(size.max()) + 1), counts)

    def told(counts: Floats, axes: tuple[int, ...]) -> Floats:
        return known[counts.astype(np.int64)].sum(axis=axes)

    cells = told(before, (-1, -2)) + told(after, (-1, -2)) - told(both, (-1, -2))
    return 2 * (cells - told(sides[0], (-1,)) - told(sides[1], (-1,)) + told(size, (-1,)))


def _standardised(before: Floats, after: Floats) -> tuple[Floats, Floats]:
    """Shares of each answer, each kind weighted by how much of the window it is: over the last axis they sum to 1."""
    size = after.sum(axis=-1)
    weight = size / size.sum(axis=-1, keepdims=True)
    answers = ((before + after).sum(axis=-2) > 0).astype(float)
    half = 0.5 * answers / answers.sum(axis=-1, keepdims=True)

    def share(side: Floats) -> Floats:
        each = weight / (side.sum(axis=-1) + 0.5)
        return np.einsum("...k,...ka->...a", each, side) + each.sum(axis=-1, keepdims=True) * half

    return share(before), share(after)


def _index(before: Floats, after: Floats) -> Floats:
    p, q = _standardised(before, after)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((p > 0) & (q > 0), (q - p) * np.log(q / p), 0.0).sum(axis=-1)


def _tail(observed: float, chance: Floats) -> float:
    """P(G as large by chance)."""
    mean, variance = float(chance.mean()), float(chance.var())
    counted = (1 + int((chance >= observed - 1e-9).sum())) / (1 + len(chance))
    if counted > 10 / len(chance) or variance < 1e-12:
        return counted
    return min(counted, float(gamma.sf(observed, mean**2 / variance, scale=variance / mean)))


def _answered(shifts: Callable[[int], bool]) -> Dataset:
    """What the others call positive Ana calls neutral where told; later, more items are positive."""
    rows = []
    for task in range(1, 201):
        label = "positive" if task % 3 or task > 150 else "negative"
        rows += [Given(task, who, label, at=100 * task) for who in ("ben", "chi")]
        rows.append(Given(task, "ana", "neutral" if shifts(task) and label == "positive" else label, at=100 * task))
    return example(rows)
