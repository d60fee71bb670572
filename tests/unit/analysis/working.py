"""A simulated team that works with a machine in an experiment: how each person behaves is known."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml_backend.labeling.arms import Arms
from ml_backend.labeling.config import parse
from ml_backend.labeling.results import Task, read_task
from tests.unit.labeling.shown_to import SECRET, given, predicted, submitted

CONFIG = parse(
    '<View><Text name="text" value="$text"/><Choices name="verdict" toName="text">'
    '<Choice value="a"/><Choice value="b"/><Choice value="c"/></Choices></View>'
)
LABELS = ("a", "b", "c")
ARMS = Arms(SECRET, 0.2, 0.2)


@dataclass(frozen=True)
class Person:
    name: str
    looks: float
    """Probability of looking at a task whose prediction is shown; else it is submitted as it is."""
    skill: float = 0.9
    """Probability of being right where they look."""
    seconds: float = 20.0
    faster: float = 0.6
    """Their time on a task with a prediction, of that without."""


def worked(
    people: Sequence[Person],
    tasks: int,
    *,
    arms: Arms = ARMS,
    accuracy: float = 0.8,
    seed: int = 0,
    source: Any = "export",
) -> tuple[list[Task], dict[int, str], dict[tuple[int, str], str]]:
    """The tasks, what is right in each, and by (task, control) what the machine thinks."""
    made, truth, thought = _worked(people, tasks, arms=arms, accuracy=accuracy, seed=seed, source=source)
    return [arms.opened(read_task(task)) for task in made], truth, thought


def exported(people: Sequence[Person], tasks: int) -> list[dict[str, Any]]:
    """The same as Label Studio exports it."""
    return _worked(people, tasks)[0]


def _worked(
    people: Sequence[Person],
    tasks: int,
    *,
    arms: Arms = ARMS,
    accuracy: float = 0.8,
    seed: int = 0,
    source: Any = "export",
) -> tuple[list[dict[str, Any]], dict[int, str], dict[tuple[int, str], str]]:
    chance = random.Random(seed)
    made, truth, thought = [], {}, {}
    for id in range(1, tasks + 1):
        truth[id] = chance.choice(LABELS)
        wrong = [label for label in LABELS if label != truth[id]]
        said = truth[id] if chance.random() < accuracy else chance.choice(wrong)
        second = chance.choice([label for label in LABELS if label != said])
        thought[id, "verdict"] = f'["{said}"]'
        stored = predicted(CONFIG, {"verdict": given((said,), second, 0.9)}, id, arms)
        annotations = []
        for number, person in enumerate(people):
            shown = stored["result"][0]["value"]["choices"][0] if stored["result"] else None
            answer = truth[id] if chance.random() < person.skill else chance.choice(wrong)
            if shown is not None and chance.random() >= person.looks:
                answer = shown
            seconds = person.seconds * chance.lognormvariate(0, 0.5) * (1.0 if shown is None else person.faster)
            change = {} if answer == shown else {"verdict": [_region(answer)]}
            annotations.append(
                submitted(1000 * id + number, person.name, stored, source=source, change=change, lead_time=seconds)
            )
        made.append({"id": id, "data": {"text": f"t {id}"}, "annotations": annotations, "predictions": [stored]})
    return made, truth, thought


def _region(label: str) -> Mapping[str, Any]:
    return {"from_name": "verdict", "to_name": "text", "type": "choices", "value": {"choices": [label]}}
