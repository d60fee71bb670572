"""Small projects written down row by row: the examples by which each inspection rule is explained and tested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from ml_backend.labeling.answers import write_answers
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.kinds import Answer, Region, kind_of
from ml_backend.labeling.results import Annotation, Prediction, Task
from sdk_scripts.sources import Dataset

REVIEWS = """<View>
  <Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text" choice="single-radio">
    <Choice value="positive"/><Choice value="neutral"/><Choice value="negative"/>
  </Choices>
  <Choices name="severity" toName="text" choice="single-radio">
    <Choice value="low"/><Choice value="high"/>
  </Choices>
  <Labels name="evidence" toName="text"><Label value="claim"/></Labels>
  <TextArea name="rationale" toName="text"/>
</View>"""
START = datetime(2026, 1, 5, 9, tzinfo=UTC)

Answers = Mapping[str, Any]
"""Control -> answer: a label, or what the kind of the control holds."""


@dataclass(frozen=True, slots=True)
class Given:
    """What one person did with one task."""

    task: int
    annotator: str
    answers: str | Answers = field(default_factory=dict)
    """A label alone answers the first control."""
    seconds: float | None = 20.0
    """Lead time."""
    at: float | None = None
    """Minutes after START; None: one a minute, in the order of the rows."""
    shown: str | Answers = field(default_factory=dict)
    """What the prediction on the screen said."""
    score: float = 0.9
    """The prediction's."""
    arm: str = "plain"
    """plain, blind or seeded; of a task without a prediction on the screen nothing tells."""
    skipped: bool = False
    regions: tuple[Region, ...] = ()
    """Label Studio's regions as they are, beside the answers."""


def example(
    rows: Iterable[Given],
    *,
    truths: Mapping[int, str | Answers] | None = None,
    texts: Mapping[int, str] | None = None,
    reviewers: Mapping[int, str] | None = None,
    config: str = REVIEWS,
    name: str = "example",
    project: Mapping[str, Any] | None = None,
) -> Dataset:
    """A dataset of these rows. `truths`: task -> what a review decided; `texts`: task -> its text (one of its own where
    left out); `reviewers`: task -> who decided it (one expert where left out)."""
    parsed = _parsed(config)
    tasks: dict[int, tuple[list[Annotation], dict[str, Prediction]]] = {}
    for number, row in enumerate(rows, 1):
        annotations, predictions = tasks.setdefault(row.task, ([], {}))
        shown = _answers(parsed, row.shown)
        prediction = None
        if shown or row.arm == "blind":
            known = repr((sorted(shown.items(), key=repr), row.score))
            prediction = predictions.setdefault(
                known,
                Prediction(
                    10 * row.task + len(predictions), tuple(write_answers(parsed, shown)), row.score, "few-shot-1"
                ),
            )
        given = _answers(parsed, row.answers)
        origin = {name: "prediction" if shown.get(name) == answer else "manual" for name, answer in given.items()}
        regions = [{**it, "origin": origin[it["from_name"]]} for it in write_answers(parsed, given)]
        at = START + timedelta(minutes=number if row.at is None else row.at)
        annotations.append(
            Annotation(
                id=number,
                annotator=row.annotator,
                regions=(*regions, *row.regions),
                cancelled=row.skipped,
                created_at=at,
                updated_at=at,
                lead_time=row.seconds,
                parent_prediction=prediction.id if prediction and shown else None,
                shown=prediction,
                arm=row.arm if prediction else "",
                seeded=frozenset(shown) if row.arm == "seeded" else frozenset(),
            )
        )
    for place, (task, truth) in enumerate((truths or {}).items()):
        tasks.setdefault(task, ([], {}))[0].append(
            _decision(parsed, 1_000_000 + place, _answers(parsed, truth), (reviewers or {}).get(task))
        )
    words = texts or {}
    return Dataset(
        name,
        parsed,
        [
            Task(id, {"text": words.get(id, f"item number {id}")}, tuple(annotations), tuple(predictions.values()))
            for id, (annotations, predictions) in sorted(tasks.items())
        ],
        project=dict(project) if project else None,
    )


def _decision(config: LabelConfig, id: int, answers: Mapping[str, Answer], reviewer: str | None) -> Annotation:
    mark = {"tiebreak": {"review": {"task": id}, "reviewer": reviewer or "expert@example.com"}}
    regions = tuple({**it, "meta": mark} for it in write_answers(config, answers))
    at = START + timedelta(days=365)
    return Annotation(id, "expert@example.com", regions, ground_truth=True, created_at=at, updated_at=at)


def _answers(config: LabelConfig, given: str | Answers) -> dict[str, Answer]:
    if isinstance(given, str):
        given = {config.answerable[0].name: given} if given else {}
    found = {}
    for name, answer in given.items():
        kind = kind_of(config[name])
        found[name] = (answer,) if kind is not None and isinstance(answer, str) and config[name].labels else answer
    return found


@cache
def _parsed(config: str) -> LabelConfig:
    return parse(config)
