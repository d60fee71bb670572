"""TextArea: one text or several."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ml_backend.labeling.config import Control
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import Region, canonical, one_line, region, register, string, values


@register("text")
class Text:
    """The texts in the order given, without blanks around them; a blank text is none."""

    tags = ("TextArea",)
    scale = "distance"

    def read(self, control: Control, regions: Sequence[Region]) -> tuple[str, ...] | None:
        found = []
        for value in values(regions):
            texts = value.get("text")
            found += [string(it) or "" for it in (texts if isinstance(texts, list) else [texts])]
        return tuple(it.strip() for it in found if it.strip()) or None

    def write(self, control: Control, answer: tuple[str, ...]) -> list[dict[str, Any]]:
        if isinstance(answer, str) or not answer or not all(isinstance(it, str) and it.strip() for it in answer):
            raise InputError(
                f"{control.name!r} takes a tuple of texts that are not blank, not {answer!r}.",
                mend="Leave the control out where there is nothing to say.",
            )
        return [region(control, {"text": [it.strip() for it in answer]})]

    def key(self, answer: tuple[str, ...]) -> str:
        return canonical(answer)

    def from_key(self, key: str) -> tuple[str, ...]:
        return tuple(json.loads(key))

    def distance(self, a: tuple[str, ...], b: tuple[str, ...]) -> float:
        """1 − the Dice coefficient of the pairs of neighbouring characters (Dice 1945), with case, width and runs
        of blanks evened out. Linear in the length, and fit for scripts without blanks between words."""
        left, right = _pairs(a), _pairs(b)
        shared = (left & right).total()
        return 1 - 2 * shared / (left.total() + right.total())

    def labels(self, answer: tuple[str, ...]) -> tuple[str, ...]:
        return ()

    def show(self, answer: tuple[str, ...]) -> str:
        return one_line(" | ".join(answer))

    def example(self, control: Control) -> tuple[str, ...]:
        return ("An example text.",)


@lru_cache(maxsize=4096)  # a medoid compares each text with all the others
def _pairs(texts: tuple[str, ...]) -> Counter[str]:
    words = " ".join(unicodedata.normalize("NFKC", " ".join(texts)).casefold().split())
    framed = f"\n{words}\n"
    return Counter(framed[place : place + 2] for place in range(len(framed) - 1))
