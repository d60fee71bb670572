"""Made-up listings whose brands, prices and contacts are marked, and comparisons of two reviews."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from ml_backend.encoder import Encoder
from ml_backend.labeling.config import parse
from ml_backend.labeling.kinds import Answer
from ml_backend.labeling.kinds.spans import Span
from ml_backend.prelabelers import Examples, Inputs, Reading
from tests.unit.learning.reviews import reviews

LISTINGS = parse(
    '<View><Text name="text" value="$text"/><Labels name="marks" toName="text">'
    '<Label value="Brand"/><Label value="Price"/><Label value="Contact"/></Labels></View>'
)
COMPARISONS = parse(
    '<View><Text name="a" value="$a"/><Text name="b" value="$b"/><Pairwise name="better" toName="a,b"/></View>'
)
BRANDS = ("Zorvex", "Lumidor", "Kanabi", "Petrol Blue", "Wi-Fi One", "Miraso", "Tolvan", "Grendix", "Sunday", "Óbidos")
_SENTENCES = (
    "I bought the {Brand} from a shop in town and it broke.",
    "Selling my {Brand} for {Price}, call {Contact}.",
    "Everybody says {Brand} is a brand to trust.",
    "Do not buy {Brand}! Contact {Contact} if you want one for {Price}.",
    "On a sunday in May 2019 my {Brand} headphones arrived late.",
    "Is this {Brand} bag real? The seller asks {Price} 👜.",
)


def listings(count: int, seed: int = 0, brands: Sequence[str] = BRANDS) -> list[tuple[str, tuple[Span, ...]]]:
    """Different texts with their marked spans."""
    source = random.Random(seed)
    found: dict[str, tuple[Span, ...]] = {}
    while len(found) < count:
        values = {
            "Brand": source.choice(brands),
            "Price": source.choice(("${}", "{} euros", "£{}.99")).format(source.randint(1, 900)),
            "Contact": source.choice(("seller{}@mail.example", "+49 30 55{}11", "www.shop{}.example")).format(
                source.randint(100, 999)
            ),
        }
        text, spans = "", []
        for part in source.choice(_SENTENCES).replace("}", "{").split("{"):
            if part in values:
                spans.append(Span(len(text), len(text) + len(values[part]), (part,), values[part]))
            text += values.get(part, part)
        found[text] = tuple(spans)
    return list(found.items())


def comparisons(count: int, seed: int = 0) -> list[tuple[tuple[str, str], str]]:
    """Pairs of a positive and a negative review, of which the positive one is better."""
    source = random.Random(seed)
    pool = reviews(2 * count, seed)
    made = []
    for (good, _), (bad, _) in zip(pool[::2], pool[1::2], strict=True):
        made.append(((good, bad), "left") if source.random() < 0.5 else ((bad, good), "right"))
    return made


def readings(*parts: str | tuple[str, ...]) -> list[Reading]:
    return [Reading("\n".join(it), it) for it in ((it,) if isinstance(it, str) else it for it in parts)]


def examples(
    rows: Sequence[tuple[str | tuple[str, ...], Any]], encoder: Encoder, weights: Sequence[float] = ()
) -> Examples:
    import numpy as np

    answers: tuple[Answer, ...] = tuple(answer for _, answer in rows)
    inputs = Inputs(readings(*(parts for parts, _ in rows)), encoder)
    return Examples(tuple(range(len(rows))), inputs, answers, np.array(weights or [1.0] * len(rows)))


def mark(control: str, *spans: tuple[int, int, str]) -> list[dict[str, Any]]:
    """Regions as Label Studio stores them."""
    return [
        {
            "id": f"r{i}",
            "from_name": control,
            "to_name": "text",
            "type": "labels",
            "value": {"start": start, "end": end, "labels": [label]},
        }
        for i, (start, end, label) in enumerate(spans)
    ]
