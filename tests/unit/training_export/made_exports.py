"""Exports made up: what the tests of formats share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ml_backend.labeling.config import Control, parse
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.kinds.boxes import Box
from ml_backend.labeling.kinds.spans import Span
from sdk_scripts.training_export.model import ControlSet, Export, Image, Row

Load = Callable[..., Any]
SOURCES = (
    '<Text name="text" value="$text"/><Image name="image" value="$image"/><Audio name="audio" value="$audio"/>'
    '<Text name="other" value="$other"/>'
)
CONTROLS = {
    "choices": '<Choices name="topic" toName="text"/>',
    "many": '<Choices name="topics" toName="text" choice="multiple"/>',
    "taxonomy": '<Taxonomy name="place" toName="text"/>',
    "rating": '<Rating name="stars" toName="text"/>',
    "number": '<Number name="price" toName="text"/>',
    "spans": '<Labels name="marks" toName="text"/>',
    "boxes": '<RectangleLabels name="logos" toName="image"/>',
    "pairwise": '<Pairwise name="better" toName="text,other"/>',
    "text": '<TextArea name="why" toName="text"/>',
    "seconds": '<Labels name="speech" toName="audio"/>',
}


def control(of: str) -> Control:
    return parse(f"<View>{SOURCES}{CONTROLS[of]}</View>").controls[0]


def row(task: int, **more: Any) -> Row:
    fields: dict[str, Any] = {
        "task": task,
        "data": {"text": more.get("text", ""), "shop": "Zoë's"},
        "text": "",
        "images": (),
        "answer": (),
        "labels": (),
        "soft": {},
        "confidence": 0.75,
        "judgements": 2,
        "agreement": 0.5,
        "quality": 0.9,
        "provenance": "human",
        "policy": "v1",
        "labelled_at": "2026-11-26T12:00:00+00:00",
        "group": task,
        "split": "train",
    }
    return Row(**{**fields, **more})


def labelled(task: int, *labels: str, text: str = "some words", **more: Any) -> Row:
    """A row of choices."""
    return row(task, text=text, answer=labels, labels=labels, **more)


def marked(task: int, text: str, *spans: tuple[int, int, str], **more: Any) -> Row:
    """A row of spans."""
    regions = tuple(Span(start, end, (label,), text[start:end]) for start, end, label in spans)
    return row(task, text=text, answer=regions, labels=tuple({it[2]: 0 for it in spans}), regions=regions, **more)


def drawn(task: int, *boxes: Box, size: tuple[int, int] | None = (640, 480), pages: int = 1, **more: Any) -> Row:
    """A row of boxes."""
    width, height = size or (None, None)
    images = tuple(Image(f"https://images.test/{task}-{page}.jpg", width, height) for page in range(pages))
    labels = tuple({label: 0 for box in boxes for label in box.labels})
    return row(task, images=images, answer=boxes, labels=labels, regions=boxes, **more)


def asked(of: str, labels: Sequence[str], *rows: Row) -> ControlSet:
    made = control(of)
    kind = kind_of(made)
    assert kind
    return ControlSet(made, kind.name, tuple(labels), rows)


def export(*controls: ControlSet) -> Export:
    return Export("Reviews", controls, {})


def some(of: str) -> ControlSet:
    """A row in each split of what a control of that kind holds."""
    rows, labels = {
        "choices": ([labelled(1, "a", soft={"a": 0.75, "b": 0.25}), labelled(2, "b"), labelled(3, "a")], "ab"),
        "many": ([labelled(1, "a", "b"), labelled(2, "b"), labelled(3)], "abc"),
        "taxonomy": ([labelled(1, "Food / Fruit"), labelled(2, "Food"), labelled(3, "Food")], ["Food", "Food / Fruit"]),
        "rating": ([replace(labelled(n, str(n)), answer=n) for n in (1, 2, 3)], "12345"),
        "number": ([row(n, text="some words", answer=n / 2) for n in (1, 2, 3)], ""),
        "spans": (
            [marked(n, "Acme sells Zoë shoes", (0, 4, "brand"), (11, 14, "name")) for n in (1, 2, 3)],
            ["brand", "name"],
        ),
        "boxes": ([drawn(n, Box(10, 20, 30, 40, 0, ("logo",))) for n in (1, 2, 3)], ["logo", "face"]),
        "pairwise": ([replace(labelled(n, "left"), answer="left") for n in (1, 2, 3)], ["left", "right"]),
        "text": ([row(n, text="some words", answer=("why", "not")) for n in (1, 2, 3)], ""),
        "seconds": (
            [
                row(n, answer=(Span(0.5, 2.25, ("voice",)),), labels=("voice",), regions=(Span(0.5, 2.25, ("voice",)),))
                for n in (1, 2, 3)
            ],
            ["voice"],
        ),
    }[of]
    splits = ("train", "validation", "test")
    return asked(of, labels, *(replace(it, split=split) for it, split in zip(rows, splits, strict=True)))
