"""Annotation labels -> training labels, from one YAML file a project:

    sentiment:                   # a control
      labels:                    # annotation label: training label
        negative: bad            # rename
        awful: bad               # merge
        positive: good
      drop: [unclear]            # tasks with that label are left out
    topic:                       # a taxonomy, or nested choices
      level: 2                   # paths are cut to two levels
      labels: {Food: groceries}  # a branch stands for all below it that is not named itself
    stars:
      bins: [bad, 3, fine, 4, good]   # below 3, from 3 to below 4, from 4 on
    policy: same                 # every label is its own training label

Labels that are neither mapped nor dropped are refused. Stars, sides of a comparison, numbers and texts may be left out
of the file: they stay. Without a file, every label is its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from ml_backend.labeling.config import PATH_SEPARATOR, Control, LabelConfig
from ml_backend.labeling.errors import ConfigError
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.manifest_errors import reasons
from sdk_scripts.manifest_section import Section
from sdk_scripts.marked_yaml import MarkedYaml, YamlProblem, read_yaml
from sdk_scripts.training_export.mapping import FREE, ControlMapping, Unmapped, labels_of, own_labels

_NUMBERS = frozenset({"rating", "number"})
_NOT_IN_CONFIG = frozenset({"rating", "pairwise"})
"""Kinds whose labels are nobody's choice: not mentioned, they stay."""
_SHOWN = 5


class _Written(Section):
    """What the file says of a control."""

    labels: dict[str, str] = Field(default_factory=dict)
    drop: tuple[str, ...] = ()
    level: int | None = Field(default=None, ge=1, le=50)
    bins: tuple[str | int | float, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> _Written:
        if both := sorted(self.labels.keys() & set(self.drop)):
            raise ValueError(f"{both[0]!r} is mapped and dropped")
        if blank := [label for label, name in self.labels.items() if not name.strip()]:
            raise ValueError(f"{blank[0]!r} has an empty training label; to leave it out, name it in drop")
        names, cuts = self.bins[::2], self.bins[1::2]
        if self.bins and (
            len(self.bins) % 2 == 0
            or not all(isinstance(it, str) and it.strip() for it in names)
            or not all(isinstance(it, int | float) for it in cuts)
            or any(a >= b for a, b in pairwise(cuts))  # type: ignore[operator]  # numbers: see above
            or len(set(names)) < len(names)
        ):
            raise ValueError("bins must be names with rising numbers between them: [low, 3, high]")
        if self.bins and (self.labels or self.level):
            raise ValueError("bins go with neither labels nor level")
        return self


def read_mapping(path: Path, config: LabelConfig, controls: Iterable[Control]) -> dict[str, ControlMapping]:
    """The mapping of these controls. Raises ConfigError with everything that does not fit the label config."""
    try:
        marked = read_yaml(path.read_text("utf-8-sig"))
    except YamlProblem as problem:
        raise _unusable([f"{path}:{problem.line}: {problem.reason}"]) from None
    except UnicodeDecodeError:
        raise ConfigError(f"The mapping {path} is not UTF-8 text.", mend="Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"The mapping {path} cannot be read: {error.strerror}.", mend="Check the path.") from None
    if not isinstance(marked.data, dict):
        raise _unusable([f"{path}:1: must be a mapping (`control: …`)"])
    names = [control.name for control in config.answerable]
    found, wrong = (
        {},
        [
            f"{path}:{marked.line((name,))}: {name!r} is no control of the label config{_nearest(name, names)}"
            for name in marked.data
            if name not in names
        ],
    )
    for control in controls:
        made = _read(control, config, marked, path)
        if isinstance(made, ControlMapping):
            found[control.name] = made
            made = [
                f"{path}:{marked.line((control.name, *place))}: {control.name}: {why}" for place, why in _misfits(made)
            ]
        wrong += made
    if wrong:
        raise _unusable(wrong)
    return found


def unmapped(path: Path | None, mapping: ControlMapping, labels: Iterable[str]) -> list[str]:
    """A sentence for each label in the data that the mapping says nothing about."""
    return [
        f"{path}:{mapping.line}: {mapping.control.name}: the label {label!r} of the data is neither mapped nor dropped"
        f"{_nearest(label, list(mapping.labels))}"
        for label in sorted(set(labels))
    ]


def _unusable(wrong: list[str]) -> ConfigError:
    return ConfigError(
        "The mapping of labels cannot be used:",
        wrong,
        mend="Map each label (`labels:`), name it in `drop:`, or say `same` for a control whose labels stay.",
    )


def refuse(wrong: list[str]) -> None:
    """Raises ConfigError where there is something wrong."""
    if wrong:
        raise _unusable(wrong)


def _read(control: Control, config: LabelConfig, marked: MarkedYaml, path: Path) -> ControlMapping | list[str]:
    name, own = control.name, own_labels(config, control)
    if name not in marked.data:
        kind, listed = kind_of(control), labels_of(control, own)
        if not listed or (kind is not None and kind.name in _NOT_IN_CONFIG):
            return ControlMapping(control, own, same=True)
        shown = ", ".join(listed[:_SHOWN]) + (f", … ({len(listed)} labels)" if len(listed) > _SHOWN else "")
        return [f"{path}:1: {name}: the control is not mapped; its labels: {shown}"]
    line = marked.line((name,))
    if marked.data[name] == "same":
        return ControlMapping(control, own, same=True, line=line)
    part = MarkedYaml(marked.data[name], {place[1:]: at for place, at in marked.lines.items() if place[:1] == (name,)})
    try:
        said = _Written.model_validate(part.data)
    except ValidationError as error:
        return [it.replace(": ", f": {name}: ", 1) for it in reasons(error, part, path, _Written)]
    names, cuts = said.bins[::2], said.bins[1::2]
    return ControlMapping(
        control, own, said.labels, frozenset(said.drop), said.level, tuple(map(str, names)), tuple(map(float, cuts)),
        line=line,
    )  # fmt: skip


def _misfits(mapping: ControlMapping) -> Iterator[tuple[tuple[str | int, ...], str]]:
    control, kind = mapping.control, kind_of(mapping.control)
    known = labels_of(control, mapping.own)
    if mapping.bins:
        if kind is None or kind.name not in _NUMBERS:
            yield ("bins",), f"bins are for numbers and ratings, and this is a {control.tag}"
        for name in sorted(mapping.drop - set(mapping.bins)):
            yield ("drop",), f"{name!r} is no bin{_nearest(name, list(mapping.bins))}"
        return
    if kind is not None and kind.name in FREE and not mapping.same:
        yield (), f"a {control.tag} has no labels to map" + ("; give it bins" if kind.name == "number" else "")
        return
    if mapping.level is not None and not (control.nested or control.tag.lower() == "taxonomy"):
        yield ("level",), f"level is for taxonomies and nested choices, and this is a {control.tag}"
    branches = {PATH_SEPARATOR.join(label.path[:end]) for label in mapping.own for end in range(1, len(label.path) + 1)}
    named = {*known, *branches}
    if not control.open:
        for name in mapping.labels:
            if name not in named:
                yield ("labels", name), f"{name!r} is no label of the config{_nearest(name, sorted(named))}"
        for name in sorted(mapping.drop - named):
            yield ("drop",), f"{name!r} is no label of the config{_nearest(name, sorted(named))}"
    for label in known:
        try:
            mapping.training(label)
        except Unmapped:
            near = _nearest(label, [it for it in (*mapping.labels, *mapping.drop) if it not in known])
            yield (), f"the label {label!r} is neither mapped nor dropped{near}"


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f", did you mean {close[0]!r}?" if close else ""
