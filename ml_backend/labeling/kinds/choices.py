"""Choices, single or multiple."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ml_backend.labeling.config import Control
from ml_backend.labeling.errors import UnknownName
from ml_backend.labeling.kinds import Region, region, register, set_distance


@register("choices")
class Choices:
    tags = ("Choices",)
    scale = "nominal"

    def read(self, control: Control, regions: Sequence[Region]) -> tuple[str, ...] | None:
        picked: dict[str, None] = {}
        for item in regions:
            choices = item["value"].get("choices")
            for choice in choices if isinstance(choices, list) else [choices]:
                if isinstance(choice, list):  # nested <Choice> tags store a path; the label is its end
                    choice = choice[-1] if choice else None
                if isinstance(choice, str):
                    picked[choice] = None
        return self._ordered(control, picked) if picked else None

    def write(self, control: Control, answer: tuple[str, ...]) -> list[dict[str, Any]]:
        for choice in answer:
            if control.labels and choice not in control.keys:
                raise UnknownName(f"choice of {control.name!r}", choice, control.keys)
        return [region(control, {"choices": list(answer)})]

    def key(self, answer: tuple[str, ...]) -> str:
        return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))

    def from_key(self, key: str) -> tuple[str, ...]:
        return tuple(json.loads(key))

    def distance(self, a: tuple[str, ...], b: tuple[str, ...]) -> float:
        return set_distance(a, b)

    def labels(self, answer: tuple[str, ...]) -> tuple[str, ...]:
        return answer

    def show(self, answer: tuple[str, ...]) -> str:
        return ", ".join(answer)

    def example(self, control: Control) -> tuple[str, ...]:
        return self._ordered(control, control.keys[: 2 if control.multiple else 1] or ("label",))

    def _ordered(self, control: Control, picked: Any) -> tuple[str, ...]:
        """The config's order, labels it does not know last: the order of clicking means nothing."""
        rank = {key: position for position, key in enumerate(control.keys)}
        return tuple(sorted(picked, key=lambda choice: (rank.get(choice, len(rank)), choice)))
