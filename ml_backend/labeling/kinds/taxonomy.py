"""Taxonomy: labels in a tree, picked with their ancestors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ml_backend.labeling.config import PATH_SEPARATOR, Control
from ml_backend.labeling.errors import InputError, UnknownName
from ml_backend.labeling.kinds import Region, canonical, one_line, region, register, string, values

Path = tuple[str, ...]


@register("taxonomy")
class Taxonomy:
    """Paths, ancestors first: `(("Food", "Fruit"), ("Food", "Fish"))`. Aliases stand where the config has them."""

    tags = ("Taxonomy",)
    scale = "distance"

    def read(self, control: Control, regions: Sequence[Region]) -> tuple[Path, ...] | None:
        found: set[Path] = set()
        for value in values(regions):
            paths = value.get("taxonomy")
            for path in paths if isinstance(paths, list) else ():
                parts = tuple(string(part) or "" for part in (path if isinstance(path, list) else [path]))
                if parts and all(parts):
                    found.add(parts)
        return self._ordered(control, found) if found else None

    def write(self, control: Control, answer: tuple[Path, ...]) -> list[dict[str, Any]]:
        if not answer or not all(answer):
            raise InputError(f"An answer to {control.name!r} needs a path.", mend="Leave the control out instead.")
        known = {label.path for label in control.labels}
        for path in answer:
            if path not in known and not control.open:
                raise UnknownName(
                    f"path of {control.name!r}",
                    PATH_SEPARATOR.join(path),
                    [PATH_SEPARATOR.join(it) for it in known],
                    mend="A path starts at the top of the tree and holds aliases where the config has them.",
                )
        return [region(control, {"taxonomy": [list(path) for path in answer]})]

    def key(self, answer: tuple[Path, ...]) -> str:
        return canonical(answer)

    def from_key(self, key: str) -> tuple[Path, ...]:
        return tuple(tuple(path) for path in json.loads(key))

    def distance(self, a: tuple[Path, ...], b: tuple[Path, ...]) -> float:
        """1 − the mean, over the paths of both, of the likeness to the best match on the other side; the likeness of
        two paths is twice their shared ancestors (themselves included) over the sum of their lengths (Wu & Palmer
        1994)."""
        if a == b:
            return 0.0
        matches = [max((_likeness(path, other) for other in b), default=0.0) for path in a]
        matches += [max((_likeness(path, other) for other in a), default=0.0) for path in b]
        return 1 - sum(sorted(matches)) / len(matches)

    def labels(self, answer: tuple[Path, ...]) -> tuple[str, ...]:
        return tuple(PATH_SEPARATOR.join(path) for path in answer)

    def show(self, answer: tuple[Path, ...]) -> str:
        return one_line(", ".join(self.labels(answer)))

    def example(self, control: Control) -> tuple[Path, ...]:
        paths = [label.path for label in control.labels]
        return (max(paths, key=len),) if paths else (("label",),)

    def _ordered(self, control: Control, paths: set[Path]) -> tuple[Path, ...]:
        if len(paths) < 2:
            return tuple(paths)
        rank = {label.path: position for position, label in enumerate(control.labels)}
        return tuple(sorted(paths, key=lambda path: (rank.get(path, len(rank)), path)))


def _likeness(a: Path, b: Path) -> float:
    shared = 0
    for left, right in zip(a, b, strict=False):
        if left != right:
            break
        shared += 1
    return 2 * shared / (len(a) + len(b))
