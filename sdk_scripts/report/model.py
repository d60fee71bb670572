"""What a report says, before anyone decides how it looks. Shares and confidences are in [0, 1], times in seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, RootModel, SerializeAsAny

WebAddress = Annotated[str, Field(pattern="^https?://")]


class _Part(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)


class Overview(_Part):
    tasks: int
    labeled: int
    overlapped: int
    """Tasks with judgements of two annotators or more: only these say something about agreement."""
    judgements: int
    annotators: int
    skipped: int
    predicted: int


class LabelRow(_Part):
    label: str
    count: int
    share: float
    alpha: float | None = None
    alpha_low: float | None = None
    alpha_high: float | None = None


class ControlRow(_Part):
    control: str
    kind: str
    items: int
    judgements: int
    percent: float | None
    alpha: float | None
    alpha_low: float | None
    alpha_high: float | None
    note: str = ""
    labels: list[LabelRow] = []


class AnnotatorRow(_Part):
    annotator: str
    judgements: int
    quality: float | None
    quality_low: float | None = None
    quality_high: float | None = None
    few: bool = True
    """Too few of the judgements could be compared with anything to say how good they are."""
    agreement: float | None
    """Share of pairs with other annotators' answers that agree."""
    median_lead_time: float | None
    prelabeled: int
    """Judgements submitted from a prediction."""
    changed: float | None
    """Share of those that differ from the prediction."""


class HardCaseRow(_Part):
    task: int
    url: WebAddress | None
    text: str
    score: float
    reasons: list[str]


class Bin(_Part):
    confidence: float
    accuracy: float
    count: int


class ThresholdRow(_Part):
    error: float
    """The budget: the share of accepted answers that may be wrong."""
    certainty: float
    confidence: float | None
    """None: no threshold can promise that yet."""
    coverage: float


class VersionRow(_Part):
    version: str
    created_at: datetime | None
    live: bool
    labels: int | None
    metrics: dict[str, dict[str, float | None]]
    """Control -> metric -> value, measured out of fold."""
    reliability: dict[str, list[Bin]] = {}
    thresholds: dict[str, list[ThresholdRow]] = {}
    reason: str = ""
    """Why it was made live, or was not."""


class WorkingRow(_Part):
    """An annotator's work with the machine, as `collaboration_words.people`."""

    annotator: str
    shown: int
    accepted: float | None
    seeded: int
    stamped: float | None
    stamped_low: float | None
    stamped_high: float | None
    blind: int
    time_ratio: float | None


class Working(_Part):
    """Working with the machine."""

    said: list[str]
    people: list[WorkingRow]
    figures: dict[str, Any]
    """As `tiebreak collaboration` gives them."""


class FindingRow(_Part):
    """A finding of the inspection, as `monitoring.Watched.to_json`."""

    key: str
    rule: str
    dimension: str
    severity: str
    subject: str
    control: str
    state: str
    """new, continuing, acknowledged or cleared."""
    since: str
    message: str
    cause: str
    cause_why: str = ""
    do: str = ""
    acknowledged_why: str = ""
    evidence: list[int]
    links: list[WebAddress] = []
    value: float | None
    threshold: float | None
    n: int
    p: float | None = None
    adjusted_p: float | None = None


class InspectionPart(_Part):
    """What the inspection rules find, and what they could not look at."""

    findings: list[FindingRow]
    """The weightiest first; those that somebody has acknowledged last."""
    cleared: list[FindingRow]
    measured: dict[str, int]
    """Rule -> subjects."""
    dropped: dict[str, str]
    """Rule -> why it had nothing to look at."""
    tests: int
    compared_with: str | None
    """When the inspection was that states are against; None: there was none."""


class Action(_Part):
    what: str
    why: str
    effect: float | None = None
    """In `unit`; None: nothing tells how much it would do."""
    effect_low: float | None = None
    effect_high: float | None = None
    unit: str = ""
    basis: str = ""
    """How the effect was worked out, in a clause; or why it is not known."""
    section: str = ""
    """Where the report says more."""


class Actions(RootModel[list[Action]]):
    """What to do next, the greatest effect first, then those whose effect is not known."""


class Day(_Part):
    day: str
    judgements: int


class Report(_Part):
    title: str
    url: WebAddress | None
    generated_at: datetime
    headline: list[str]
    overview: Overview
    controls: list[ControlRow]
    annotators: list[AnnotatorRow]
    annotators_note: str = ""
    hard_cases: list[HardCaseRow]
    versions: list[VersionRow]
    days: list[Day]
    working: Working | None = None
    """None where nobody labelled with a prediction on the screen."""
    inspection: InspectionPart | None = None
    """None where it could not be done; a note says why."""
    lots: list[dict[str, Any]] = []
    """The certificates of the lots on record (`sampling.certificate`), oldest first."""
    notes: list[str]
    judgements: pl.DataFrame
    """The tidy table behind the figures, one row a judgement, answers as text; only the workbook carries it."""

    sections: dict[str, SerializeAsAny[BaseModel]] = {}
    """By name, in the order of the page (`report.sections`)."""

    @property
    def actions(self) -> list[Action]:
        part = self.sections.get("actions")
        return part.root if isinstance(part, Actions) else []

    def to_json(self) -> dict[str, object]:
        """The sections stand beside the rest, each under its name."""
        document = self.model_dump(mode="json", exclude={"judgements"})
        return {**document, **document.pop("sections")}
