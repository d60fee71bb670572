"""Which tasks are shown a prediction, none, or a wrong one: the experiment that measures working with the machine.

A task's arm follows from its id and a secret alone, so every process comes to the same and nothing has to be stored:

    plain     the machine's prediction
    blind     an empty prediction: people label without seeing what the machine thinks
    seeded    a wrong label on purpose: who submits it has not looked

Label Studio keeps with every annotation the prediction that was the project's when it was submitted, which is the
durable record of what was shown. Regions of a project that seeds bear a *seal*: HMAC-SHA256 of arm and task, which says
nothing to anybody without the secret. An answer that was seeded and submitted as it was is no judgement, and neither is
any of an annotation whose seal cannot be opened (`judgements`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from ml_backend.labeling.results import SEAL, Annotation, Task, seal_of

Arm = Literal["plain", "blind", "seeded"]
ARMS: tuple[Arm, ...] = get_args(Arm)


@dataclass(frozen=True, slots=True)
class Arms:
    """`blind` and `seeded` are shares of all tasks. With an empty secret nothing is sealed, and nothing can be seeded:
    anybody could work out which tasks are."""

    secret: str = ""
    blind: float = 0.0
    seeded: float = 0.0
    audits: frozenset[int] = frozenset()
    """Tasks that the machine labelled and people are to label blind: in that arm, whatever the shares."""

    @property
    def seals(self) -> bool:
        return bool(self.secret) and self.seeded > 0

    @property
    def any(self) -> bool:
        return self.blind > 0 or self.seals or bool(self.audits)

    def of(self, task: int) -> Arm:
        """Growing a share leaves the tasks that were in it where they are."""
        if not self.any:
            return "plain"
        if task in self.audits:
            return "blind"
        place = self._place("arm", task)
        if place < self.blind:
            return "blind"
        return "seeded" if self.seals and place >= 1 - self.seeded else "plain"

    def audited(self, task: int, share: float) -> bool:
        """Whether people label the task blind if the machine accepts it."""
        return self._place("audit", task) < share

    def draw(self, task: int, what: str) -> float:
        """A number in [0, 1) that is always the same for the task."""
        return self._place(what, task)

    def seal(self, task: int, arm: Arm) -> str:
        """16 hex digits."""
        return self._digest(f"seal:{arm}:{task}").hex()[:16]

    def opened(self, task: Task) -> Task:
        """The task with the arm of each annotation, where seals or an empty prediction tell it."""
        if not any(it.shown is not None or it.sealed for it in task.annotations):
            return task
        return replace(task, annotations=tuple(self._opened(task.id, it) for it in task.annotations))

    def _opened(self, task: int, annotation: Annotation) -> Annotation:
        shown = annotation.shown
        if not annotation.sealed:
            arm = "" if shown is None else "plain" if shown.regions else "blind"
            return replace(annotation, arm=arm)
        known = {self.seal(task, arm): arm for arm in ARMS} if self.secret else {}
        found: dict[str, set[str]] = {}
        for region in (*annotation.regions, *(shown.regions if shown else ())):
            if seal := seal_of(region):
                found.setdefault(str(region.get("from_name")), set()).add(known.get(seal, "unknown"))
        arms = set[str]().union(*found.values())
        seeded = frozenset(name for name, of in found.items() if "seeded" in of)
        arm = "unknown" if "unknown" in arms else "seeded" if seeded else "plain"
        return replace(annotation, arm=arm, seeded=seeded)

    def _place(self, what: str, task: int) -> float:
        return int.from_bytes(self._digest(f"{what}:{task}")[:7]) / 2**56

    def _digest(self, what: str) -> bytes:
        return hmac.digest(self.secret.encode(), what.encode(), hashlib.sha256)


def sealed(meta: Mapping[str, Any] | None, seal: str) -> dict[str, Any]:
    """A region's meta with this seal."""
    about = dict(meta or {})
    own = about.get("tiebreak")
    return {**about, "tiebreak": {**(own if isinstance(own, Mapping) else {}), SEAL: seal}}
