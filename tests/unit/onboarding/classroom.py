"""Somebody's course without Label Studio: its tasks as Label Studio's API returns them, and what the person does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ml_backend.labeling.config import parse
from ml_backend.labeling.results import project_key, read_task
from sdk_scripts.onboarding.certificates import Certificate
from sdk_scripts.onboarding.course import COURSE, Course, item_of, read_course
from sdk_scripts.onboarding.questions import Question, Reason
from sdk_scripts.onboarding.steps import Desk, Step, advance, begin
from sdk_scripts.quality import Onboarding
from sdk_scripts.satellites import ITEM, About, Satellite
from tests.unit.analysis.exports import SENTIMENT, choice

CONFIG = parse(SENTIMENT)
LABELS = ("negative", "neutral", "positive")
WHO = "ana@example.com"
START = datetime(2026, 1, 5, 9, tzinfo=UTC)
GUIDELINES = "<h2>Danger</h2><p>What smokes is negative.</p>"

Tells = Callable[[Question], str | None]
"""What somebody answers: a label, or None for a skip."""

_NAMES = ("kettle", "blender", "toaster", "lamp", "radio", "drill", "carpet", "bottle", "pillow", "jacket")


def question(number: int, use: str, label: str = "", **more: Any) -> Question:
    """Number decides the text: no two are alike."""
    name, tail = _NAMES[number % 10], f"{number * 7919 % 1000003:06x}{number * 104729 % 999983:06x}"
    made = Question(
        id=f"task-{number}",
        data={"text": f"The {name} {tail} came and {tail[::-1]}.", "secret": "gold"},
        answers={"sentiment": f'["{label or LABELS[number % 3]}"]'},
        reasons={"sentiment": Reason(f"Because of reason {number}.", "Danger")},
        exam=use in ("gold", "decided"),
        practice=use in ("precedent", "decided"),
    )
    return replace(made, **more)


def library(practice: int = 12, gold: int = 90) -> list[Question]:
    return [question(n, "precedent" if n <= practice else "gold") for n in range(1, practice + gold + 1)]


def label_of(it: Question) -> str:
    return it.answers["sentiment"][2:-2]


def right(it: Question) -> str:
    return label_of(it)


def wrong(it: Question) -> str:
    return LABELS[(LABELS.index(label_of(it)) + 1) % 3]


class Classroom:
    def __init__(self, questions: list[Question] | None = None, **rules: Any) -> None:
        self.questions = library() if questions is None else questions
        self.config = CONFIG
        self.rules = Onboarding(**{"practice": 6, "a_set": 3, "exam": 20, "most": 40, **rules})
        self.source: dict[str, Any] = {
            "id": 7,
            "created_at": "2026-01-01T00:00:00Z",
            "title": "Reviews",
            "label_config": SENTIMENT,
            "expert_instruction": GUIDELINES,
        }
        self.tasks: list[dict[str, Any]] = []
        self.clock = START

    @property
    def course(self) -> Course:
        about = About(project_key(self.source), "course", "onboarding", WHO)
        return read_course(Satellite(8, about, {}), [read_task(it) for it in self.tasks], self.config)

    @property
    def desk(self) -> Desk:
        return Desk(self.source, self.config, self.rules, self.questions, self.course, "http://studio/projects/8/data")

    @property
    def certificate(self) -> Certificate | None:
        return self.desk.certificates().get("sentiment")

    def begin(self) -> Step:
        return self.write(begin(self.desk))

    def advance(self) -> Step:
        return self.write(advance(self.desk))

    def write(self, step: Step, most: int = 10_000) -> Step:
        """At most so many writes: a change of data each, then the import."""
        changes = list(step.changed.items())
        for id, data in changes[:most]:
            next(it for it in self.tasks if it["id"] == id)["data"] = data
        if most > len(changes):
            there = {it["data"][ITEM] for it in self.tasks}
            for task in step.new:
                if task["data"][ITEM] not in there:
                    self.tasks.append({"id": len(self.tasks) + 1, **task, "annotations": []})
        return step

    def question(self, task: Mapping[str, Any]) -> Question:
        key = project_key(self.source)
        return next(it for it in self.questions if item_of(key, WHO, it.id) == task["data"][ITEM])

    @property
    def open(self) -> list[dict[str, Any]]:
        return [it for it in self.tasks if not it["annotations"]]

    def answer(self, tells: Tells = right, most: int = 10_000) -> None:
        for task in self.open[:most]:
            self.submit(task, tells(self.question(task)))

    def submit(self, task: dict[str, Any], label: str | None, who: str = WHO) -> None:
        self.clock += timedelta(minutes=1)
        at = self.clock.isoformat()
        task["annotations"].append(
            {
                "id": task["id"] * 10 + len(task["annotations"]),
                "completed_by": {"email": who},
                "result": [choice("sentiment", label)] if label else [],
                "was_cancelled": label is None,
                "created_at": at,
                "updated_at": at,
            }
        )

    def edit(self, task: dict[str, Any], label: str) -> None:
        self.clock += timedelta(minutes=1)
        (one,) = task["annotations"]
        one |= {"result": [choice("sentiment", label)], "updated_at": self.clock.isoformat()}

    def stage(self) -> tuple[str, int, int]:
        about = self.tasks[-1]["data"][COURSE]
        return about["stage"], about["attempt"], about["set"]

    def to_the_exam(self) -> None:
        self.begin()
        while self.stage()[0] == "practice":
            self.answer()
            self.advance()

    def through(self, tells: Tells = right) -> None:
        """The exam, with all that it asks."""
        while not self.course.over:
            self.answer(tells)
            self.advance()
