"""Which controls an annotator would see, given answers: `visibleWhen` of a config, applied."""

from __future__ import annotations

from collections.abc import Mapping

from ml_backend.labeling.config import PATH_SEPARATOR, Condition, Control, LabelConfig
from ml_backend.labeling.kinds import Answer, kind_of


def visible(config: LabelConfig, given: Mapping[str, Answer]) -> dict[str, Answer]:
    """The answers among these (control name -> answer) whose control is on the screen once they are given.

    A control is left out where its condition does not hold, or is of a kind that answers do not decide, such as
    `region-selected`; so is one whose condition is itself out of sight.
    """
    return {name: answer for name, answer in given.items() if _shown(config, config[name], given, frozenset())}


def _shown(config: LabelConfig, control: Control, given: Mapping[str, Answer], asking: frozenset[str]) -> bool:
    return all(_holds(config, condition, given, asking | {control.name}) for condition in control.visible_when)


def _holds(config: LabelConfig, condition: Condition, given: Mapping[str, Answer], asking: frozenset[str]) -> bool:
    name = condition.control
    if name not in given or name in asking or not _shown(config, config[name], given, asking):
        return False
    return not condition.values or bool(_called(config[name], given[name]).intersection(condition.values))


def _called(control: Control, answer: Answer) -> set[str]:
    """Every name under which a config may refer to the labels picked: value, alias, path."""
    kind = kind_of(control)
    names = set(kind.labels(answer)) if kind else set()
    for label in control.labels:
        if label.key in names or PATH_SEPARATOR.join(label.path) in names:
            names |= {label.key, label.text, label.path[-1]}
    return names
