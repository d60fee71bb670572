"""Answers that the label config would not let anybody give today."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pydantic import Field

from ml_backend.labeling.config import PATH_SEPARATOR, Control
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.kinds import Region, finite, kind_of
from ml_backend.labeling.kinds.rating import most_stars
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.wording import quoted


class Fit(Parameters):
    minimum: int = Field(default=1, ge=1, description="least number of annotations with the control")
    tolerated: float = Field(default=0.0, ge=0, lt=1, description="share of them that may not fit")


@register("answers_off_config")
class AnswersOffConfig:
    """Regions that do not fit the label config: of a control that is gone or has another tag now, with a label that it
    does not have, more labels than it takes, or a number outside its range. A fact of each control, so there is no
    p-value; controls that are gone are told together. Where labels come from task data, any is taken as fitting."""

    dimension = "content"
    severity: Severity = "medium"
    why = "What does not fit is left out of training and statistics, or worse, counts as a label of its own."
    do = "Bring back or rename the labels in the config, or have these tasks answered again."
    parameters = Fit

    @staticmethod
    def bad() -> Dataset:
        return _answered("mixed")

    @staticmethod
    def good() -> Dataset:
        return _answered("neutral")

    def __call__(self, inspected: Inspected, parameters: Fit) -> Iterator[Observation]:
        config = inspected.evidence.config
        seen: Counter[str] = Counter()
        why: dict[str, Counter[str]] = {}
        tasks: dict[str, dict[int, None]] = {}
        known: dict[tuple[str, ...], str] = {}
        controls = {control.name: control for control in config.controls}
        if not inspected.submitted:
            raise NotEnoughLabels("Nobody has labelled anything.", mend="Label some tasks.")
        for task, annotation in inspected.submitted:
            told: dict[str, str] = {}
            for item in annotation.regions:
                name = str(item.get("from_name"))
                if control := controls.get(name):
                    problem = _problem(control, item, known)
                else:
                    name, problem = "", f"control {quoted(name)}"
                told[name] = told.get(name, "") or problem
            for name, problem in told.items():
                seen[name] += 1
                if problem:
                    why.setdefault(name, Counter())[problem] += 1
                    tasks.setdefault(name, {})[task.id] = None
        for name, n in sorted(seen.items()):
            if n < parameters.minimum:
                continue
            counts = why.get(name, Counter())
            off = counts.total()
            listed = ", ".join(f"{problem} ({times})" for problem, times in counts.most_common(3))
            about = f"answers to {name}" if name else "annotations with a control that is gone"
            yield Observation(
                subject="",
                control=name,
                value=off / n,
                threshold=parameters.tolerated,
                n=n,
                off=off / n > parameters.tolerated,
                evidence=tuple(tasks.get(name, ()))[:MAX_EVIDENCE],
                message=f"{off} of {n} {about} do not fit the label config{f': {listed}' if listed else ''}.",
                about="process",
            )


def _problem(control: Control, item: Region, known: dict[tuple[str, ...], str]) -> str:
    """Why the region does not fit; empty where it does."""
    value, stored = item["value"], item.get("type")
    picked = value.get("choices") or value.get("labels")
    if type(picked) is not list or type(stored) is not str or set(map(type, picked)) != {str}:
        return _looked_at(control, item)
    key = (control.name, stored, *picked)
    if (problem := known.get(key)) is None:
        problem = _looked_at(control, item)
        if control.tag.lower() in ("choices", "labels"):
            known[key] = problem
    return problem


def _looked_at(control: Control, item: Region) -> str:
    kind, value, tag = kind_of(control), item["value"], control.tag.lower()
    if kind is None:
        return ""
    stored = item.get("type")
    beside = {"labels": ("rectangle", "polygon", "ellipse", "brush"), "rectangle": ("labels", "rectanglelabels")}
    if isinstance(stored, str) and stored.lower() != tag and stored.lower() not in beside.get(tag, ()):
        return f"of type {quoted(stored)}, where the config asks for {tag}"
    if kind.name == "rating" and kind.read(control, [item]) is None:
        return f"{value.get('rating')!r:.20} stars, where 1 to {most_stars(control)} are possible"
    if kind.name == "number" and (number := finite(value.get("number"))) is not None:
        low, high = (control.number(name, default) for name, default in (("min", -1e300), ("max", 1e300)))
        return "" if low <= number <= high else f"{number:g}, outside {low:g} to {high:g}"
    if control.open or kind.name in ("number", "rating", "text", "pairwise"):
        return ""
    if kind.name == "taxonomy":
        paths = {label.path for label in control.labels}
        read: Any = kind.read(control, [item]) or ()
        strange = [PATH_SEPARATOR.join(path) for path in read if path not in paths]
    else:
        picked = value.get("choices", value.get(tag, value.get("labels")))
        last = {part for label in control.labels for part in (label.path[-1], label.key)}
        flat = [it[-1] if isinstance(it, list) and it else it for it in picked] if isinstance(picked, list) else []
        strange = [str(it) for it in flat if it not in last]
        if kind.name == "choices" and not control.multiple and not control.nested and len(flat) > 1:
            return f"{len(flat)} labels, where one is asked for"
    return f"label {quoted(strange[0])}" if strange else ""


def _answered(label: str) -> Dataset:
    stored = {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": [label]}}
    rows = [Given(task, "ana", "positive") for task in range(1, 10)]
    return example([*rows, Given(10, "ana", regions=(stored,))])
