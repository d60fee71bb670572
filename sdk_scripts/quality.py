"""What is watched in a project's labels, and how strictly: rules.yaml, which project.yaml names as `quality:`.

Sync keeps it in the source project's description as a line

    tiebreak quality: {"automatic": true, …}

so that every command and every worker finds it in Label Studio, wherever it runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import ConfigError
from ml_backend.policy import read_line
from ml_backend.report_schedule import UTC_NAME, cron_problem, zone_problem
from sdk_scripts.manifest_section import Section
from sdk_scripts.marked_yaml import YamlProblem, read_yaml
from sdk_scripts.marks import read_quality_line
from sdk_scripts.sampling.tables import AQLS

Severity = Literal["low", "medium", "high"]
Values = tuple[str | int | float, ...]


class Contradiction(Section):
    """Two answers to one task that cannot both be meant. Labels are meant by alias or path, as in `hard_cases`."""

    name: str = Field(min_length=1, max_length=80)
    when: dict[str, Values] = Field(min_length=1, description="control -> labels: holds where all of them are given")
    never: dict[str, Values] = Field(min_length=1, description="control -> labels: none of them may be given then")
    why: str = Field(default="", max_length=500, description="shown with the finding")


class Gold(Section):
    """Gold questions among the ordinary tasks (`tiebreak gold`)."""

    first: int = Field(default=5, ge=0, le=100, description="gold questions among an annotator's first tasks")
    share: float = Field(default=0.02, ge=0, le=0.5, description="of the tasks after those")
    pass_mark: float = Field(default=0.8, gt=0, lt=1, description="share of right answers that is good enough")
    certainty: float = Field(default=0.95, ge=0.5, lt=1, description="of the interval that passes or fails somebody")
    least: int = Field(default=20, ge=11, le=1000, description="answers before anybody passes or fails")
    days: int = Field(default=90, ge=1, le=3650, description="that an answer counts, and that make somebody active")
    near: float = Field(
        default=0.2, ge=0, lt=1, description="distance from the right answer that still is right, of spans and the like"
    )
    most_exposures: int = Field(default=50, ge=1, le=10_000, description="annotators that see one question")
    rest_hours: float = Field(default=1, ge=0, le=24 * 31, description="before a question is asked again, once known")


class Lot(Section):
    """Acceptance sampling (`tiebreak inspect --lot`)."""

    aql: float = Field(default=1.0, description="acceptance quality limit, in per cent of tasks")
    level: Literal["I", "II", "III"] = "II"
    reduced: bool = Field(default=False, description="after ten good lots in a row or so, inspect less")
    zero_from: float | None = Field(
        default=None,
        gt=0,
        le=100,
        description="severity from which no wrong label is accepted; the highest that `hard_cases` names if left out",
    )
    risk: float = Field(default=0.1, gt=0, lt=0.5, description="consumer's risk of the zero-acceptance plan")
    tolerated: float = Field(default=0.02, gt=0, lt=0.5, description="share of wrong labels that it must find")
    seen_from: float = Field(
        default=0.1, gt=0, le=1, description="probability of a severe label by the model that makes a task high-risk"
    )

    @field_validator("aql")
    @classmethod
    def _in_the_tables(cls, aql: float) -> float:
        if aql not in AQLS:
            raise ValueError(f"must be an AQL of ISO 2859-1: {', '.join(f'{it:g}' for it in AQLS)}")
        return aql


class Calibration(Section):
    """Calibration rounds (`tiebreak calibrate`)."""

    size: int = Field(default=40, ge=8, le=1000, description="tasks of a round")
    alpha: float = Field(default=0.667, gt=0, lt=1, description="a round passes when the lower bound reaches it")
    certainty: float = Field(default=0.95, ge=0.5, lt=1)


class Onboarding(Section):
    """The course for new annotators (`tiebreak onboard`)."""

    practice: int = Field(default=20, ge=0, le=500, description="tasks whose answer is shown after each set")
    a_set: int = Field(default=5, ge=1, le=100, description="practice tasks at a time")
    exam: int = Field(
        default=30, ge=20, le=500, description="questions about each control; more follow while undecided"
    )
    most: int = Field(default=60, ge=20, le=1000, description="questions about a control after which the exam ends")
    pass_mark: float = Field(default=0.8, gt=0, lt=1, description="share of right answers that is good enough")
    certainty: float = Field(default=0.9, ge=0.5, lt=1, description="of the interval that passes or fails somebody")
    controls: tuple[str, ...] = Field(
        default=(), description="that need a certificate; all with enough gold for an exam if empty"
    )
    required: bool = Field(default=False, description="labels of people without a certificate are findings")


class Reports(Section):
    """Reports that workers make and keep (`tiebreak report`)."""

    cron: str = Field(
        default="",
        max_length=100,
        description="when, in five fields: minute, hour, day of month, month, day of week; never if empty",
    )
    time_zone: str = Field(default=UTC_NAME, max_length=64, description="whose clock that is, by its IANA name")
    every_labels: int | None = Field(default=None, ge=1, description="after so many new labels")
    on_completion: bool = Field(
        default=False, description="when every task of a batch is labelled as often as its overlap asks"
    )
    keep: int = Field(default=30, ge=2, le=1000, description="reports that the history keeps, the newest")

    @field_validator("cron")
    @classmethod
    def _comes(cls, cron: str) -> str:
        if cron and (problem := cron_problem(cron)):
            raise ValueError(problem)
        return cron

    @field_validator("time_zone")
    @classmethod
    def _on_earth(cls, name: str) -> str:
        if problem := zone_problem(name):
            raise ValueError(problem)
        return name


class Quality(Section):
    """What rules.yaml says, field by field."""

    rules: dict[str, dict[str, Any] | bool] = Field(
        default_factory=dict, description="rule -> its parameters, or false to leave it out"
    )
    contradictions: tuple[Contradiction, ...] = ()
    false_discovery: float = Field(
        default=0.05, gt=0, le=0.5, description="expected share of findings that are mere chance, of those tested"
    )
    automatic: bool = Field(default=False, description="workers inspect as labels change, and on the schedule")
    every_hours: float = Field(default=24, ge=0.25, le=24 * 31, description="at least that often where automatic")
    review: bool = Field(default=False, description="workers open review tasks for what new findings name")
    alert_from: Severity = Field(default="medium", description="least severity of a finding that people are told of")
    gold: Gold = Gold()
    lot: Lot = Lot()
    calibration: Calibration = Calibration()
    onboarding: Onboarding = Onboarding()
    reports: Reports = Reports()

    @field_validator("contradictions")
    @classmethod
    def _names_differ(cls, contradictions: tuple[Contradiction, ...]) -> tuple[Contradiction, ...]:
        names = [one.name for one in contradictions]
        if len(set(names)) < len(names):
            raise ValueError(f"two are named {next(name for name in names if names.count(name) > 1)!r}")
        return contradictions

    def line(self) -> str:
        """What differs from the defaults, as JSON on one line; equal ones have equal lines."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False, sort_keys=True)


