"""Annotation labels -> training labels, for one control (`mapping_file` reads them)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

from ml_backend.labeling.config import PATH_SEPARATOR, Control, Label, LabelConfig
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.labeling.kinds.pairwise import SIDES
from ml_backend.labeling.kinds.rating import most_stars

FREE = frozenset({"text", "number"})


class Unmapped(Exception):
    """An annotation label that the mapping says nothing about."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label


@dataclass(frozen=True)
class ControlMapping:
    """One control's. `labels` and `drop` have annotation labels, or branches of them, as `Kind.labels` names them."""

    control: Control
    own: tuple[Label, ...] = ()
    """See `own_labels`."""
    labels: Mapping[str, str] = field(default_factory=dict)
    drop: frozenset[str] = frozenset()
    level: int | None = None
    bins: tuple[str, ...] = ()
    cuts: tuple[float, ...] = ()
    """One fewer than `bins`: a number on a cut belongs to the bin above."""
    same: bool = False
    line: int = 1

    def training(self, label: str) -> str | None:
        """The training label of an annotation label; None where it is dropped. Raises Unmapped."""
        if label not in self._known:
            self._known[label] = self._training(label)
        found = self._known[label]
        if found is Unmapped:
            raise Unmapped(label)
        return found

    def of(self, labels: Iterable[str]) -> tuple[str, ...]:
        """The training labels of an answer's labels, each once, in their order; empty where all are dropped."""
        found = (self.training(label) for label in labels)
        return tuple(sorted({it for it in found if it is not None}, key=self._place))

    def of_answer(self, answer: Answer) -> tuple[str, ...]:
        """The same of an answer of the control. A number has one only where there are bins."""
        kind = kind_of(self.control)
        if self.bins:
            name = self.bins[bisect_right(self.cuts, float(answer))]  # type: ignore[arg-type]  # see `read_mapping`
            return () if name in self.drop else (name,)
        return self.of(kind.labels(answer)) if kind else ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The training labels: in the file's order, then in the config's."""
        if self.bins:
            return tuple(name for name in self.bins if name not in self.drop)
        found = dict.fromkeys(self.labels.values())
        for label in labels_of(self.control, self.own):
            try:
                found.setdefault(self.training(label) or "")
            except Unmapped:
                continue
        return tuple(name for name in found if name)

    @cached_property
    def table(self) -> tuple[tuple[str, str], ...]:
        """(annotation label, training label; empty where dropped) for the config's labels and the bins."""
        if self.bins:
            edges = ["", *(f"{cut:g}" for cut in self.cuts), ""]
            said = ((name, *between) for name, between in zip(self.bins, pairwise(edges), strict=True))
            return tuple(
                (" ".join(filter(None, (low and f"from {low}", high and f"below {high}"))) or "all", self._kept(name))
                for name, low, high in said
            )
        return tuple((label, self.training(label) or "") for label in labels_of(self.control, self.own))

    def _kept(self, name: str) -> str:
        return "" if name in self.drop else name

    @cached_property
    def _known(self) -> dict[str, Any]:
        return {}

    def _place(self, name: str) -> tuple[int, str]:
        return (self._places.get(name, len(self._places)), name)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    def _training(self, label: str) -> Any:
        path = self._path(label)
        branches = [PATH_SEPARATOR.join(path[:end]) for end in range(len(path), 0, -1)]
        for name in (label, *branches):
            if name in self.drop:
                return None
            if name in self.labels:
                return self.labels[name]
        if self.level is not None:
            return PATH_SEPARATOR.join(path[: self.level])
        return label if self.same else Unmapped

    def _path(self, label: str) -> tuple[str, ...]:
        known = self._paths.get(label)
        nested = self.control.nested or self.control.tag.lower() == "taxonomy"
        return known or (tuple(label.split(PATH_SEPARATOR)) if nested else (label,))

    @cached_property
    def _paths(self) -> dict[str, tuple[str, ...]]:
        if self.control.tag.lower() == "taxonomy":
            return {PATH_SEPARATOR.join(label.path): label.path for label in self.own}
        return {label.key: label.path for label in self.own} if self.control.nested else {}


def labels_of(control: Control, own: Iterable[Label]) -> list[str]:
    """Every annotation label that the config lets people give, as `Kind.labels` names it; none for free answers."""
    kind = kind_of(control)
    if kind is None or kind.name in FREE:
        return []
    if kind.name == "rating":
        return [str(stars) for stars in range(1, most_stars(control) + 1)]
    if kind.name == "pairwise":
        return list(SIDES[:2])
    own = [label for label in own if not label.text.startswith("$")]
    inner = {label.path[:end] for label in own for end in range(1, len(label.path))}
    if kind.name == "taxonomy":
        given = [label for label in own if not (control.flag("leafsonly") and label.path in inner)]
        return list(dict.fromkeys(PATH_SEPARATOR.join(label.path) for label in given))
    return list(dict.fromkeys(label.key for label in own if not (control.nested and label.path in inner)))


def same(config: LabelConfig, control: Control) -> ControlMapping:
    """Every label is its own training label."""
    return ControlMapping(control, own_labels(config, control), same=True)


def own_labels(config: LabelConfig, control: Control) -> tuple[Label, ...]:
    """The config's labels of a control: its own, or those of the `<Labels>` beside a `<Rectangle>`."""
    beside = config.labels_beside.get(control.name)
    return control.labels if beside is None else beside.labels
