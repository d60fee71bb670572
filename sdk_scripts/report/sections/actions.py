"""What to do next, ranked by what it would do; where nothing tells, that is said, and it comes after."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sdk_scripts.report.effects import Effect
from sdk_scripts.report.levers import Facts, Lever, levers
from sdk_scripts.report.model import Action, Actions
from sdk_scripts.report.sections import Given, Section, Sheet, register
from sdk_scripts.tables import plain

MOST_ACTIONS = 15


@register("actions")
class NextActions(Section):
    title = "What to do next"
    place = 20
    looks_back = True

    def collect(self, given: Given) -> Actions:
        facts = Facts(given)
        return Actions(ranked(levers(facts), facts.seconds)[:MOST_ACTIONS])

    def sheets(self, part: Actions) -> Iterable[Sheet]:
        names = ("what", "why", "effect", "effect_low", "effect_high", "unit", "basis", "section")
        rows = [[place, *(getattr(it, name) for name in names)] for place, it in enumerate(part.root, start=1)]
        yield Sheet("Actions", ["rank", *(name.replace("_", " ") for name in names)], rows)


def ranked(found: Iterable[Lever], seconds: float | None) -> list[Action]:
    """By worth in labels; `seconds` are what labelling one task takes. An effect that rounds to nothing is left out:
    who is told to do something should gain by it."""
    known: list[tuple[float, Action]] = []
    unknown: list[Action] = []
    for lever in found:
        if isinstance(lever.effect, Effect):
            if lever.effect.amount.value >= 0.05:
                known.append((lever.effect.worth(seconds), _action(lever)))
        else:
            unknown.append(_action(lever))
    known.sort(key=lambda it: -it[0])
    return [*(action for _, action in known), *unknown]


def _action(lever: Lever) -> Action:
    words: dict[str, Any] = {"what": plain(lever.what), "why": plain(lever.why), "section": lever.section}
    if not isinstance(lever.effect, Effect):
        return Action(**words, basis=plain(lever.effect))
    it = lever.effect
    return Action(
        **words,
        effect=it.amount.value,
        effect_low=it.amount.low,
        effect_high=it.amount.high,
        unit=it.unit,
        basis=plain(it.basis),
    )
