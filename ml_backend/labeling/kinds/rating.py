"""Rating: whole stars."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ml_backend.labeling.config import Control
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import Region, finite, region, register, values

DEFAULT_STARS = 5  # Label Studio's, where a config has no maxRating


@register("rating")
class Rating:
    """1 to the control's `maxRating`; no stars is no answer, as Label Studio stores none."""

    tags = ("Rating",)
    scale = "ordinal"

    def read(self, control: Control, regions: Sequence[Region]) -> int | None:
        answer = None
        for value in values(regions):
            stars = finite(value.get("rating"))
            if isinstance(stars, int) and 1 <= stars <= most_stars(control):
                answer = stars
        return answer

    def write(self, control: Control, answer: int) -> list[dict[str, Any]]:
        stars = finite(answer)
        if not isinstance(stars, int) or not 1 <= stars <= most_stars(control):
            raise InputError(
                f"{control.name!r} takes 1 to {most_stars(control)} whole stars, not {answer!r}.",
                mend="Round it, or raise maxRating in the label config.",
            )
        return [region(control, {"rating": stars})]

    def key(self, answer: int) -> str:
        return str(int(answer))

    def from_key(self, key: str) -> int:
        return int(json.loads(key))

    def distance(self, a: int, b: int) -> float:
        """Stars between them over the widest gap of a scale that has both (five stars at least)."""
        return abs(a - b) / (max(a, b, DEFAULT_STARS) - 1)

    def labels(self, answer: int) -> tuple[str, ...]:
        return (str(answer),)

    def show(self, answer: int) -> str:
        return str(answer)

    def example(self, control: Control) -> int:
        return (most_stars(control) + 1) // 2


def most_stars(control: Control) -> int:
    """The control's `maxRating`."""
    stars = control.number("maxRating", DEFAULT_STARS)
    return int(stars) if 1 <= stars <= 1000 else DEFAULT_STARS
