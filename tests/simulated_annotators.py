"""A team that labels real items: people who work with care, and people who do not, each in a known way.

    team = simulated(["careful"] * 12 + ["rubber_stamper"], labels=200, items=review_items(archive))
    team.dataset, team.behaviour["rubber_stamper-12"]

What makes it hard to tell them apart is simulated, too: items that careful people disagree about; people of unequal
speed and skill; times that grow with the text and now and then hold a coffee; sessions over several days; tasks that
two or three people label, in the order of Label Studio's queue; predictions that are mostly right and draw people
towards them; repeats. The same seed gives the same team.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sdk_scripts.rule_examples import REVIEWS, Given, example
from sdk_scripts.sources import Dataset
from tests.simulated_behaviours import BEHAVIOURS, PREFERRED, Behaviour, Conditions
from tests.simulated_items import LABELS, Item, drawn, made_items

DAY, SESSION, PAUSE = 24 * 60.0, 15.0, 60.0
"""Minutes. Label Studio's users label in short stretches."""
ASKED = 30
"""People that the queue thinks of for a task."""
CONFIG = REVIEWS.replace('<Choice value="high"/>', '<Choice value="high"/><Choice value="escalate"/>')
SEVERITY = 5.0
HARD, ESCALATED = 0.3, 0.4
"""From which difficulty on a severity is passed on to an expert, and how often."""
PASTED = "The customer is not happy with the product that was bought."
STOCK = ("Negative tone.", "Clearly negative wording.", "Customer complains.")
"""Careful people repeat themselves, too."""


@dataclass(frozen=True)
class Team:
    dataset: Dataset
    behaviour: Mapping[str, str]
    """Annotator -> behaviour."""
    truth: Mapping[int, str]
    """Task -> label that most people see."""

    def of(self, *behaviours: str) -> frozenset[str]:
        return frozenset(who for who, behaviour in self.behaviour.items() if behaviour in behaviours)


@dataclass
class _Person:
    name: str
    way: Behaviour
    skill: float
    pace: float
    stamina: float
    careless: float
    """Share of slips that have nothing to do with the item."""
    skips: float
    anchored: float
    """Share of doubtful predictions that are taken over."""
    stock: float
    label: str
    """Habitual one."""
    starts: float
    """Minutes after 9 o'clock, every day."""
    left: int
    total: int
    clock: float = 0.0
    since: float = 0.0
    """When the session began."""
    taste: str = ""
    """Of a specialist."""

    @property
    def now(self) -> Behaviour:
        return self.way if (self.total - self.left) >= self.way.until * self.total else BEHAVIOURS["careful"]


@dataclass
class _Work:
    """One task of the queue."""

    id: int
    item: Item
    arm: str
    shown: str
    score: float
    people: list[_Person] = field(default_factory=list)


def simulated(
    behaviours: Sequence[str],
    labels: int,
    *,
    items: Sequence[Item] | None = None,
    conditions: Conditions | None = None,
    seed: int = 0,
) -> Team:
    """A person for each of `behaviours` who answers `labels` tasks. `items`: made ones where left out."""
    it, draw = conditions or Conditions(), random.Random(seed)  # reproducible
    people = [_person(f"{name}-{place:02}", BEHAVIOURS[name], labels, draw) for place, name in enumerate(behaviours)]
    _specialise(people, it, draw)
    mean = sum(it.overlap) / len(it.overlap)
    n = math.ceil(labels * len(people) / mean)
    pool = items if items is not None else made_items(n, seed)
    queue = _queue(_chosen(pool, n, it, draw), people, it, draw)
    rows = [row for work in queue for row in _answered(work, it, draw)]
    truths = _decided([work for work in queue if work.people], it, draw)
    dataset = example(
        rows,
        truths=truths,
        texts={work.id: work.item.text for work in queue},
        name="simulated",
        config=CONFIG,
        project={
            "id": 1,
            "title": "simulated",
            "description": f'tiebreak hard cases: {{"severity": {{"high": {SEVERITY:g}}}}}',
        },
    )
    behaviour = {person.name: name for person, name in zip(people, behaviours, strict=True)}
    return Team(dataset, behaviour, {work.id: work.item.truth for work in queue})


def _person(name: str, way: Behaviour, labels: int, draw: random.Random) -> _Person:
    return _Person(
        name=name,
        way=way,
        skill=max(1.4, 2.1 * math.exp(draw.gauss(0, 0.25))),
        pace=math.exp(draw.gauss(0, 0.3)),
        stamina=draw.uniform(0, 0.15),
        careless=draw.uniform(0, 0.03),
        skips=draw.uniform(0, 0.03),
        anchored=draw.uniform(0, 0.3),
        stock=draw.uniform(0, 0.2),
        label=draw.choice(LABELS),
        starts=draw.uniform(0, 5 * 60),
        left=labels,
        total=labels,
    )


def _specialise(people: Sequence[_Person], it: Conditions, draw: random.Random) -> None:
    n = round(it.specialists * len(people))
    careful = [person for person in people if person.way == BEHAVIOURS["careful"]]
    for place, person in enumerate(draw.sample(careful, min(2 * n, len(careful)))):
        person.taste = "hard" if place < n else "negative"


