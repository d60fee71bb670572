"""Which tasks are shown a prediction, none, or a wrong one: the experiment that measures working with the machine.

A task's arm follows from its id and a secret alone, so every process comes to the same and nothing has to be stored:

    plain     the machine's prediction
    blind     an empty prediction: people label without seeing what the machine thinks
    seeded    a wrong label on purpose: who submits it has not looked

Label Studio notes with every annotation the prediction it was submitted from, and keeps for exports what the project's
prediction was at that time: the record of what was shown. Regions of a project that seeds bear a *seal*, HMAC-SHA256 of
arm, task and control, and other for each model version, so that two seals never tell anything by being alike. It says
nothing to anybody without the secret. An answer that was seeded and submitted as it was is no judgement, and neither is
any of an annotation whose seal cannot be opened (`judgements`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from msgspec.structs import replace

from ml_backend.labeling.kinds import Region
from ml_backend.labeling.results import SEAL, Annotation, Prediction, Task, are_told, is_copy, seal_of

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

    def seal(self, task: int, arm: Arm, control: str, version: str) -> str:
        """24 hex digits: 8 that differ by version, and 16 that say the arm to who has the secret."""
        mark = self._digest(f"mark:{task}:{control}:{version}").hex()[:8]
        return mark + self._proof(task, arm, control, mark)

    def opened(self, task: Task) -> Task:
        """The task with the arm of each annotation, where seals or an empty prediction tell it, and with what its
        predictions say of the model."""
        if not task.predictions and not any(it.shown or it.sealed for it in task.annotations):
            return task
        annotations = tuple([self._opened(task.id, it) for it in task.annotations])
        predictions = tuple([self._told(task.id, it) for it in task.predictions])
        return replace(task, annotations=annotations, predictions=predictions)

    def _opened(self, task: int, annotation: Annotation) -> Annotation:
        shown = annotation.shown
        found = [*self._arms(task, annotation.regions), *self._arms(task, shown.regions if shown else ())]
        if not found:
            arm = "" if shown is None else "plain" if shown.regions else "blind"
            if arm == "blind" and any(is_copy(it) for it in annotation.regions):
                arm = ""  # emptied while it was on the screen
            return replace(annotation, arm=arm) if arm != annotation.arm else annotation
        arms, seeded = {arm for _, arm in found}, frozenset(name for name, arm in found if arm == "seeded")
        arm = "unknown" if "unknown" in arms else "seeded" if seeded else "plain"
        return replace(annotation, arm=arm, seeded=seeded, shown=shown and self._told(task, shown))

    def _told(self, task: int, prediction: Prediction) -> Prediction:
        found = self._arms(task, prediction.regions)
        others = {name for name, arm in found if arm != "plain"}
        return replace(prediction, plain=frozenset(name for name, _ in found) - others) if found else prediction

    def _arms(self, task: int, regions: Sequence[Region]) -> list[tuple[str, str]]:
        """Control and arm of the regions under a seal."""
        if not are_told(regions):
            return []
        sealed = [(str(it.get("from_name")), seal) for it in regions if (seal := seal_of(it))]
        return [(control, self._arm(task, control, seal)) for control, seal in sealed]

    def _arm(self, task: int, control: str, seal: str) -> str:
        mark, proof = seal[:8], seal[8:].encode(errors="replace")
        for arm in ARMS if self.secret else ():
            if hmac.compare_digest(proof, self._proof(task, arm, control, mark).encode()):
                return arm
        return "unknown"

    def _proof(self, task: int, arm: str, control: str, mark: str) -> str:
        return self._digest(f"seal:{arm}:{task}:{control}:{mark}").hex()[:16]

    def _place(self, what: str, task: int) -> float:
        return int.from_bytes(self._digest(f"{what}:{task}")[:7]) / 2**56

    def _digest(self, what: str) -> bytes:
        return hmac.digest(self.secret.encode(), what.encode(errors="replace"), hashlib.sha256)


NO_SECRET = Arms()
"""Opens no seal: whatever is under one counts for nothing."""


def sealed(meta: Mapping[str, Any] | None, seal: str) -> dict[str, Any]:
    """A region's meta with this seal."""
    about = dict(meta or {})
    own = about.get("tiebreak")
    return {**about, "tiebreak": {**(own if isinstance(own, Mapping) else {}), SEAL: seal}}
