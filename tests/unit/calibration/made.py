"""Rounds written down answer by answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from unit.analysis.exports import SENTIMENT

from ml_backend.labeling.answers import write_answers
from ml_backend.labeling.config import parse
from ml_backend.labeling.results import Annotation, Task
from sdk_scripts.calibration.answers import Answers
from sdk_scripts.calibration.rounds import Plan, Round, Stratum
from sdk_scripts.rule_examples import START

PEOPLE = ("ana@example.com", "ben@example.com", "cho@example.com")
GUIDELINES = "<h2>Praise</h2><p>positive: glad.</p><h2>Complaints</h2><p>negative: broken. Late is neutral.</p>"


def round_of(*items: int, people: tuple[str, ...] = PEOPLE, config: str = SENTIMENT, **more: Any) -> Round:
    strata: dict[int, Stratum] = dict.fromkeys(items, "rest")
    known: dict[str, Any] = {"name": "round-1", "policy": "p1", "instruction": GUIDELINES} | more
    return Round(Plan(people=people, items={**strata, **known.pop("strata", {})}, label_config=config, **known))


def said(rows: Mapping[int, Mapping[str, Any]], config: str = SENTIMENT, **more: Any) -> Answers:
    """Item -> first name -> label (of the first control), {control: answer}, or None for a skip."""
    parsed, tasks = parse(config), {}
    first = parsed.answerable[0].name
    for item, answers in rows.items():
        annotations = []
        for who, given in answers.items():
            labels = {} if given is None else given if isinstance(given, dict) else {first: (given,)}
            at = START + timedelta(minutes=item)
            regions = tuple(write_answers(parsed, labels))
            id = 1000 * item + len(annotations)
            annotations.append(
                Annotation(id, f"{who}@example.com", regions, cancelled=given is None, created_at=at, updated_at=at)
            )
        tasks[item] = Task(item, {"text": f"text {item}"}, tuple(annotations))
    return Answers(round_of(*rows, config=config, **more), tasks, {}, ())