def quality_of(project: Mapping[str, Any]) -> Quality:
    """Of a project as Label Studio's API returns it; the defaults where it says nothing. Raises ConfigError where
    people have edited the line so that it cannot be read."""
    line = read_quality_line(project.get("description"))
    return Quality() if line is None else read_line(Quality, line, "tiebreak quality:", project)


def read_quality(path: Path, config: LabelConfig | None = None) -> Quality:
    """A rules.yaml. Raises ConfigError with every reason: file, line, field and mend."""
    from sdk_scripts.manifest_errors import reasons

    try:
        marked = read_yaml(path.read_text("utf-8-sig"))
        found = Quality.model_validate(marked.data or {})
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", mend="Check the path.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text.", mend="Save it as UTF-8.") from None
    except YamlProblem as problem:
        raise _cannot_be_used(path, [f"{path}:{problem.line}: {problem.reason}"]) from None
    except ValidationError as error:
        raise _cannot_be_used(path, reasons(error, marked, path, Quality)) from None
    wrong = [f"{path}:{marked.line(place)}: {'.'.join(place)}: {why}" for place, why in problems(found, config)]
    if wrong:
        raise _cannot_be_used(path, wrong)
    return found


def problems(quality: Quality, config: LabelConfig | None) -> Iterator[tuple[tuple[str, ...], str]]:
    """What does not fit the rules there are, or the label config: place of the field, and why."""
    from sdk_scripts.rules import RULES

    for name, says in quality.rules.items():
        if name not in RULES:
            yield ("rules", name), f"is no inspection rule; known: {', '.join(RULES)}"
            continue
        try:
            RULES[name].parameters.model_validate(says if isinstance(says, dict) else {})
        except ValidationError as error:
            for it in error.errors():
                yield ("rules", name, *map(str, it["loc"])), it["msg"]
    if config is None:
        return
    for one in quality.contradictions:
        for control in {**one.when, **one.never}:
            if control not in config:
                yield ("contradictions",), f"{one.name}: the label config has no control {control!r}"
    for control in quality.onboarding.controls:
        if control not in config:
            yield ("onboarding", "controls"), f"the label config has no control {control!r}"


def _cannot_be_used(path: Path, reasons: list[str]) -> ConfigError:
    return ConfigError(f"{path} cannot be used:", reasons, mend="Mend these, then run it again.")
