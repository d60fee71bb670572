"""Opinions on a task -> the prediction that annotators see: plain, empty where they label blind, or wrong by design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ml_backend.labeling.answers import on_screen, write_answers
from ml_backend.labeling.arms import NO_SECRET, Arms, sealed
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.kinds import Answer
from ml_backend.prelabelers import Opinion, exclusive, options

SEEDED_FROM = 0.9
"""Least confidence in an answer for another one to be shown in its place: so the seed is wrong, but for rare luck."""
SEEDED_SCORE = 0.4
"""A seeded prediction's score is drawn between that (or one in the number of labels, which no likeliest label falls
short of) and the confidence: people mostly see doubtful tasks, and one that is sure of itself would come last in their
queue, and stand out."""


@dataclass(frozen=True, slots=True)
class Given:
    """What is thought of one control."""

    answer: Answer
    confidence: float
    second: str = ""
    """The label that is likeliest beside it; empty where no single label is picked."""
    distance: float | None = None
    """`Doubt.distance`."""

    @classmethod
    def of(cls, opinion: Opinion) -> Given:
        likeliest = sorted(opinion.probabilities, key=opinion.probabilities.__getitem__, reverse=True)[:2]
        second = likeliest[1] if len(likeliest) == 2 else ""
        distance = opinion.doubt.distance if opinion.doubt else None
        return cls(opinion.answer, min(1.0, max(0.0, opinion.confidence)), second, distance)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of one task."""

    answers: Mapping[str, Answer]
    scores: Mapping[str, float]
    seeded: str = ""
    """The control whose answer is wrong on purpose."""
    blind: bool = False

    @property
    def score(self) -> float:
        return round(min(self.scores.values()), 6)


def shown(config: LabelConfig, given: Mapping[str, Given], task: int | None, arms: Arms = NO_SECRET) -> Shown | None:
    """None where no answer is on the screen. `task` is Label Studio's id: without one the task is in no experiment."""
    found = _on_screen(config, given)
    if not found.answers or task is None or not arms.any:
        return found if found.answers else None
    match arms.of(task):
        case "blind":
            scores = dict.fromkeys(found.scores, 0.0) if task in arms.audits else found.scores
            return replace(found, scores=scores, blind=True)  # audits come first in a queue by uncertainty
        case "seeded":
            return _seeded(config, given, found, task, arms)
    return found


def prediction(
    config: LabelConfig, it: Shown, version: str, task: int | None = None, arms: Arms = NO_SECRET
) -> dict[str, Any]:
    """As Label Studio takes it: `{"result": […], "score": …, "model_version": …}`."""
    result = [] if it.blind else write_answers(config, it.answers, it.scores)
    if arms.seals and task is not None:
        for region in result:
            arm = "seeded" if region["from_name"] == it.seeded else "plain"
            seal = arms.seal(task, arm, region["from_name"], version)  # type: ignore[arg-type]
            region["meta"] = sealed(region.get("meta"), seal)
    return {"result": result, "score": it.score, "model_version": version}


def _on_screen(config: LabelConfig, given: Mapping[str, Given]) -> Shown:
    answers = on_screen(config, {name: it.answer for name, it in given.items()}, when_unknown=False)
    return Shown(answers, {name: given[name].confidence for name in answers})


def _seeded(config: LabelConfig, given: Mapping[str, Given], found: Shown, task: int, arms: Arms) -> Shown:
    """With a wrong answer to the first control that can have one; as it is where none can."""
    for name in found.answers:
        it, control = given[name], config[name]
        if it.confidence < SEEDED_FROM or not it.second or not exclusive(control):
            continue
        offered = options(control)
        wrong = next((option.answer for option in offered if option.name == it.second and option.leaf), None)
        if wrong is None or wrong == it.answer:
            continue
        least = max(SEEDED_SCORE, 1 / len(offered))
        score = least + arms.draw(task, "score") * (it.confidence - least)
        changed = _on_screen(config, {**given, name: replace(it, answer=wrong, confidence=score)})
        if name in changed.answers:
            return replace(changed, seeded=name)
    return found
