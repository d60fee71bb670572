"""Tasks with a feedback panel, and what people say in it."""

from __future__ import annotations

from typing import Any

from unit.analysis.exports import annotation, choice, dataset, task
from unit.analysis.given import GivenEvidence

from sdk_scripts.evidence import Evidence

CONFIG = """
<View><Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text">
    <Choice value="negative"/><Choice value="neutral"/><Choice value="positive"/>
  </Choices>
  <Choices name="feedback" toName="text" tiebreak="feedback" choice="multiple">
    <Choice value="The guideline is unclear here" alias="guideline-unclear"/>
    <Choice value="The right label is missing" alias="label-missing"/>
  </Choices>
  <TextArea name="note" toName="text" tiebreak="feedback"/></View>"""


def answer(id: int, who: object, label: str = "", *kinds: str, note: str = "", **more: Any) -> dict[str, Any]:
    regions = [choice("sentiment", label)] if label else []
    regions += [choice("feedback", *kinds)] if kinds else []
    if note:
        regions.append({"from_name": "note", "to_name": "text", "type": "textarea", "value": {"text": [note]}})
    return annotation(id, who, *regions, **more)


def evidence(*answers: list[dict[str, Any]], **more: Any) -> Evidence:
    """Task 1, 2, … with these annotations each."""
    tasks = [task(id, f"text {id}", given) for id, given in enumerate(answers, start=1)]
    return GivenEvidence(dataset(tasks, CONFIG, **more))
