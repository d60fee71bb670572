"""A text unlike anything that was labelled."""

from __future__ import annotations

from sdk_scripts import wording
from sdk_scripts.neighbourhood import Place
from sdk_scripts.signals import Evidence, Findings, Suspicion, register

USUAL = 0.95
"""Share of the labelled texts whose distance counts as usual."""


@register("novelty")
class Novelty:
    """How far the text is from the labelled texts nearest to it, measured by how far those are from one another.

    0: no farther than 95 % of the labelled texts are from their nearest; beyond, it grows towards 1 with the distance,
    in units of the way from their median to there. So nothing depends on what an encoder takes to be near. Looked at
    are tasks with an answer, and those that the live model has read.

    Why care: guidelines are written for what was there. On something new people answer by feeling, and the model by
    chance, however sure it says it is; a decision now makes the precedent.
    """

    weight = 0.15

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        found = Findings(evidence)
        places = {name: around.places for name, around in evidence.neighbourhoods.items()} or _from_opinions(evidence)
        for name, of_tasks in places.items():
            for task, place in of_tasks.items():
                detail = f"no labelled text is like it: it is more of its own than {place.farther_than:.0%} of them"
                found.add(task, place.unknown, wording.about(evidence.config, name, detail), name)
        return found.strongest


def _from_opinions(evidence: Evidence) -> dict[str, dict[int, Place]]:
    """As a model noted it that has seen more than these tasks."""
    found: dict[str, dict[int, Place]] = {}
    for name, opinions in evidence.opinions.items():
        for task, opinion in opinions.items():
            if opinion.doubt is not None and (far := opinion.doubt.distance) is not None:
                found.setdefault(name, {})[task] = Place(far, max(0.0, 1 - (1 - far) / (1 - USUAL)))
    return found
