"""The answers in a `result` list, and the list of answers.

Reading forgives (a malformed region is as good as none), writing does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ml_backend.labeling.config import PATH_SEPARATOR, Condition, Control, Label, LabelConfig, unambiguous
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import Answer, Region, kind_of, label_of, region, string
from ml_backend.labeling.task_data import MAX_DEPTH, lookup, plain


def answers(config: LabelConfig, regions: Iterable[Region], *, hidden: bool = False) -> dict[str, Answer]:
    """What a `result` list answers: control name -> answer.

    Controls asked per region have no answer of their own, and a control that the other answers hide (`visibleWhen`)
    has none, whatever the regions say: nobody saw the question. With `hidden` it has: a decision answers one control
    alone.
    """
    by_control = regions_by_control(config, regions)
    found: dict[str, Answer] = {}
    for control in config.answerable:
        if control.name not in by_control or (kind := kind_of(control)) is None:
            continue
        answer = kind.read(control, by_control[control.name])
        if answer is not None:
            found[control.name] = answer
    return found if hidden else on_screen(config, found)


def regions_by_control(config: LabelConfig, regions: Iterable[Region]) -> dict[str, list[Region]]:
    """Regions by the control they answer. A `<Rectangle>` gets the labels that a `<Labels>` control gave the same
    region, which Label Studio stores as two regions with one id."""
    by_control: dict[str, list[Region]] = {}
    for item in regions:
        if isinstance(item, Mapping) and isinstance(name := item.get("from_name"), str):
            by_control.setdefault(name, []).append(item)
    for drawn, companion in config.labels_beside.items():
        if drawn not in by_control:
            continue
        labels = {
            item["id"]: item["value"]["labels"]
            for item in by_control.get(companion.name, ())
            if isinstance(item.get("id"), str) and isinstance(item.get("value"), Mapping) and "labels" in item["value"]
        }
        by_control[drawn] = [
            {**item, "value": {"labels": labels[item["id"]], **item["value"]}}
            if isinstance(item.get("value"), Mapping) and isinstance(item.get("id"), str) and item["id"] in labels
            else item
            for item in by_control[drawn]
        ]
    return by_control


def write_answers(
    config: LabelConfig, given: Mapping[str, Answer], scores: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Answers as a `result` list; each region carries its control's score (in [0, 1]) where there is one. Raises
    InputError for an answer that its control cannot hold, UnknownName for a control the config does not have."""
    regions: list[dict[str, Any]] = []
    for name, answer in given.items():
        control = config[name]
        kind = kind_of(control)
        if kind is None:
            raise InputError(
                f"Nothing can write an answer to <{control.tag} name={name!r}>.", mend="Leave the control out."
            )
        companion = config.labels_beside.get(name)
        for item in kind.write(control, answer):
            item.setdefault("id", f"{name}-{len(regions)}")
            if scores and name in scores:
                item["score"] = round(float(scores[name]), 6)
            regions.append(item)
            if companion is not None and (labels := item["value"].pop("labels", None)):
                labels = [label_of(companion, label).path[-1] for label in labels]
                regions.append(
                    {**item, **region(companion, {**item["value"], "labels": labels}, to_name=item["to_name"])}
                )
    return regions


def on_screen(config: LabelConfig, given: Mapping[str, Answer], *, when_unknown: bool = True) -> dict[str, Answer]:
    """The answers among these (control name -> answer) whose control is on the screen once they are given: whose
    conditions (`visibleWhen`) hold by answers that are themselves on it.

    `when_unknown` says whether a condition holds that answers do not decide, such as `region-selected`.
    """
    shown: set[str] = set()
    while new := [
        name
        for name in given
        if name not in shown and all(_holds(config, it, given, shown, when_unknown) for it in config[name].visible_when)
    ]:
        shown.update(new)  # which may bring those on the screen that depend on it
    return {name: answer for name, answer in given.items() if name in shown}


def _holds(
    config: LabelConfig, condition: Condition, given: Mapping[str, Answer], shown: set[str], when_unknown: bool
) -> bool:
    asked = next((control for control in config.answerable if control.name == condition.control), None)
    kind = kind_of(asked) if asked else None
    if asked is None or kind is None:
        return when_unknown
    if asked.name not in shown:
        return False
    wanted = set(condition.values)
    same = [label for label in asked.labels if wanted & {label.text, label.path[-1]}]
    wanted |= {label.key for label in same} | {PATH_SEPARATOR.join(label.path) for label in same}
    return not wanted or not wanted.isdisjoint(kind.labels(given[asked.name]))


def with_task_labels(control: Control, data: Mapping[str, Any]) -> Control:
    """The control as a task's annotator sees it: with the labels its task data brings (`value="$field"`: a list of
    objects with value, alias, hint, hotkey and children), and with `<Choice value="$field">` filled in."""
    if not control.open:
        return control
    labels = []
    for label in control.labels:
        words = _from_data(label.text, data)
        path = label.path if label.path[-1] != label.text else (*label.path[:-1], words)
        labels.append(replace(label, path=path, text=words, key="") if words else label)
    if control.dynamic_field is not None:
        labels += _task_labels(lookup(data, control.dynamic_field), ())
    return replace(control, labels=unambiguous(tuple(labels)))


def _task_labels(items: Any, above: tuple[str, ...]) -> Iterator[Label]:
    for item in items if isinstance(items, list) and len(above) < MAX_DEPTH else ():
        if not isinstance(item, Mapping):
            continue
        words = string(item.get("value")) or string(item.get("alias"))
        if words:
            path = (*above, string(item.get("alias")) or words)
            yield Label(path, words, string(item.get("hint")) or "", string(item.get("hotkey")) or "")
            yield from _task_labels(item.get("children"), path)


def _from_data(words: str, data: Mapping[str, Any]) -> str:
    return plain(lookup(data, words[1:])) if words.startswith("$") else words
