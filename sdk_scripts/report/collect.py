"""Dataset -> Report: every figure of the report, worked out once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import polars as pl

from ml_backend.labeling.errors import ModelUnavailable, TiebreakError
from ml_backend.labeling.judgements import of_annotators
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import project_key
from ml_backend.labeling.task_data import text_of
from ml_backend.settings import Settings
from sdk_scripts.demo_data import SLOT_DOMAIN
from sdk_scripts.evidence import Evidence
from sdk_scripts.hard_cases import HardCase, find_hard_cases
from sdk_scripts.many_objects import without_collector
from sdk_scripts.report.headline import headline
from sdk_scripts.report.model import (
    AnnotatorRow,
    Bin,
    ControlRow,
    Day,
    HardCaseRow,
    LabelRow,
    OverlapRow,
    Overview,
    Report,
    ThresholdRow,
    VersionRow,
)
from sdk_scripts.report.sections import Given, collect_sections
from sdk_scripts.sources import Dataset
from sdk_scripts.tables import plain

if TYPE_CHECKING:
    from ml_backend.labeling.agreement import ControlAgreement, LabelAgreement
    from ml_backend.model_registry import VersionInfo

MOST_READ = 50_000
"""Labelled tasks whose texts a model reads for a report, milliseconds each: beyond, the consensus is people's alone,
and signals that need a second opinion say that they had none."""
_TEXT_LENGTH = 240
_NUMBERS = ("ordinal", "interval")
_WIDE = 0.2
"""An interval of somebody's quality wider than that says too little about them: 50 judgements compared narrow it down
to that."""
_HARD = 0.5
"""A task counts as a hard case where its label is more likely in doubt than not (`hard_cases` says how that is put
together). The ranking itself goes on to the last suspicion; `tiebreak hard-cases` lists it."""
_NO_PERSONS = (
    "These annotators are the rating slots of a public data set, not persons: do not read them as people's quality."
)


@without_collector()
def collect(dataset: Dataset, settings: Settings, *, before: Mapping[str, Any] | None = None) -> Report:
    """Work out the report. What cannot be said yet (no overlap, no model) becomes a note, never an error.

    `before` is the earlier report, as JSON, that this one is compared with.
    """
    evidence = _evidence(dataset, settings)
    evidence.tasks  # noqa: B018  # which both of the following read
    with ThreadPoolExecutor(1) as beside:
        beside.submit(lambda: evidence.same_items)  # in numpy, which lets others work meanwhile
        table = of_annotators(evidence.judgements)
        agreement = evidence.agreement
    consensus = evidence.consensus
    cases = find_hard_cases(dataset, evidence)
    hard = [case for case in cases if case.score >= _HARD]
    notes = [f"Hard cases without the signal {name}: {why}" for name, why in cases.dropped.items()]
    versions = _versions(dataset, settings, notes)
    overview = _overview(evidence, table)
    controls = [_control(name, found, table, dataset) for name, found in agreement.controls.items()]
    annotators = _annotators(evidence, table)
    core = Report(
        title=dataset.name,
        url=dataset.url,
        generated_at=datetime.now(UTC).replace(microsecond=0),
        headline=headline(overview, controls, len(hard), versions),
        overview=overview,
        overlap=_overlap(evidence, table),
        controls=controls,
        annotators=annotators,
        annotators_note=_NO_PERSONS if any(row.annotator.endswith(SLOT_DOMAIN) for row in annotators) else "",
        hard_cases=_hard_cases(dataset, hard),
        versions=versions,
        days=_days(table),
        notes=[*notes, *dataset.warnings, *filter(None, [consensus.note])],
        judgements=_tidy(table, dataset),
    )
    given = Given(evidence, settings, core, list(cases), before)
    sections = collect_sections(given)
    return core.model_copy(update={"sections": sections, "notes": [*core.notes, *given.notes]})


def _evidence(dataset: Dataset, settings: Settings) -> Evidence:
    labelled = sum(any(not it.cancelled for it in task.annotations) for task in dataset.tasks)
    if labelled <= MOST_READ:
        return Evidence.collect(dataset, settings)

    def too_many() -> NoReturn:
        raise ModelUnavailable(
            f"{labelled:,} labelled tasks are more than the {MOST_READ:,} that a model reads for a report.",
            mend="`tiebreak hard-cases` and `tiebreak consensus` have it read all of them.",
        )

    return Evidence(dataset, too_many)


def _overview(evidence: Evidence, table: pl.DataFrame) -> Overview:
    tasks = evidence.dataset.tasks
    per_task = table.group_by("task").agg(pl.col("annotator").n_unique())
    return Overview(
        tasks=len(tasks),
        labeled=per_task.height,
        overlapped=per_task.filter(pl.col("annotator") > 1).height,
        judgements=table.height,
        annotators=table["annotator"].n_unique() if table.height else 0,
        skipped=int(evidence.annotations["skipped"].sum()),
        predicted=sum(bool(task.predictions) for task in tasks),
    )


def _overlap(evidence: Evidence, table: pl.DataFrame) -> list[OverlapRow]:
    tasks = evidence.dataset.tasks
    people = table.group_by("task").agg(pl.col("annotator").n_unique().cast(pl.Int64))
    skipped = evidence.annotations.group_by("task").agg(pl.col("skipped").sum().cast(pl.Int64))
    counts = (
        pl.DataFrame(
            {"task": [task.id for task in tasks], "predicted": [bool(task.predictions) for task in tasks]},
            schema={"task": pl.Int64, "predicted": pl.Boolean},
        )
        .join(people, on="task", how="left")
        .join(skipped, on="task", how="left")
        .group_by(annotators=pl.col("annotator").fill_null(0))
        .agg(tasks=pl.len(), predicted=pl.col("predicted").sum(), skipped=pl.col("skipped").sum())
        .sort("annotators")
    )
    return [OverlapRow(**row) for row in counts.iter_rows(named=True)]


def _control(name: str, found: ControlAgreement, table: pl.DataFrame, dataset: Dataset) -> ControlRow:
    control = dataset.config[name]
    kind = kind_of(control)
    counts: dict[str, int] = dict.fromkeys(control.keys, 0)
    answers = table.filter(control=name).group_by("answer").len().sort("len", "answer", descending=[True, False])
    total = 0
    for key, count in answers.iter_rows():
        total += count
        for label in kind.labels(kind.from_key(key)) if kind else ():
            counts[label] = counts.get(label, 0) + count
    if kind and kind.scale in _NUMBERS:
        counts = dict(sorted(counts.items(), key=lambda item: float(item[0])))
    return ControlRow(
        control=name,
        kind=found.kind,
        items=found.items,
        judgements=total,
        percent=_known(found.percent),
        alpha=_known(found.alpha),
        alpha_low=_known(found.alpha_low),
        alpha_high=_known(found.alpha_high),
        note=found.note,
        labels=[
            LabelRow(
                label=label,
                count=count,
                share=count / total if total else 0.0,
                **_alpha(found.labels.get(label)),
            )
            for label, count in counts.items()
        ],
    )


def _alpha(found: LabelAgreement | None) -> dict[str, float | None]:
    names = ("alpha", "alpha_low", "alpha_high")
    return {name: _known(getattr(found, name)) for name in names} if found else {}


def _annotators(evidence: Evidence, table: pl.DataFrame) -> list[AnnotatorRow]:
    if not table.height:
        return []
    # lead time belongs to an annotation, which has a judgement for each of its controls
    per_annotation = table.unique("annotation", keep="first")
    times = per_annotation.group_by("annotator").agg(
        pl.col("lead_time").median(),
        pl.col("prediction").is_not_null().sum().alias("prelabeled"),
    )
    changed = table.group_by("annotation", "annotator").agg(pl.col("changed").any(ignore_nulls=False))
    shares = changed.group_by("annotator").agg(pl.col("changed").mean())
    # one who errs in one control may err in the others, too: so intervals are pooled like what they are of
    known = evidence.consensus.annotators.filter(pl.col("quality").is_not_nan())
    quality = known.group_by("annotator").agg(
        (pl.col(name) * pl.col("judgements")).sum() / pl.col("judgements").sum() for name in ("quality", "low", "high")
    )
    rows = (
        table.group_by("annotator")
        .len()
        .join(times, on="annotator", how="left")
        .join(shares, on="annotator", how="left")
        .join(quality, on="annotator", how="left")
        .sort("len", "annotator", descending=[True, False])
    )
    others = evidence.agreement.annotators
    return [
        AnnotatorRow(
            annotator=row["annotator"],
            judgements=row["len"],
            quality=row["quality"],
            quality_low=row["low"],
            quality_high=row["high"],
            few=row["quality"] is None or row["high"] - row["low"] > _WIDE,
            agreement=_known(others[row["annotator"]].percent_with_others) if row["annotator"] in others else None,
            median_lead_time=_known(row["lead_time"]),
            prelabeled=row["prelabeled"],
            changed=_known(row["changed"]),
        )
        for row in rows.iter_rows(named=True)
    ]


def _hard_cases(dataset: Dataset, cases: Iterable[HardCase]) -> list[HardCaseRow]:
    tasks = {task.id: task for task in dataset.tasks}
    rows = []
    for case in cases:
        fields = dataset.config.text_fields(dataset.config[case.control])
        rows.append(
            HardCaseRow(
                task=case.task,
                url=dataset.link(case.task),
                text=plain(text_of(tasks[case.task].data, fields))[:_TEXT_LENGTH],
                score=case.score,
                reasons=[plain(reason.detail) for reason in case.reasons],
            )
        )
    return rows


def _versions(dataset: Dataset, settings: Settings, notes: list[str]) -> list[VersionRow]:
    """The registry's versions of a live project; a file has none."""
    if dataset.project is None:
        return []
    from ml_backend.model_registry import ModelRegistry

    try:
        found = ModelRegistry(settings.models).versions(project_key(dataset.project))
    except TiebreakError as error:
        notes.append(f"The model versions could not be read: {error}")
        return []
    return [_version(version) for version in found]


