"""What simulated annotators label: texts, each with how likely somebody is to see which label in it.

The demo's reviews bring both: their twenty ratings say in which labels people see them. Made texts have an item's
difficulty drawn, so that some are hard for everybody.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from sdk_scripts.demo_data import read_archive, sentiment

LABELS = ("positive", "neutral", "negative")
SEVERE = -2
"""Ratings of that and below see a severe case."""
_BETWEEN = 0.25
"""Ratings that every label of a review has beside its twenty."""
_WORDS = tuple(
    re.findall(
        r"\w+",
        "battery case charger colour delivery design display driver finish handle hinge keyboard lens manual motor "
        "package paint picture price remote screen seller service size sound speaker strap switch update zipper "
        "after before often week month daily holiday gift office kitchen travel",
    )
)
_TONE = {
    "positive": ["great", "lovely", "solid", "excellent", "bright", "perfect", "reliable", "crisp"],
    "neutral": ["usual", "ordinary", "medium", "standard", "listed", "average", "plain", "second"],
    "negative": ["broken", "awful", "noisy", "useless", "cracked", "terrible", "weak", "late"],
}


@dataclass(frozen=True)
class Item:
    text: str
    seen: tuple[float, ...]
    """How likely somebody is to see each of LABELS in it; sums to 1."""
    severe: float = 0.0
    """How likely somebody is to call it severe."""
    decided: str = ""
    """What a review says, where that is not what most people see."""

    @cached_property
    def truth(self) -> str:
        return LABELS[self.seen.index(max(self.seen))]

    @property
    def difficulty(self) -> float:
        """0 where everybody sees the same, up to 2/3."""
        return 1 - max(self.seen)


def review_items(archive: Path) -> list[Item]:
    """Of the demo's reviews (`sdk_scripts.demo_data.fetch`)."""
    found = []
    for review in read_archive(archive):
        seen = [sentiment(rating) for rating in review.ratings]
        counts = [seen.count(label) + _BETWEEN for label in LABELS]
        severe = sum(rating <= SEVERE for rating in review.ratings) / len(review.ratings)
        found.append(Item(review.text, tuple(count / sum(counts) for count in counts), severe))
    return found


def made_items(n: int, seed: int = 0) -> list[Item]:
    draw = random.Random(seed)  # reproducible
    found = []
    for _ in range(n):
        truth = draw.choice(LABELS)
        doubt = min(0.6, draw.betavariate(0.7, 3))
        near = "neutral" if truth != "neutral" else draw.choice(("positive", "negative"))
        seen = tuple(1 - doubt if it == truth else doubt * (0.8 if it == near else 0.2) for it in LABELS)
        words = draw.choices(_WORDS, k=draw.randint(4, 25)) + draw.choices(_TONE[truth], k=3)
        draw.shuffle(words)
        severe = draw.betavariate(4, 2) if truth == "negative" and draw.random() < 0.5 else 0.02
        found.append(Item(" ".join(words).capitalize() + ".", seen, severe))
    return found


def drawn(
    items: Sequence[Item], n: int, draw: random.Random, weight: Callable[[Item], float] | None = None
) -> list[Item]:
    """`n` of them, none twice while they last; those again have a word of their own, so that no text is."""
    keys = [draw.random() ** (1 / max(weight(it), 1e-9)) if weight else draw.random() for it in items]
    order = sorted(range(len(items)), key=keys.__getitem__, reverse=True)
    return [
        items[place] if turn == 0 else replace(items[place], text=_reworded(items[place].text, draw))
        for turn, place in _turns(order, n)
    ]


def _turns(order: Sequence[int], n: int) -> Iterable[tuple[int, int]]:
    return ((number // len(order), order[number % len(order)]) for number in range(n))


def _reworded(text: str, draw: random.Random) -> str:
    words = [*text.split(), *draw.choices(_WORDS, k=8)]
    draw.shuffle(words)
    return " ".join(words)
