"""Somebody sees more disturbing content in a day than anybody should."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from pydantic import Field

from ml_backend.labeling.answers import regions_by_control
from ml_backend.labeling.errors import ModelUnavailable, NotEnoughLabels
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.standards import names_of


class Cap(Parameters):
    minimum: int = Field(default=1, ge=1, description="least number of disturbing tasks seen")
    labels: tuple[str, ...] = Field(
        default=(), description="labels of disturbing content; those of `hard_cases: {disturbing: …}` if empty"
    )
    a_day: int | None = Field(default=None, ge=1, description="disturbing tasks a day; the standard's if left out")


@register("exposure")
class Exposure:
    """Disturbing tasks that somebody answered or skipped on their worst day (UTC), against the cap. A task is
    disturbing by the labels that people or the stored predictions gave it, by any of their names, or by what somebody
    told in the feedback panel. A fact: there is no p-value."""

    dimension = "process"
    severity: Severity = "high"
    why = "Too much of it harms people, and who is numb labels worse."
    do = "Give this person other tasks for now, spread such tasks over more people, and offer support."
    parameters = Cap

    @staticmethod
    def bad() -> Dataset:
        return _seen("high")

    @staticmethod
    def good() -> Dataset:
        return _seen("low")

    def __call__(self, inspected: Inspected, parameters: Cap) -> Iterator[Observation]:
        standard = inspected.evidence.standard.disturbing
        labels = frozenset(parameters.labels or (standard.labels if standard else ()))
        cap = parameters.a_day or (standard.a_day if standard else 20)
        if not labels:
            raise NotEnoughLabels(
                "Nothing says which content is disturbing.",
                mend="Say `disturbing: {labels: …}` in the project's hard_cases, or `labels` in rules.yaml.",
            )
        disturbing = _disturbing(inspected, labels)
        saw = inspected.annotations.filter(pl.col("at").is_not_null(), pl.col("task").is_in(disturbing))
        days = (
            saw.with_columns(day=pl.col("at").dt.date())
            .group_by("annotator", "day")
            .agg(n=pl.col("task").n_unique(), tasks=pl.col("task").unique().sort())
            .with_columns(over=(pl.col("n") > cap).sum().over("annotator"), all=pl.col("n").sum().over("annotator"))
            .sort("n", "day", descending=True)
            .unique("annotator", keep="first", maintain_order=True)
            .sort("annotator")
        )
        for row in days.iter_rows(named=True):
            if row["all"] < parameters.minimum:
                continue
            more = f"; over {cap} on {row['over']} days" if row["over"] > 1 else ""
            yield Observation(
                subject=row["annotator"],
                value=row["n"],
                threshold=cap,
                n=row["all"],
                off=row["n"] > cap,
                evidence=tuple(row["tasks"][:MAX_EVIDENCE]),
                message=f"Saw {row['n']} disturbing tasks on {row['day']} (at most {cap} a day{more}).",
                about="process",
            )


def _disturbing(inspected: Inspected, labels: frozenset[str]) -> list[int]:
    config = inspected.evidence.config
    kinds = {it.name: kind for it in config.controls if not it.explanation and (kind := kind_of(it))}
    asked = [it.name for it in config.answerable if it.name in kinds]
    said = inspected.all_judgements.filter(pl.col("control").is_in(asked)).select("control", "answer").unique()
    telling = [
        (control, key)
        for control, key in said.iter_rows()
        if not names_of(kinds[control].labels(kinds[control].from_key(key))).isdisjoint(labels)
    ]
    schema = {"control": pl.String, "answer": pl.String}
    found = set(
        inspected.all_judgements.join(pl.DataFrame(telling, schema=schema, orient="row"), on=list(schema), how="semi")[
            "task"
        ]
    )
    try:
        stored = inspected.evidence.stored
    except ModelUnavailable:
        stored = {}
    for name, opinions in stored.items():
        found.update(
            task for task, it in opinions.items() if not names_of(kinds[name].labels(it.answer)).isdisjoint(labels)
        )
    panels = [it for it in config.controls if it.feedback and not labels.isdisjoint(names_of(it.keys))]
    for task, annotation in inspected.submitted if panels else ():
        given = regions_by_control(config, annotation.regions)
        for panel in panels:
            answer = kinds[panel.name].read(panel, given.get(panel.name, ()))
            if answer is not None and not names_of(kinds[panel.name].labels(answer)).isdisjoint(labels):
                found.add(task.id)
    return sorted(found)


def _seen(severity: str) -> Dataset:
    rows = (
        Given(task, "ana", {"sentiment": "negative", "severity": "high" if task <= 3 else severity})
        for task in range(1, 16)
    )
    return example(
        rows, project={"description": 'tiebreak hard cases: {"disturbing": {"labels": ["high"], "a_day": 10}}'}
    )
