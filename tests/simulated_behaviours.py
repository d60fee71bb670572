"""How simulated annotators work, and how they are put to work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Behaviour:
    """How somebody works. The default is with care."""

    sharpness: float = 1.0
    """Times their skill; 0: answers by chance."""
    pace: float = 1.0
    """Times their own time a task."""
    reads: bool = True
    """Whether longer texts take longer."""
    accepts: float = 0.0
    """Share of predictions on the screen that are submitted unread."""
    habit: float = 0.0
    """Share of answers that are always the same label."""
    avoids: str = ""
    """A label that is never given."""
    prefers: str = ""
    """A label given for PREFERRED of what is seen as another."""
    copies: float = 0.0
    """Share of answers taken from the partner, who is the one before in the team."""
    escalates: float = 1.0
    """Times the share of doubtful cases that are passed on."""
    explains: bool = True
    """Whether rationales are one's own words."""
    skips: float = 0.0
    """Share of tasks that are skipped, beside those that anybody skips."""
    pastes: bool = False
    """Whether the rationale is always the same."""
    contradicts: float = 0.0
    """Share of predictions that are changed where they are right."""
    until: float = 0.0
    """Share of their tasks before they begin to work like this."""


PREFERRED = 0.35
BEHAVIOURS: dict[str, Behaviour] = {
    "careful": Behaviour(),
    "hurried": Behaviour(sharpness=0.3, pace=0.25, reads=False),
    "straight_liner": Behaviour(habit=0.95, pace=0.5, reads=False, explains=False),
    "rubber_stamper": Behaviour(accepts=0.97, pace=0.5, reads=False),
    "drifter": Behaviour(sharpness=0.1, pace=0.6, until=0.5),
    "avoider": Behaviour(avoids="neutral"),
    "over_caller": Behaviour(prefers="negative"),
    "colluding": Behaviour(sharpness=0.2, copies=0.95, pace=0.7, explains=False),
    "clicker": Behaviour(sharpness=0.0, pace=0.5, reads=False, explains=False),
    "escalation_avoider": Behaviour(escalates=0.0),
    "slow": Behaviour(pace=5.0),
    "rusher": Behaviour(pace=0.3, until=0.5),
    "skipper": Behaviour(skips=0.45),
    "paster": Behaviour(pastes=True),
    "contrarian": Behaviour(contradicts=0.8),
}


@dataclass(frozen=True)
class Conditions:
    """How the team is put to work."""

    overlap: tuple[int, ...] = (2, 3)
    """People a task, drawn for each."""
    shown: float = 0.8
    """Share of tasks with a prediction; the others were labelled before there was a model."""
    model: float = 0.82
    """Its share of right predictions."""
    blind: float = 0.1
    seeded: float = 0.05
    """Share of shown tasks in that arm."""
    gold: float = 0.1
    """Share of tasks that a review decided."""
    hard_gold: bool = False
    """Whether those were hard cases, as reviews mostly are, rather than drawn at random."""
    repeats: float = 0.04
    """Share of tasks whose text comes again, half of these word for word."""
    positive: float | None = None
    """Share of items that are positive; None: as they come."""
    specialists: float = 0.0
    """Share of people who get the hardest items, and as many who get mostly negative ones."""
    timed: bool = True
    """Whether Label Studio knows how long a task took."""
    at_once: bool = False
    """Whether all was imported in one minute."""
