"""Pairwise: which of two is better."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ml_backend.labeling.config import Control
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import Region, canonical, region, register, values

SIDES = ("left", "right", "tie")


@register("pairwise")
class Pairwise:
    """The side picked. Other tools' data may hold "tie", which is read but cannot be written: Label Studio's screen
    knows "left" and "right" only."""

    tags = ("Pairwise",)
    scale = "nominal"

    def read(self, control: Control, regions: Sequence[Region]) -> str | None:
        answer = None
        for value in values(regions):
            if isinstance(side := value.get("selected"), str) and side in SIDES:
                answer = side
        return answer

    def write(self, control: Control, answer: str) -> list[dict[str, Any]]:
        if answer not in ("left", "right"):
            raise InputError(
                f"{control.name!r} takes 'left' or 'right', not {answer!r}: Label Studio's Pairwise has no ties.",
                mend="To let people call it a tie, ask with <Choices>.",
            )
        return [region(control, {"selected": answer})]

    def key(self, answer: str) -> str:
        return canonical(answer)

    def from_key(self, key: str) -> str:
        return str(json.loads(key))

    def distance(self, a: str, b: str) -> float:
        """A tie is half way between left and right."""
        if a == b:
            return 0.0
        return 0.5 if "tie" in (a, b) else 1.0

    def labels(self, answer: str) -> tuple[str, ...]:
        return (answer,)

    def show(self, answer: str) -> str:
        return answer

    def example(self, control: Control) -> str:
        return "left"