def _version(info: VersionInfo) -> VersionRow:
    metrics: dict[str, dict[str, float | None]] = {}
    reliability: dict[str, list[Bin]] = {}
    thresholds: dict[str, list[ThresholdRow]] = {}
    for control, values in info.metrics.items():
        if not isinstance(values, dict):
            continue
        metrics[control] = {name: _known(value) for name, value in values.items() if isinstance(value, int | float)}
        metrics[control]["coverage_95"] = (values.get("coverage") or {}).get("0.95")
        thresholds[control] = [ThresholdRow.model_validate(it) for it in values.get("thresholds", ())]
        reliability[control] = [
            Bin(confidence=b["confidence"], accuracy=b["accuracy"], count=b["count"])
            for b in values.get("reliability", ())
            if b["count"]
        ]
    return VersionRow(
        version=info.version,
        created_at=info.created_at,
        live=info.live,
        labels=info.labels,
        metrics=metrics,
        reliability=reliability,
        thresholds=thresholds,
        reason=plain(info.reason),
    )


def _days(table: pl.DataFrame) -> list[Day]:
    dated = table.drop_nulls("created_at")
    counts = dated.group_by(pl.col("created_at").dt.strftime("%Y-%m-%d").alias("day")).len().sort("day")
    return [Day(day=day, judgements=count) for day, count in counts.iter_rows()]


