"""A text unlike anything that was labelled."""

from __future__ import annotations

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts import wording
from sdk_scripts.signals import Evidence, Findings, Suspicion, register


@register("novelty")
class Novelty:
    """How far the text is from the labelled texts nearest to it, measured by how far those are from one another.

    0: no farther than 95 % of the labelled texts are from their nearest; beyond, it grows towards 1 with the distance,
    in units of the way from their median to there. So nothing depends on what an encoder takes to be near. Looked at
    are tasks with an answer, and those that the live model has read.

    Why care: guidelines are written for what was there. On something new people answer by feeling, and the model by
    chance, however sure it says it is; a decision now makes the precedent.
    """

    weight = 0.3

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        if not evidence.neighbourhoods:
            raise NotEnoughLabels("There are too few labelled texts to compare with.", mend="Label some more tasks.")
        found = Findings(evidence)
        for name, around in evidence.neighbourhoods.items():
            for task, place in around.places.items():
                detail = f"no labelled text is like it: it is more of its own than {place.farther_than:.0%} of them"
                found.add(task, place.unknown, wording.about(evidence.config, name, detail), name)
        return found.strongest
