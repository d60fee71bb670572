"""The standard by which a project's tasks count as hard, and who decides them: `hard_cases:` of project.yaml.

Sync keeps it in the source project's description as a line

    tiebreak hard cases: {"name": "2026-11", …}

so that every command and every worker finds it in Label Studio, wherever it runs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ml_backend.labeling.config import PATH_SEPARATOR, LabelConfig
from ml_backend.labeling.kinds.rating import most_stars
from ml_backend.policy import read_line
from sdk_scripts.manifest_section import Section
from sdk_scripts.marks import read_standard

Weight = Annotated[float, Field(ge=0, le=1)]
Severity = Annotated[float, Field(gt=0, le=100)]


def _lowered(pattern: str, what: str) -> BeforeValidator:
    def check(value: object) -> str:
        found = str(value).strip().lower()
        if not re.fullmatch(pattern, found):
            raise ValueError(f"must be {what}")
        return found

    return BeforeValidator(check)


Email = Annotated[str, _lowered(r"[^@\s]+@[^@\s]+", "an e-mail address")]
Language = Annotated[str, _lowered(r"[a-z]{2}", "a two-letter code of ISO 639-1, en or zh say")]

_FREE = frozenset({"textarea", "number", "rating", "pairwise"})
"""Tags that have no labels."""


class Budget(Section):
    """Review tasks, counted by case: the seats of two reviewers are one case."""

    a_run: int = Field(
        default=100, ge=1, le=10_000, description="that many of the hardest cases; those that have their review count"
    )
    a_day: int | None = Field(default=None, ge=1, le=100_000, description="at most that many new cases a day (UTC)")


class Reviewer(Section):
    """Somebody who decides hard cases."""

    email: Email = Field(max_length=254, description="as they sign in to Label Studio; lower and upper case are one")
    labels: tuple[str, ...] = Field(
        default=(), description="what they decide, a branch of a taxonomy with all below it; everything if empty"
    )
    languages: tuple[Language, ...] = Field(
        default=(), description="ISO 639-1 codes of the texts they read; all if empty"
    )
    open: int = Field(default=50, ge=1, le=10_000, description="undecided cases they may have at once")
    a_day: int = Field(default=50, ge=1, le=10_000, description="new cases a day (UTC)")


class Disturbing(Section):
    """Content that nobody should see much of."""

    labels: tuple[str, ...] = Field(min_length=1, description="answers of people or model that make a case disturbing")
    a_day: int = Field(default=20, ge=1, le=10_000, description="disturbing cases a reviewer gets a day")


class Standard(Section):
    """What counts as hard and what is done about it."""

    name: str = Field(
        default="default", min_length=1, max_length=64, description="written on each review task that met it"
    )
    least_score: Weight = Field(default=0.0, description="tasks below it are no hard cases")
    minimum_judgements: int = Field(
        default=0,
        ge=0,
        le=100,
        description="a task with fewer answers is no case for review yet: it gets another annotator",
    )
    budget: Budget = Budget()
    signals: dict[str, Weight] = Field(
        default_factory=dict, description="signal -> weight, 0 to leave it out; the signal's own, or learned, otherwise"
    )
    risk_words: dict[str, Severity] = Field(
        default_factory=dict, description="word or phrase of the policy -> severity of a text that has it"
    )
    severity: dict[str, Severity] = Field(
        default_factory=dict, description="label -> severity, 1 otherwise; the score is weighted with it"
    )
    two_reviewers_from: Severity | None = Field(
        default=None, description="severity from which two reviewers decide, blind to each other, and a third on a tie"
    )
    reviewers: tuple[Reviewer, ...] = Field(default=(), description="who decides; anybody where left out")
    blind: bool = Field(default=True, description="reviewers see no names of annotators")
    one_more_annotator: bool = Field(
        default=False,
        description="raise a task's overlap instead of a review, where another label is expected to settle it",
    )
    automatic: bool = Field(
        default=False, description="found and resolved as labels change, by workers; otherwise by the commands only"
    )
    disturbing: Disturbing | None = None
    expires_days: int | None = Field(
        default=None, ge=1, le=3650, description="review tasks that nobody decided in that time are taken back"
    )

    @field_validator("reviewers")
    @classmethod
    def _each_once(cls, reviewers: tuple[Reviewer, ...]) -> tuple[Reviewer, ...]:
        emails = [reviewer.email for reviewer in reviewers]
        if twice := sorted({email for email in emails if emails.count(email) > 1}):
            raise ValueError(f"two reviewers are {twice[0]}")
        return reviewers

    @model_validator(mode="after")
    def _a_bar(self) -> Standard:
        if self.automatic and not self.least_score:
            raise ValueError("automatic needs a least_score, 0.5 say: without one every doubt becomes a review")
        return self

    def seats(self, severity: float) -> int:
        """How many reviewers decide a case of that severity, before any tie."""
        return 2 if self.reviewers and self.two_reviewers_from and severity >= self.two_reviewers_from else 1

    def line(self) -> str:
        """What differs from the defaults, as JSON on one line; equal standards have equal lines."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False, sort_keys=True)

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with any field, defaults included."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:16]


