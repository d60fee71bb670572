"""Labels and controls that a new label config no longer has, and how many annotations use them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ml_backend.labeling.config import Control, LabelConfig

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A label of a control, or with `label` None the control: gone, or turned into a tag of another kind."""

    control: str
    label: Path | None = None

    def __str__(self) -> str:
        return f"'{' > '.join(self.label)}' of '{self.control}'" if self.label else f"'{self.control}'"


@dataclass(frozen=True, slots=True)
class Usage:
    dropped: Dropped
    annotations: int
    tasks: int

    def __str__(self) -> str:
        annotations = f"{self.annotations:,} annotation{'s' * (self.annotations != 1)}"
        return f"{self.dropped} is used in {annotations} of {self.tasks:,} task{'s' * (self.tasks != 1)}"


def dropped(before: LabelConfig, after: LabelConfig) -> tuple[Dropped, ...]:
    """What the first config can hold and the second cannot. Labels that come from task data are not known here. What
    the machine said to explain itself is no loss, but Label Studio keeps a control whose labels annotations use."""
    found: list[Dropped] = []
    still = {control.name: control for control in after.controls}
    for control in before.controls:
        if control.explanation and (not control.labels or control.name in still):
            continue
        kept = still.get(control.name)
        if kept is None or kept.tag.lower() != control.tag.lower():
            found.append(Dropped(control.name))
        elif not _open(kept):
            found += [Dropped(control.name, path) for path in _paths(control) if path not in set(_paths(kept))]
    return tuple(found)


def usages(tasks: Iterable[Mapping[str, Any]], gone: Iterable[Dropped]) -> list[Usage]:
    """How often each is used, in the given order; the unused are left out. Tasks are Label Studio's JSON."""
    annotations: dict[Dropped, int] = dict.fromkeys(gone, 0)
    in_tasks = dict(annotations)
    for task in tasks:
        in_task: set[Dropped] = set()
        for annotation in task.get("annotations") or ():
            used = {use for use in _used(annotation) if use in annotations}
            in_task |= used
            for use in used:
                annotations[use] += 1
        for use in in_task:
            in_tasks[use] += 1
    return [Usage(use, count, in_tasks[use]) for use, count in annotations.items() if count]


def _used(annotation: Mapping[str, Any]) -> Iterator[Dropped]:
    for region in annotation.get("result") or ():
        if not isinstance(region, Mapping) or not isinstance(region.get("value"), Mapping):
            continue
        control = str(region.get("from_name"))
        yield Dropped(control)
        for values in region["value"].values():
            for value in values if isinstance(values, list) else [values]:
                # A nested <Choice> and a <Taxonomy> store a path, every other control a single label.
                path = tuple(map(str, value)) if isinstance(value, list) else (str(value),)
                yield Dropped(control, path)


def _paths(control: Control) -> list[Path]:
    """The labels as results hold them: paths in a taxonomy, keys elsewhere, stars of a rating."""
    if control.tag.lower() == "rating":
        return [(str(stars),) for stars in range(1, int(control.number("maxRating", 5)) + 1)]
    if control.tag.lower() == "taxonomy":
        return [label.path for label in control.labels]
    return list(dict.fromkeys(path for label in control.labels for path in ((label.key,), label.path)))


def _open(control: Control) -> bool:
    """Whether its labels come from elsewhere."""
    return control.dynamic_field is not None or "apiurl" in control.attributes
