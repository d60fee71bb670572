"""A lot: the labels that are accepted or rejected together, frozen as they were when its sample was drawn.

Its record is kept beside the project's models, on any fsspec URL that the workers share:

    <project>/lots/<name>/lot.json

Members, labels, plans and sample never change once it is written, whatever people label afterwards. One keyed order of
the members draws both samples: the lot's sample by ISO 2859-1 is its beginning, that of the high-risk stratum the
beginning of the stratum's own members. The same lot has the same order each time, and nobody can tell it beforehand
who does not know the key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.errors import UNREADABLE, InputError
from ml_backend.labeling.results import project_key
from ml_backend.model_files import ModelFiles
from sdk_scripts.sampling.plans import Plan

if TYPE_CHECKING:
    from ml_backend.settings import Settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Lot:
    name: str
    control: str
    created_at: datetime
    policy: str
    """Version of the guidelines the labels were given under."""
    labels: Mapping[int, str]
    """Task id -> key of its label, in the order of the draw."""
    high: frozenset[int]
    """The tasks of the high-risk stratum."""
    severe: float | None
    """The severity from which a wrong label is critical; None: none is."""
    plan: Plan
    """Of all members."""
    zero: Plan
    """Of the high-risk stratum."""

    @cached_property
    def sample(self) -> tuple[int, ...]:
        """Tasks, in the order of the draw."""
        return tuple(task for task in self.labels if task in self.sample_of_all or task in self.sample_of_high)

    @cached_property
    def sample_of_all(self) -> frozenset[int]:
        return frozenset(list(self.labels)[: self.plan.n])

    @cached_property
    def sample_of_high(self) -> frozenset[int]:
        return frozenset([task for task in self.labels if task in self.high][: self.zero.n])

    def to_json(self) -> dict[str, Any]:
        keys = sorted(set(self.labels.values()))
        place = {key: number for number, key in enumerate(keys)}
        return {
            "name": self.name,
            "control": self.control,
            "created_at": self.created_at.isoformat(),
            "policy": self.policy,
            "keys": keys,
            "members": [[task, place[key], int(task in self.high)] for task, key in self.labels.items()],
            "severe": self.severe,
            "plan": self.plan.to_json(),
            "zero": self.zero.to_json(),
            "sample": list(self.sample),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Lot:
        """Raises one of `errors.UNREADABLE` for what no lot wrote."""
        return cls(
            name=str(said["name"]),
            control=str(said["control"]),
            created_at=datetime.fromisoformat(said["created_at"]),
            policy=str(said["policy"]),
            labels={int(task): str(said["keys"][place]) for task, place, _ in said["members"]},
            high=frozenset(int(task) for task, _, high in said["members"] if high),
            severe=said["severe"],
            plan=Plan.from_json(said["plan"]),
            zero=Plan.from_json(said["zero"]),
        )


def drawn(tasks: Iterable[int], name: str, project: str, secret: str = "") -> list[int]:
    """The tasks in the order of the draw: by a keyed hash of each."""
    key = hashlib.sha256(f"{secret}\0{project}\0{name}".encode()).digest()
    return sorted(tasks, key=lambda task: hmac.digest(key, str(task).encode(), "sha256"))


@dataclass(frozen=True)
class Lots:
    """The lots of a project. Raises ModelUnavailable where the storage does not answer."""

    files: ModelFiles
    project: str
    """Its `project_key`."""

    @classmethod
    def of(cls, project: Mapping[str, Any], settings: Settings) -> Lots:
        return cls(ModelFiles(settings.models), project_key(project))

    def read(self, name: str) -> Lot | None:
        """None where there is none. Raises InputError for a name that is none, or a record that is damaged."""
        content = self.files.read(self._path(name))
        if content is None:
            return None
        try:
            return Lot.from_json(json.loads(content))
        except UNREADABLE as error:
            raise InputError(
                f"The record of lot {name} cannot be read ({error}): {self.files.url}/{self._path(name)}.",
                mend="Delete that file; its tasks are then in no lot.",
            ) from None

    def all(self) -> Sequence[Lot]:
        """In the order in which they were made."""
        names = [name for name in self.files.folders(f"{self.project}/lots") if _NAME.fullmatch(name)]
        found = [lot for name in names if (lot := self.read(name)) is not None]
        return sorted(found, key=lambda lot: (lot.created_at, lot.name))

    def write(self, lot: Lot) -> None:
        self.files.write(self._path(lot.name), json.dumps(lot.to_json(), separators=(",", ":")).encode())

    def _path(self, name: str) -> str:
        return f"{self.project}/lots/{checked(name)}/lot.json"


def checked(name: str) -> str:
    """The name of a lot. Raises InputError for one that could leave its folder."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise InputError(
            f"{name!r} is no name of a lot.",
            mend="It takes up to 64 letters, digits, '.', '_' and '-', starting with one of the first.",
        )
    return name


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