def standard_of(project: Mapping[str, Any]) -> Standard:
    """The standard of a source project, as Label Studio's API returns the project; the default where it has none.

    Raises ConfigError where people have edited the line so that it cannot be read.
    """
    line = read_standard(project.get("description"))
    return Standard() if line is None else read_line(Standard, line, "tiebreak hard cases:", project)


def shown(line: str | None) -> str | None:
    """A standard's JSON as the YAML of a manifest, for diffs; what cannot be read as it is."""
    import yaml

    if line is None:
        return None
    try:
        return yaml.safe_dump(json.loads(line), allow_unicode=True, sort_keys=False, width=100).strip()
    except ValueError:
        return line


def names_of(labels: Iterable[str]) -> frozenset[str]:
    """Every name by which a standard may mean these labels (of `Kind.labels`): the label itself, and of a path its
    branches and each of its parts. "goods / weapons" is meant by "goods", "weapons" and "goods / weapons"."""
    found: set[str] = set()
    for label in labels:
        parts = label.split(PATH_SEPARATOR)
        found |= {*parts, *(PATH_SEPARATOR.join(parts[:end]) for end in range(1, len(parts) + 1))}
    return frozenset(found)


def problems(standard: Standard, config: LabelConfig) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What does not fit the label config or this program: place of the field, and why."""
    from sdk_scripts.signals import SIGNALS

    if standard.two_reviewers_from is not None and len(standard.reviewers) < 2:
        yield (
            ("two_reviewers_from",),
            f"needs two reviewers, and a third to break a tie; {len(standard.reviewers)} named",
        )
    for name in sorted(standard.signals.keys() - set(SIGNALS)):
        yield ("signals", name), f"is no signal; known: {', '.join(SIGNALS)}"
    asked = [control for control in config.controls if not (control.per_region or control.explanation)]
    if any(control.open and control.tag.lower() not in _FREE for control in asked):
        return  # people may pick labels that the config does not list
    known = names_of(PATH_SEPARATOR.join(label.path) for control in asked for label in control.labels)
    known |= {str(n) for it in asked if it.tag.lower() == "rating" for n in range(1, most_stars(it) + 1)}
    named: list[tuple[tuple[str | int, ...], Iterable[str]]] = [
        *((("reviewers", place, "labels"), one.labels) for place, one in enumerate(standard.reviewers)),
        (("severity",), standard.severity),
        (("disturbing", "labels"), standard.disturbing.labels if standard.disturbing else ()),
    ]
    for where, labels in named:
        if strange := [label for label in labels if label not in known]:
            yield where, f"the label config has no label {', '.join(strange)}; it has {', '.join(sorted(known))}"
