"""What a report says, before anyone decides how it looks. Shares and confidences are in [0, 1], times in seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, RootModel, SerializeAsAny

WebAddress = Annotated[str, Field(pattern="^https?://")]


class Part(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)


class Overview(Part):
    tasks: int
    labeled: int
    overlapped: int
    """Tasks with judgements of two annotators or more: only these say something about agreement."""
    judgements: int
    annotators: int
    skipped: int
    predicted: int


class OverlapRow(Part):
    """The tasks that so many people judged."""

    annotators: int
    tasks: int
    predicted: int
    """Of them, those with a prediction."""
    skipped: int
    """Annotations of them that were skipped."""


class LabelRow(Part):
    label: str
    count: int
    share: float
    alpha: float | None = None
    alpha_low: float | None = None
    alpha_high: float | None = None


class ControlRow(Part):
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


class AnnotatorRow(Part):
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


class HardCaseRow(Part):
    task: int
    url: WebAddress | None
    text: str
    score: float
    reasons: list[str]


class Bin(Part):
    confidence: float
    accuracy: float
    count: int


class ThresholdRow(Part):
    error: float
    """The budget: the share of accepted answers that may be wrong."""
    certainty: float
    confidence: float | None
    """None: no threshold can promise that yet."""
    coverage: float


class VersionRow(Part):
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


class Action(Part):
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


class Day(Part):
    day: str
    judgements: int


class Report(Part):
    title: str
    url: WebAddress | None
    generated_at: datetime
    headline: list[str]
    overview: Overview
    overlap: list[OverlapRow]
    """From 0 annotators on; numbers of annotators that no task has are left out."""
    controls: list[ControlRow]
    annotators: list[AnnotatorRow]
    annotators_note: str = ""
    hard_cases: list[HardCaseRow]
    versions: list[VersionRow]
    days: list[Day]
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
        """The sections stand beside the rest, each under its name; those that readers may count on are always there."""
        document = self.model_dump(mode="json", exclude={"judgements"})
        return {**document, "working": None, "inspection": None, "lots": [], **document.pop("sections")}
