"""Gold questions and answers to them, made up: what the tests in this folder share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ml_backend.cases import Case, Use
from sdk_scripts.gold.questions import Answered, Question

NOW = datetime(2026, 11, 26, tzinfo=UTC)
SINCE = NOW - timedelta(days=30)
RIGHT, WRONG, OTHER = '["negative"]', '["positive"]', '["neutral"]'


def case(task: int, *, answer: str = "negative", uses: tuple[Use, ...] = ("gold",), **more: Any) -> Case:
    """Of the source task of that number; 1,000 more in the library."""
    about: Mapping[str, Any] = more.pop("about", {})
    fields: dict[str, Any] = {
        "project": 9,
        "task": 1000 + task,
        "data": {"text": f"text {task}", "tiebreak_case": about},
        "control": "sentiment",
        "answer": (answer,),
        "uses": uses,
        "source_task": task,
        "annotation": 1,
    }
    return Case(**{**fields, **more})


def question(
    task: int, said: Iterable[tuple[str, str]] = (), *, severity: str = "", seconds: Iterable[float] = (), **more: Any
) -> Question:
    """`said`: annotator and answer, an hour apart; `seconds` they took, 10 where left out."""
    took = dict(enumerate(seconds))
    answers = tuple(
        Answered(who, key, key == RIGHT, SINCE + timedelta(hours=hour), took.get(hour, 10.0))
        for hour, (who, key) in enumerate(said)
    )
    made = case(task, severity=severity)
    return Question(made, RIGHT, ("sentiment: negative",), task, since=SINCE, answers=answers, **more)