def _chosen(pool: Sequence[Item], n: int, it: Conditions, draw: random.Random) -> list[Item]:
    """The items in the order of the queue, with their repeats."""
    if it.positive is None:
        items = drawn(pool, n, draw)
    else:
        positive = [item for item in pool if item.truth == "positive"]
        others = [item for item in pool if item.truth != "positive"]
        many = round(it.positive * n)
        items = drawn(positive, many, draw) + drawn(others, n - many, draw)
        draw.shuffle(items)
    for place in range(n // 10, n):
        if draw.random() < it.repeats:
            first = items[draw.randrange(place)]
            same = draw.random() < 0.5 or len(first.text) < 60
            items[place] = first if same else replace(first, text=first.text + " Yes!")
    return items


def _queue(items: Sequence[Item], people: Sequence[_Person], it: Conditions, draw: random.Random) -> list[_Work]:
    partner = {id(person): people[place - 1] for place, person in enumerate(people) if person.way.copies and place % 2}
    before: dict[str, list[_Person]] = {}
    left = [person.total for person in people]
    place_of = {id(person): place for place, person in enumerate(people)}
    queue = []
    for number, item in enumerate(items, 1):
        arm, shown, score = _prediction(item, it, draw)
        work = _Work(number, item, arm, shown, score)
        k = draw.choice(it.overlap)
        asked = draw.sample(people, ASKED) if len(people) > 2 * ASKED else people
        free = [person for person in asked if left[place_of[id(person)]] and _likes(person, item, draw)]
        weights = [float(left[place_of[id(person)]]) for person in free]
        chosen = _without_replacement(free, weights, k, draw)
        if item.text in before and draw.random() < 0.5:
            chosen[:1] = [person for person in before[item.text][:1] if left[place_of[id(person)]]] or chosen[:1]
        for person in list(chosen):
            other = partner.get(id(person))
            if other is not None and other not in chosen and left[place_of[id(other)]] and draw.random() < 0.7:
                chosen.append(other)
        work.people = sorted({id(person): person for person in chosen}.values(), key=lambda one: place_of[id(one)])
        before[item.text] = work.people
        for person in work.people:
            left[place_of[id(person)]] -= 1
        queue.append(work)
    for person, n in zip(people, left, strict=True):
        person.total -= n
        person.left = person.total
    return queue


def _likes(person: _Person, item: Item, draw: random.Random) -> bool:
    """Whether the queue gives a specialist this item."""
    match person.taste:
        case "hard":
            return item.difficulty > 0.2 or draw.random() < 0.1
        case "negative":
            return item.truth == "negative" or draw.random() < 0.2
        case _:
            return True


def _without_replacement(
    people: Sequence[_Person], weights: Sequence[float], k: int, draw: random.Random
) -> list[_Person]:
    """Efraimidis & Spirakis 2006."""
    keys = [draw.random() ** (1 / weight) for weight in weights]
    order = sorted(range(len(people)), key=keys.__getitem__, reverse=True)
    return [people[place] for place in order[:k]]


def _prediction(item: Item, it: Conditions, draw: random.Random) -> tuple[str, str, float]:
    """Arm, label shown, score. The model errs more where people do."""
    if draw.random() >= it.shown:
        return "", "", 0.0
    right = min(0.995, max(0.05, it.model + 0.5 * (0.15 - item.difficulty)))
    others = [label for label in LABELS if label != item.truth]
    weights = [item.seen[LABELS.index(label)] for label in others]
    label = item.truth if draw.random() < right else draw.choices(others, weights)[0]
    score = min(0.99, max(0.34, draw.gauss(right, 0.08)))
    place = draw.random()
    if place < it.blind:
        return "blind", label, score
    if place >= 1 - it.seeded:
        return "seeded", draw.choice([one for one in LABELS if one != label]), score
    return "plain", label, score


def _answered(work: _Work, it: Conditions, draw: random.Random) -> list[Given]:
    rows: list[Given] = []
    said: dict[str, str] = {}
    last = ""
    for person in work.people:
        way = person.now
        skipped = draw.random() < person.skips * (1 + 4 * work.item.difficulty)
        skipped |= bool(way.skips) and draw.random() < way.skips
        seen = "" if work.arm == "blind" else work.shown
        if way.copies and last and draw.random() < way.copies:
            label, unread = said[last], True
        else:
            label, unread = _label(person, way, work, seen, draw)
        if way.copies:
            last = person.name
        said[person.name] = label
        seconds = _seconds(person, way, work, bool(seen) and label == seen, unread, draw)
        at = _at(person, seconds, draw)
        answers: dict[str, object] = {}
        if not skipped:
            answers = {"sentiment": label, **_severity(person, way, work, label, draw)}
            if rationale := _rationale(person, way, work, answers, draw):
                answers["rationale"] = rationale
        rows.append(
            Given(
                work.id,
                person.name,
                answers,
                seconds=round(seconds, 2) if it.timed else None,
                at=0.0 if it.at_once else at,
                shown={"sentiment": seen} if seen else {},
                score=round(work.score, 3),
                arm=work.arm or "plain",
                skipped=skipped,
                regions=() if skipped else _evidence(work, draw),
            )
        )
        person.left -= 1
    return rows


def _label(person: _Person, way: Behaviour, work: _Work, seen: str, draw: random.Random) -> tuple[str, bool]:
    """What is answered, and whether without reading."""
    if seen and draw.random() < way.accepts:
        return seen, True
    if draw.random() < way.habit:
        return person.label, True
    tired = 1 - person.stamina * min(1.0, (person.clock - person.since) / SESSION)
    power = person.skill * way.sharpness * tired
    label = draw.choices(LABELS, [p**power for p in work.item.seen])[0]
    if draw.random() < person.careless:
        label = draw.choice(LABELS)
    if seen and seen != label and way.sharpness and draw.random() < person.anchored * _doubt(work.item, seen):
        label = seen
    if label == way.avoids:
        label = max((one for one in LABELS if one != label), key=lambda one: work.item.seen[LABELS.index(one)])
    if way.prefers and draw.random() < PREFERRED:
        label = way.prefers
    if way.contradicts and seen == work.item.truth == label and draw.random() < way.contradicts:
        label = draw.choice([one for one in LABELS if one != seen])
    return label, not way.sharpness


def _doubt(item: Item, label: str) -> float:
    """How far the item allows for the label, 0–1."""
    return min(1.0, 3 * item.seen[LABELS.index(label)])


def _seconds(person: _Person, way: Behaviour, work: _Work, agrees: bool, unread: bool, draw: random.Random) -> float:
    reading = 0.08 * len(work.item.text) if way.reads else 4.0
    usual = (4 + reading) * (1 + 0.6 * work.item.difficulty) * (0.75 if agrees and not unread else 1.0)
    seconds = person.pace * way.pace * usual * math.exp(draw.gauss(0, 0.45))
    return seconds * (draw.uniform(5, 30) if draw.random() < 0.01 else 1.0)


def _at(person: _Person, seconds: float, draw: random.Random) -> float:
    """When the answer is submitted, in minutes since 9 o'clock of the first day: two or three sessions a day."""
    if not person.clock:
        person.clock = person.since = person.starts
    elif person.clock - person.since > SESSION * draw.uniform(0.7, 1.3):
        person.clock += PAUSE * draw.uniform(0.7, 2)
        day, minute = divmod(person.clock, DAY)
        if minute > person.starts + 200:
            person.clock = (day + 1) * DAY + person.starts + draw.gauss(0, 15)
        person.since = person.clock
    person.clock += (seconds + draw.uniform(1, 4)) / 60
    return person.clock


def _severity(person: _Person, way: Behaviour, work: _Work, label: str, draw: random.Random) -> dict[str, str]:
    if way.habit:
        return {"severity": "low"}
    doubtful = work.item.difficulty > HARD if way.sharpness else draw.random() < 0.2
    if doubtful and draw.random() < way.escalates * ESCALATED:
        return {"severity": "escalate"}
    power = max(person.skill * way.sharpness, 0.0)
    high, low = work.item.severe**power if power else 0.5, (1 - work.item.severe) ** power if power else 0.5
    return {"severity": "high" if draw.random() < high / (high + low) else "low"}


def _rationale(
    person: _Person, way: Behaviour, work: _Work, answers: Mapping[str, object], draw: random.Random
) -> tuple[str, ...] | None:
    wanted = 0.97 if answers.get("severity") == "high" else 0.1
    if draw.random() >= wanted:
        return None
    if not way.explains:
        return ("ok",)
    if way.pastes:
        return (PASTED,)
    if draw.random() < person.stock:
        return (draw.choice(STOCK),)
    words = work.item.text.split()
    start = draw.randrange(max(1, len(words) - 5))
    return (f"It says: {' '.join(words[start : start + draw.randint(2, 6)])}",)


def _evidence(work: _Work, draw: random.Random) -> tuple[dict[str, object], ...]:
    """A span, in some of them."""
    if draw.random() >= 0.15:
        return ()
    words = work.item.text.split(" ")
    start = draw.randrange(len(words))
    begin = sum(len(word) + 1 for word in words[:start])
    end = min(len(work.item.text), begin + len(words[start]) + (draw.random() < 0.02))
    if end <= begin:
        return ()
    value = {"start": begin, "end": end, "text": work.item.text[begin:end], "labels": ["claim"]}
    return ({"id": f"s{work.id}", "from_name": "evidence", "to_name": "text", "type": "labels", "value": value},)


def _decided(queue: Sequence[_Work], it: Conditions, draw: random.Random) -> dict[int, dict[str, str]]:
    many = round(it.gold * len(queue))
    if it.hard_gold:
        chosen = sorted(queue, key=lambda work: -work.item.difficulty * draw.uniform(0.5, 1))[:many]
    else:
        chosen = draw.sample(list(queue), many)
    return {work.id: {"sentiment": work.item.decided or work.item.truth} for work in chosen}