def _tidy(table: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """One row a judgement with the answer as people read it, ready for pivot tables."""
    pairs = table.select("control", "answer").unique()
    read: list[str] = []
    numbers: list[float | None] = []
    for name, key in pairs.iter_rows():
        kind = kind_of(dataset.config[name])
        read.append(kind.show(kind.from_key(key)) if kind else key)
        number = next(iter(kind.labels(kind.from_key(key))), None) if kind and kind.scale in _NUMBERS else None
        numbers.append(float(number) if number is not None else None)
    pairs = pairs.with_columns(pl.Series("as_read", read, pl.String), pl.Series("number", numbers, pl.Float64))
    return (
        table.join(pairs, on=["control", "answer"], how="left")
        .sort("task", "control", "annotator")
        .select(
            "task",
            "control",
            "annotator",
            pl.col("as_read").alias("answer"),
            pl.col("number").alias("answer as a number"),
            pl.col("created_at").alias("judged at"),
            pl.col("lead_time").round(3).alias("seconds on the task"),
            pl.col("prediction").is_not_null().alias("from a prediction"),
            pl.col("changed").alias("prediction changed"),
            pl.col("ground_truth").alias("ground truth"),
        )
    )


def _known(value: float | None) -> float | None:
    """Undefined figures are None in the report: JSON has no NaN."""
    return None if value is None or value != value else float(value)
