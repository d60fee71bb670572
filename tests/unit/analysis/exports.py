"""Small exports as Label Studio writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.results import read_task
from sdk_scripts.sources import Dataset

SENTIMENT = """
<View><Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text">
    <Choice value="negative"/><Choice value="neutral"/><Choice value="positive"/>
  </Choices></View>"""

EVERY_KIND = """
<View>
  <Text name="text" value="$text"/><Image name="image" value="$image"/>
  <Choices name="verdict" toName="text"><Choice value="allow"/><Choice value="reject"/></Choices>
  <Taxonomy name="policy" toName="text">
    <Choice value="ip"><Choice value="fake"/></Choice><Choice value="goods"/>
  </Taxonomy>
  <Rating name="stars" toName="text" maxRating="5"/>
  <Number name="price" toName="text"/>
  <Labels name="spans" toName="text"><Label value="claim"/><Label value="brand"/></Labels>
  <RectangleLabels name="boxes" toName="image"><Label value="logo"/></RectangleLabels>
  <TextArea name="why" toName="text"/>
</View>"""


def choice(control: str, *picked: str, to_name: str = "text") -> dict[str, Any]:
    return {"from_name": control, "to_name": to_name, "type": "choices", "value": {"choices": list(picked)}}


def annotation(id: int, who: object, *regions: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    time = f"2026-01-01T00:{id // 60 % 60:02d}:{id % 60:02d}.000000Z"
    return {
        "id": id,
        "completed_by": who,
        "result": list(regions),
        "was_cancelled": False,
        "created_at": time,
        "updated_at": time,
        "lead_time": 4.5,
        **more,
    }


def task(id: int, text: str, annotations: Sequence[Mapping[str, Any]] = (), **more: Any) -> dict[str, Any]:
    return {"id": id, "data": {"text": text}, "annotations": list(annotations), "predictions": [], **more}


def voted(id: int, text: str, *labels: str, **more: Any) -> dict[str, Any]:
    """A task that person 1 gave the first of these labels, person 2 the second, and so on."""
    annotations = [
        annotation(id * 100 + who, who, choice("sentiment", label)) for who, label in enumerate(labels, start=1)
    ]
    return task(id, text, annotations, **more)


def predicted(id: int, label: str, score: float | None, version: str = "v1", **region: Any) -> dict[str, Any]:
    return {
        "id": id,
        "result": [choice("sentiment", label) | region],
        "score": score,
        "model_version": version,
    }


def dataset(tasks: Sequence[Mapping[str, Any]], xml: str = SENTIMENT, **more: Any) -> Dataset:
    config: LabelConfig = parse(xml)
    return Dataset("reviews", config, [read_task(task) for task in tasks], **more)
