"""The faults, one file each. Adding one is adding a file that registers a subclass of `Fault`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ml_backend.labeling.plugins import Registry

if TYPE_CHECKING:
    from tests.faults.estate import Estate
    from tests.faults.scene import Scene


class Fault(ABC):
    """Random choices are the scene's (`scene.draw`), so that a seed makes them again."""

    name: str
    """What the table calls it."""
    hold = (1.0, 4.0)
    """Seconds from `inflict` to `mend`, under load."""
    may_go_back = False
    """Whether a former version may answer: the fault damages the live one."""

    def impossible(self, estate: Estate) -> str:
        """Why it cannot be inflicted on this estate; "" where it can."""
        return ""

    @abstractmethod
    def inflict(self, scene: Scene) -> None:
        """Comes at a random moment, under load."""

    def mend(self, scene: Scene) -> None:
        """What an operator or a supervisor of processes does: starts what was killed. Recovery is timed from here."""
        return

    def afterwards(self, scene: Scene) -> None:
        """Leave the estate as it was, once the verdict is there."""
        return


FAULTS: Registry[Fault] = Registry("fault", __name__)
register = FAULTS.register_class
