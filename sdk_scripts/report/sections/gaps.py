"""Guideline gaps, with examples: what a rule is missing for, by how people answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import polars as pl
from pydantic import BaseModel

from ml_backend.labeling.errors import TiebreakError
from ml_backend.labeling.judgements import decisions
from ml_backend.labeling.results import string
from sdk_scripts import wording
from sdk_scripts.report.gap_figures import advice, examples, gaps, has_rules, section_of
from sdk_scripts.report.model import ControlRow, WebAddress
from sdk_scripts.report.sections import Cell, Given, Section, Sheet, register
from sdk_scripts.tables import plain

RELIABLE = 0.8
MOST_CONTESTED = 20
MOST_GROUPS = 10


class Example(BaseModel, frozen=True):
    task: int | None
    url: WebAddress | None = None
    text: str
    said: str
    """Who answered what, in words."""


class Confused(BaseModel, frozen=True):
    """Two labels taken for each other."""

    control: str
    labels: tuple[str, str]
    items: int
    """Tasks that were answered both ways."""
    of: int
    """Tasks with two judgements or more."""
    share: float
    low: float
    """95 % interval of the share."""
    high: float
    way: str
    """both: people give now one, now the other; between people: each keeps to one; or too few to say."""
    section: str | None
    """Heading of the guidelines' section that names them; None where none is known."""
    text: str
    do: str
    examples: list[Example]


class WeakLabel(BaseModel, frozen=True):
    control: str
    label: str
    count: int
    alpha: float
    alpha_low: float
    alpha_high: float
    sure: bool
    """Whether its whole interval is below what is reliable."""


class Contested(BaseModel, frozen=True):
    """A decision that somebody answered otherwise since."""

    task: int
    url: WebAddress | None
    control: str
    decided: str
    said: str
    text: str


class Said(BaseModel, frozen=True):
    """A group of feedback."""

    title: str
    kind: str
    size: int
    people: int
    section: str | None
    state: str
    examples: list[Example]


class FromRound(BaseModel, frozen=True):
    """Labels taken for each other in the newest calibration round."""

    round: str
    control: str
    labels: list[str]
    items: int
    share: float


class GapsPart(BaseModel, frozen=True):
    confused: list[Confused]
    weak: list[WeakLabel]
    """Labels whose alpha is not reliable, the least first."""
    contested: list[Contested]
    contested_total: int
    feedback: list[Said]
    rounds: list[FromRound]


@register("gaps")
class Gaps(Section):
    title = "Guideline gaps"
    place = 75

    def collect(self, given: Given) -> GapsPart | None:
        """None where nothing suggests a gap."""
        contested, total = _contested(given)
        part = GapsPart(
            confused=list(_confused(given)),
            weak=weak_labels(given.core.controls),
            contested=contested,
            contested_total=total,
            feedback=_feedback(given),
            rounds=_rounds(given),
        )
        return part if any((part.confused, part.weak, part.contested, part.feedback, part.rounds)) else None

    def sheets(self, part: GapsPart) -> Iterable[Sheet]:
        rows: list[list[Cell]] = [
            [it.control, *it.labels, it.items, it.of, it.share, it.low, it.high, it.way, it.section, it.do]
            for it in part.confused
        ]
        columns = ["control", "one", "other", "tasks", "of", "share", "low", "high", "way", "section", "what helps"]
        yield Sheet("Gaps", columns, rows, shares=["share", "low", "high"])
        weak: list[list[Cell]] = [
            [it.control, it.label, it.count, it.alpha, it.alpha_low, it.alpha_high, it.sure] for it in part.weak
        ]
        yield Sheet("Weak labels", ["control", "label", "judgements", "alpha", "low", "high", "sure"], weak)


def _confused(given: Given) -> Iterator[Confused]:
    evidence, dataset = given.evidence, given.evidence.dataset
    instruction = _guidelines(given)
    for gap in gaps(evidence.judgements, evidence.config):
        control = evidence.config[gap.confusion.control]
        one, other = (wording.show_key(control, key) for key in gap.labels)
        section = section_of(evidence.config, gap, instruction)
        shown = examples(evidence.judgements, evidence.config, gap, evidence.texts, dataset.link)
        yield Confused(
            control=control.name,
            labels=(one, other),
            items=len(gap.confusion.items),
            of=gap.confusion.of,
            share=gap.share.value,
            low=gap.share.low,
            high=gap.share.high,
            way=gap.way,
            section=plain(section.heading) if section else None,
            text=section.text if section else "",
            do=plain(advice(gap, one, other, section)),
            examples=[Example.model_validate(it) for it in shown],
        )


def weak_labels(controls: Iterable[ControlRow]) -> list[WeakLabel]:
    found = [
        WeakLabel(
            control=control.control,
            label=row.label,
            count=row.count,
            alpha=row.alpha,
            alpha_low=row.alpha_low,
            alpha_high=row.alpha_high,
            sure=row.alpha_high < RELIABLE,
        )
        for control in controls
        for row in (control.labels if has_rules(control.kind) else ())
        if row.alpha is not None and row.alpha_low is not None and row.alpha_high is not None and row.alpha < RELIABLE
    ]
    return sorted(found, key=lambda it: (not it.sure, it.alpha, it.control, it.label))


def _contested(given: Given) -> tuple[list[Contested], int]:
    """The decisions that somebody answered otherwise since, gold questions left out; and how many there are."""
    evidence = given.evidence
    decided = decisions(evidence.all_judgements).select("control", "task", "answer")
    if decided.is_empty():
        return [], 0
    settled = evidence.settled
    open_ = [row for row in decided.iter_rows() if (row[0], row[1]) not in settled]
    shown = []
    for name, task, key in open_[:MOST_CONTESTED]:
        control = evidence.config[name]
        answers = evidence.judgements.filter(pl.col("control") == name, pl.col("task") == task)["answer"]
        shown.append(
            Contested(
                task=task,
                url=evidence.dataset.link(task),
                control=name,
                decided=wording.show_key(control, key),
                said=wording.votes(control, dict(answers.value_counts().iter_rows())),
                text=wording.short(evidence.texts.get(task, ""), 200),
            )
        )
    return shown, len(open_)


def _feedback(given: Given) -> list[Said]:
    from sdk_scripts.feedback.said import feedback

    dataset = given.evidence.dataset
    if not any(control.feedback for control in dataset.config.controls):
        return []
    try:
        groups = feedback(dataset, given.settings, evidence=given.evidence).to_json()["groups"]
    except TiebreakError as error:
        given.notes.append(f"Feedback: {error}")
        return []
    return [_said(it) for it in groups[:MOST_GROUPS]]


def _said(group: Mapping[str, Any]) -> Said:
    return Said(
        title=plain(group["title"]),
        kind=plain(group["kind"]),
        size=group["size"],
        people=len(group["annotators"]),
        section=plain(group["section"]["heading"]) if group["section"] else None,
        state=plain(group["state"]),
        examples=[
            Example(task=it["task"], url=it["link"], text=wording.short(it["text"], 200), said=plain(it["annotator"]))
            for it in group["examples"]
        ],
    )


def _rounds(given: Given) -> list[FromRound]:
    part = given.parts.get("calibration")
    told = part.model_dump(mode="json") if part is not None else {}
    return [
        FromRound(round=told["round"], control=it["control"], labels=it["labels"], items=it["items"], share=it["share"])
        for it in told.get("confusions", ())
    ]


def _guidelines(given: Given) -> str:
    return string((given.evidence.dataset.project or {}).get("expert_instruction")) or ""
