"""The names by which rules.yaml and a standard may mean what somebody answered."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ml_backend.labeling.answers import regions_by_control
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.kinds import Region, kind_of
from ml_backend.labeling.results import Annotation
from sdk_scripts.standards import names_of

_KEPT = 100_000


class Names:
    """Of the answers to these controls, hidden ones too. What many people answered is looked at once."""

    def __init__(self, config: LabelConfig, controls: Collection[str]) -> None:
        self.config = config
        self.kinds = {it.name: kind for it in config.controls if it.name in controls and (kind := kind_of(it))}
        self._known: dict[str, frozenset[str]] = {}

    def of(self, annotation: Annotation) -> Mapping[str, frozenset[str]]:
        """Control -> names (`standards.names_of`); of a number, how it is written. Controls without an answer have
        none."""
        by_control = regions_by_control(self.config, annotation.regions)
        found = {name: self._of(name, by_control[name]) for name in self.kinds if name in by_control}
        return {name: names for name, names in found.items() if names}

    def _of(self, name: str, regions: list[Region]) -> frozenset[str]:
        key = f"{name} {[it.get('value') for it in regions]}" if len(regions) == 1 else ""
        if (known := self._known.get(key)) is not None:
            return known
        kind = self.kinds[name]
        answer = kind.read(self.config[name], regions)
        names = frozenset[str]()
        if answer is not None:
            names = names_of(kind.labels(answer)) or frozenset({kind.show(answer)})
        if key and len(self._known) < _KEPT:
            self._known[key] = names
        return names
