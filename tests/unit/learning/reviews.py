"""Made-up product reviews with a known label, and projects that ask about them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from ml_backend.labeling.config import parse
from ml_backend.labeling.results import Task, read_task

SENTIMENT = parse(
    '<View><Text name="text" value="$text"/>'
    '<Choices name="sentiment" toName="text">'
    '<Choice value="Positive" alias="positive" hint="The customer is happy with it."/>'
    '<Choice value="Negative" alias="negative" hint="The customer complains about it."/>'
    "</Choices></View>"
)
_THINGS = ("camera", "phone", "blender", "keyboard", "headset", "lamp", "jacket", "backpack", "printer", "kettle")
_OPENINGS = ("My", "This", "The new", "Honestly, the", "After two weeks the", "For the price, the", "Our second")
_PRAISE = (
    "works perfectly and I love it",
    "is wonderful, exactly what I wanted",
    "makes me happy every day",
    "is excellent and easy to use",
    "was a great purchase that I would recommend",
    "feels solid and looks beautiful",
)
_COMPLAINTS = (
    "broke after a day, what a disappointment",
    "is terrible and I want my money back",
    "never worked and support ignored me",
    "is a waste of money",
    "arrived damaged and smells awful",
    "keeps failing, I regret buying it",
)
PHRASES = {"positive": _PRAISE, "negative": _COMPLAINTS}


def reviews(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Different texts, each with its label; half of them positive."""
    source = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        label = ("positive", "negative")[len(found) % 2]
        text = f"{source.choice(_OPENINGS)} {source.choice(_THINGS)} {source.choice(PHRASES[label])}."
        if text not in found:
            found[text] = label
    return list(found.items())


def choice(control: str, *labels: str) -> dict[str, Any]:
    return {"from_name": control, "to_name": "text", "type": "choices", "value": {"choices": list(labels)}}


def stars(control: str, count: int) -> dict[str, Any]:
    return {"from_name": control, "to_name": "text", "type": "rating", "value": {"rating": count}}


def task(id: int, data: Mapping[str, Any], *annotations: Sequence[Mapping[str, Any]], **fields: Any) -> Task:
    """A task annotated by users 1, 2, … in turn; `fields` go into every annotation."""
    made = [
        {"id": 100 * id + user, "completed_by": user, "result": result, "updated_at": "2026-01-01T00:00:00Z", **fields}
        for user, result in enumerate(annotations, 1)
    ]
    return read_task({"id": id, "data": data, "annotations": made})


def labelled(count: int, seed: int = 0, first: int = 1) -> list[Task]:
    """Sentiment tasks with one annotation each."""
    return [
        task(id, {"text": text}, [choice("sentiment", label)])
        for id, (text, label) in enumerate(reviews(count, seed), first)
    ]
