"""Marked stretches of text that mark nothing, or not what they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.kinds import Region, finite, kind_of
from ml_backend.labeling.results import Task, is_copy
from ml_backend.labeling.task_data import lookup
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register


class Spans(Parameters):
    minimum: int = Field(default=10, ge=1, description="least number of spans")
    tolerated: float = Field(default=0.05, ge=0, lt=1, description="share of spans that may be bad")


@register("bad_spans")
class BadSpans:
    """Spans that end outside their text, mark nothing or blanks only, begin or end with a blank, or are there twice
    (the same stretch and label), of all that a person marked; those copied from a prediction are the machine's. Off
    where the lower bound of the Wilson interval (95 %; JASA 22, 1927) is above what is tolerated. A fact: there is no
    p-value."""

    dimension = "content"
    severity: Severity = "low"
    why = "Models learn boundaries from them, and what is marked twice or not at all counts as disagreement."
    do = 'Show how to mark whole words, or set granularity="word" in the label config; label changed texts anew.'
    parameters = Spans

    @staticmethod
    def bad() -> Dataset:
        return _marked(lambda task: (0, 5) if task % 2 else (0, 400))

    @staticmethod
    def good() -> Dataset:
        return _marked(lambda task: (0, 4))

    def __call__(self, inspected: Inspected, parameters: Spans) -> Iterator[Observation]:
        config = inspected.evidence.config
        kinds = {it.name: kind for it in config.controls if not it.explanation and (kind := kind_of(it))}
        names = {name for name, kind in kinds.items() if kind.name == "spans"}
        if not names:
            raise NotEnoughLabels(
                "The label config has no spans.",
                mend="Nothing to do; `bad_spans: false` in rules.yaml leaves the rule out.",
            )
        seen: Counter[str] = Counter()
        why: dict[str, Counter[str]] = {}
        tasks: dict[str, dict[int, None]] = {}
        for task, annotation in inspected.submitted:
            there: set[object] = set()
            for item in annotation.regions:
                if item.get("from_name") not in names or is_copy(item):
                    continue
                seen[annotation.person] += 1
                if problem := _problem(config, task, item, there):
                    why.setdefault(annotation.person, Counter())[problem] += 1
                    tasks.setdefault(annotation.person, {})[task.id] = None
        for who, n in seen.items():
            if n < parameters.minimum:
                continue
            counts = why.get(who, Counter())
            bad = counts.total()
            low, _ = wilson_interval(bad / n, n)
            listed = ", ".join(f"{times} {problem}" for problem, times in counts.most_common())
            yield Observation(
                subject=who,
                value=bad / n,
                threshold=parameters.tolerated,
                n=n,
                off=low > parameters.tolerated,
                evidence=tuple(tasks.get(who, ()))[:MAX_EVIDENCE],
                message=f"{bad} of {n} spans mark nothing, or not what they say{f': {listed}' if listed else ''}.",
            )


def _problem(config: LabelConfig, task: Task, item: Region, there: set[object]) -> str:
    """What is bad about a span; empty where nothing is. `there`: the annotation's spans so far."""
    value: Mapping[str, Any] = item["value"]
    start, end = (finite(value.get(name)) for name in ("start", "end"))
    first, last = finite(value.get("startOffset")), finite(value.get("endOffset"))
    inside = first is not None and last is not None
    place = (value.get("start"), first, value.get("end"), last)
    labels = value.get("labels") or value.get("hypertextlabels") or value.get("paragraphlabels")
    twice = (item.get("from_name"), item.get("to_name"), *map(str, place), str(labels))
    source = config.source(str(item.get("to_name")))
    text = lookup(task.data, source.field) if source and source.field and source.tag.lower() == "text" else None
    words = value.get("text") if isinstance(value.get("text"), str) else None
    if inside:
        if value.get("start") == value.get("end") and (last or 0) <= (first or 0):
            return "empty"
    elif start is None or end is None or end <= start:
        return "empty"
    elif start < 0 or (isinstance(text, str) and end > _length(text)):
        return "outside the text"
    elif words is None and isinstance(text, str) and text.isascii():
        words = text[int(start) : int(end)]
    if twice in there:
        return "there twice"
    there.add(twice)
    if words is not None and words and not words.strip():
        return "of blanks only"
    return "with blanks at the ends" if words is not None and words != words.strip() else ""


def _length(text: str) -> int:
    """In UTF-16 units, by which browsers count; never fewer than characters."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _marked(place: Callable[[int], tuple[int, int]]) -> Dataset:
    rows = []
    for task in range(1, 13):
        start, end = place(task)
        span = {"start": start, "end": end, "labels": ["claim"]}
        marked = {"from_name": "evidence", "to_name": "text", "type": "labels", "value": span, "origin": "manual"}
        rows.append(Given(task, "ana", "positive", regions=(marked,)))
    return example(rows)
