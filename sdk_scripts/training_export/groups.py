"""Which tasks are nearly the same, for a split that leaks nothing."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator
from typing import TYPE_CHECKING

from ml_backend.labeling.config import IMAGE_TAGS
from ml_backend.labeling.task_data import lookup
from sdk_scripts.same_texts import normal

if TYPE_CHECKING:
    from ml_backend.labeling.results import Task
    from sdk_scripts.evidence import Evidence


def groups_of(evidence: Evidence) -> dict[int, int]:
    """Task -> the lowest id of those that are nearly the same: by `Evidence.same_items`; where a control is about an
    image, by any image they share; tasks without text or image by all of their data. Of all tasks, labelled or not, so
    that labels change no group."""
    head: dict[int, int] = {task: task for task in evidence.tasks}
    first: dict[Hashable, int] = {}

    def root(task: int) -> int:
        while head[task] != task:
            head[task] = head[head[task]]
            task = head[task]
        return task

    for task, key in _keys(evidence):
        a, b = root(task), root(first.setdefault(key, task))
        head[max(a, b)] = min(a, b)
    return {task: root(task) for task in head}


def content_of(evidence: Evidence, task: int) -> str:
    """What a task holds, whatever its id: its text as near-duplicates are compared, its images, else its data."""
    text = normal(evidence.texts.get(task, ""))
    images = list(_images(evidence, evidence.tasks[task]))
    return json.dumps([text, images] if text or images else _data(evidence.tasks[task]), sort_keys=True, default=str)


def _keys(evidence: Evidence) -> Iterator[tuple[int, Hashable]]:
    items = evidence.same_items.select("task", "item").iter_rows()
    yield from ((task, ("item", item)) for task, item in items)
    about_images = any(IMAGE_TAGS & set(control.to_tags) for control in evidence.config.answerable)
    for id, task in evidence.tasks.items():
        images = list(_images(evidence, task))
        if about_images or id not in evidence.texts:
            yield from ((id, ("image", address)) for address in images)
        if not images and id not in evidence.texts:
            yield id, ("data", _data(task))


def _images(evidence: Evidence, task: Task) -> Iterable[str]:
    for source in evidence.config.sources:
        if source.tag.lower() in IMAGE_TAGS and source.field:
            value = lookup(task.data, source.field)
            yield from (str(it) for it in (value if isinstance(value, list) else [value]) if it)


def _data(task: Task) -> str:
    return json.dumps(dict(task.data), sort_keys=True, default=str)
