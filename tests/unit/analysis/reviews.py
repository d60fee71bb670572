"""Tasks of a review project as Label Studio returns them, small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unit.analysis.exports import annotation, choice

PEOPLE = {1: "ann@example.com", 2: "bob@example.com", 7: "rev@example.com", 8: "sue@example.com", 9: "tom@example.com"}
OPTIONS = {name: f'["{name}"]' for name in ("negative", "neutral", "positive")}
SOURCE = {"project": 3, "created_at": "2026-01-01T00:00:00Z", "title": "Reviews", "task": 10}


def written(control: str, text: str) -> dict[str, Any]:
    return {"from_name": control, "to_name": "item", "type": "textarea", "value": {"text": [text]}}


def decision(
    id: int,
    who: object,
    option: str,
    *,
    cause: str = "guideline_gap",
    text: str = "",
    rationale: str = "The zip is the product.",
    clause: str = "2.1",
    keep: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """An annotation of a review task; the higher its id the newer."""
    regions = [choice("decision", option, to_name="item"), choice("cause", cause, to_name="item")]
    said = {"decision_text": text, "rationale": rationale, "policy_clause": clause}
    regions += [written(name, words) for name, words in said.items() if words]
    regions += [choice("keep", "keep", to_name="item")] if keep else []
    return annotation(id, who, *regions, **more)


def review_task(
    id: int,
    *annotations: Mapping[str, Any],
    control: str = "sentiment",
    task: int = 10,
    options: Mapping[str, str] = OPTIONS,
    votes: Sequence[Mapping[str, Any]] = (),
    consensus: Mapping[str, Any] | None = None,
    kept: Mapping[str, Any] | None = None,
    **data: Any,
) -> dict[str, Any]:
    """A review task of seat 1 and round 1 in project 5, unless `data` say otherwise; `kept` goes under `tiebreak`."""
    return {
        "id": id,
        "project": 5,
        "annotations": list(annotations),
        "data": {
            "source_project": 3,
            "source_task": task,
            "control": control,
            "options": [{"value": option} for option in options],
            "reviewer": "",
            "seat": 1,
            "round": 1,
            "severity": 1.0,
            "standard": "default",
            "tiebreak": {
                "source": SOURCE | {"task": task},
                "control": control,
                "options": dict(options),
                "votes": list(votes),
                "consensus": consensus,
                "reasons": [{"signal": "disagreement", "score": 0.67, "detail": "2 to 1", "control": control}],
                "seats": 1,
                "policy": "0123456789ab",
                **(kept or {}),
            },
            **data,
        },
    }
