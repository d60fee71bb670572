"""A project made up: six people, ten weeks, three labels of which two are taken for each other, stars, and a panel."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from unit.analysis.exports import annotation, choice, task

XML = """
<View><Text name="text" value="$text"/>
  <Choices name="verdict" toName="text"><Choice value="allow"/><Choice value="limit"/><Choice value="reject"/></Choices>
  <Rating name="stars" toName="text" maxRating="5"/>
  <Choices name="feedback" toName="text" tiebreak="feedback"><Choice value="The guideline is unclear here"/></Choices>
  <TextArea name="note" toName="text" tiebreak="feedback"/></View>"""
LABELS = ("allow", "limit", "reject")
PEOPLE = tuple(f"{name}@example.com" for name in ("ana", "ben", "cho", "dai", "eve", "fay"))
START = datetime(2026, 9, 7, 8, tzinfo=UTC)
WORDS = {"allow": "a plain blue cotton shirt", "limit": "a kitchen knife with a case", "reject": "a copied brand watch"}


def person(place: int) -> dict[str, Any]:
    return {"id": place + 1, "email": PEOPLE[place]}


def stars(value: int) -> dict[str, Any]:
    return {"from_name": "stars", "to_name": "text", "type": "rating", "value": {"rating": value}}


def made(
    tasks: int = 600, *, seed: int = 0, careless: int | None = 5, later_better: bool = True, overlap: int = 2
) -> list[dict[str, Any]]:
    """Tasks of an export, half of which two people judged. `careless`: who guesses; people of even places take limit
    for reject and those of odd ones now this, now that; in the second half people agree more."""
    draw = random.Random(seed)
    return [_task(id, tasks, draw, careless, later_better, overlap) for id in range(1, tasks + 1)]


def _task(id: int, tasks: int, draw: random.Random, careless: int | None, better: bool, overlap: int) -> dict[str, Any]:
    truth = draw.choices(LABELS, (5, 3, 2))[0]
    at = START + timedelta(weeks=10) * (id / tasks)
    people = draw.sample(range(len(PEOPLE)), overlap if id % 2 else 1)
    given = []
    for place in people:
        label, n = _answer(truth, place, draw, careless, settled=better and 2 * id > tasks), id * 10 + place
        regions = [choice("verdict", label), stars(min(5, max(1, draw.gauss(3, 0.4).__round__())))]
        if label == "limit" and not draw.randrange(12):
            regions.append(choice("feedback", "The guideline is unclear here"))
        time = (at + timedelta(minutes=draw.randrange(600))).isoformat()
        seconds = round(draw.lognormvariate(3, 0.4), 1)
        given.append(annotation(n, person(place), *regions, created_at=time, updated_at=time, lead_time=seconds))
    if not id % 25:
        given.append(annotation(id * 10 + 9, person(id % 6), was_cancelled=True))
    return task(id, f"Lot {id}: {WORDS[truth]}, size {draw.randrange(90)}", given)


def _answer(truth: str, place: int, draw: random.Random, careless: int | None, *, settled: bool) -> str:
    if place == careless and draw.random() < 0.5:
        return draw.choice(LABELS)
    if truth == "limit" and draw.random() < (0.1 if settled else 0.4):
        return "reject"
    return truth if draw.random() < 0.95 else draw.choice(LABELS)


def without_people(tasks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tasks that nobody has labelled yet, after those."""
    last = max(it["id"] for it in tasks)
    return [task(last + n, f"Lot {last + n}: a new one") for n in range(1, 101)]
