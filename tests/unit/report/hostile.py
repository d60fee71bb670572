"""Reports made by hand: with one text everywhere, and of a project as big as they come."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import polars as pl

from sdk_scripts.report.model import (
    Action,
    Actions,
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
from sdk_scripts.report.sections.inspection import FindingRow, InspectionPart
from sdk_scripts.report.sections.working import WorkingPart, WorkingRow

HOSTILE = [
    '=HYPERLINK("https://evil.example","click")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    '<div class="scroll"><table><caption>',
    "\t=1+1",
    "\r-1+1",
    "_x003D_1+1",
    "Annotators!$A$2",
    "$\\frac{a}{b}$ \x00\x1b[31m \u202egnirts",
    "https://evil.example/" + "x" * 40_000,
]


def report(text: str) -> Report:
    return Report(
        title=text,
        url="http://127.0.0.1:8080/projects/1/data",
        generated_at=datetime(2026, 11, 22, 12, 0, tzinfo=UTC),
        headline=[text],
        overview=Overview(tasks=3, labeled=2, overlapped=1, judgements=3, annotators=2, skipped=0, predicted=3),
        controls=[
            ControlRow(
                control=text,
                kind="choices",
                items=1,
                judgements=3,
                percent=0.5,
                alpha=0.41,
                alpha_low=-0.2,
                alpha_high=0.8,
                note=text,
                labels=[LabelRow(label=text, count=3, share=1.0, alpha=None)],
            )
        ],
        annotators=[
            AnnotatorRow(
                annotator=text,
                judgements=3,
                quality=0.9,
                agreement=None,
                median_lead_time=12.5,
                prelabeled=1,
                changed=0.0,
            )
        ],
        hard_cases=[HardCaseRow(task=7, url="https://studio.example/7", text=text, score=0.8, reasons=[text])],
        versions=[
            VersionRow(
                version=f"{text}{number}",
                created_at=datetime(2026, 11, 22, tzinfo=UTC),
                live=live,
                labels=2,
                metrics={text: {"accuracy": 0.8, "ece": None}},
                reliability={text: [Bin(confidence=0.7, accuracy=0.8, count=2)]},
                thresholds={
                    text: [
                        ThresholdRow(error=0.05, certainty=0.95, confidence=0.8, coverage=0.4),
                        ThresholdRow(error=0.01, certainty=0.95, confidence=None, coverage=0),
                    ]
                },
                reason=text,
            )
            for number, live in enumerate((False, True))
        ],
        days=[Day(day="2026-11-21", judgements=1), Day(day="2026-11-22", judgements=2)],
        notes=[text],
        sections={
            "actions": Actions([Action(what=text, why=text)]),
            "working": WorkingPart(
                said=[text],
                people=[
                    WorkingRow(
                        annotator=text,
                        shown=9,
                        accepted=0.8,
                        seeded=9,
                        stamped=1.0,
                        stamped_low=0.7,
                        stamped_high=1.0,
                        blind=3,
                        time_ratio=None,
                    )
                ],
                figures={text: text},
            ),
            "inspection": InspectionPart(
                findings=[finding(text, state) for state in ("new", "continuing", "acknowledged")],
                cleared=[finding(text, "cleared")],
                measured={"gold_failures": 3},
                dropped={"speed": text},
                tests=7,
                compared_with="2026-11-22T12:00:00+00:00",
            ),
        },
        overlap=[
            OverlapRow(annotators=0, tasks=1, predicted=1, skipped=0),
            OverlapRow(annotators=1, tasks=1, predicted=1, skipped=0),
            OverlapRow(annotators=2, tasks=1, predicted=1, skipped=0),
        ],
        judgements=pl.DataFrame({"task": [1, 2, 3], "answer": [text, None, "plain"], "seconds": [1.5, None, 2.0]}),
    )


def finding(text: str, state: str) -> FindingRow:
    return FindingRow(
        key=text,
        rule="gold_failures",
        dimension="reliability",
        severity="high",
        subject=text,
        control=text,
        state=state,
        since="2026-11-21T12:00:00+00:00",
        message=text,
        cause="annotator",
        cause_why=text,
        do=text,
        acknowledged_why=text,
        evidence=[7, 8],
        links=["https://studio.example/7", "https://studio.example/8"],
        value=0.4,
        threshold=0.8,
        n=40,
        adjusted_p=0.001,
    )


def huge() -> Report:
    """Of a project with many labels, annotators, versions, findings and days, their names and texts long."""
    draw = random.Random(0)
    long = "every word of a label that goes on and on " * 8
    controls = [
        ControlRow(
            control=f"control {number} {long}",
            kind="taxonomy",
            items=90_000,
            judgements=1_000_000,
            percent=0.8,
            alpha=0.5,
            alpha_low=0.4,
            alpha_high=0.6,
            labels=[LabelRow(label=f"label {it} {long}", count=it, share=0.001, alpha=0.5) for it in range(1_000)],
        )
        for number in range(8)
    ]
    bins = [Bin(confidence=it / 10, accuracy=it / 10, count=it * 100) for it in range(1, 10)]
    first = date(2020, 1, 1)
    small = report(long)
    return small.model_copy(
        update={
            "controls": controls,
            "annotators": [
                small.annotators[0].model_copy(update={"annotator": f"person {it} {long}"}) for it in range(2_000)
            ],
            "hard_cases": [small.hard_cases[0].model_copy(update={"reasons": [long] * 20})] * 6_000,
            "versions": [
                small.versions[0].model_copy(
                    update={
                        "version": f"version {it}",
                        "metrics": {row.control: {"accuracy": draw.random()} for row in controls},
                        "reliability": {row.control: bins for row in controls},
                    }
                )
                for it in range(300)
            ],
            "days": [Day(day=str(first + timedelta(days=it)), judgements=it) for it in range(2_000)],
            "sections": {
                "actions": Actions([Action(what=long, why=long)] * 50),
                "inspection": small.sections["inspection"].model_copy(
                    update={"findings": [finding(long, "new")] * 5_000, "cleared": [finding(long, "cleared")] * 500}
                ),
                "working": small.sections["working"].model_copy(
                    update={"people": small.sections["working"].people * 2_000}  # type: ignore[attr-defined]
                ),
            },
            "notes": [long] * 5_000,
        }
    )
