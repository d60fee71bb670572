"""What has to hold again after a fault, and what must never have broken."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from unittest.mock import patch

import redis

from ml_backend.labeling.errors import TiebreakError
from ml_backend.project_state import count_labels
from ml_backend.queues import MINING, TRAIN_QUEUE, WORK_QUEUE
from sdk_scripts.prelabel import open_run, prelabel_here
from sdk_scripts.resources.project import find_project
from sdk_scripts.stale_predictions import tidy
from tests.faults.scene import Scene

T = TypeVar("T")
UNTRAINED = "zero-shot-"
PUT_OFF_SECONDS = 600.0


@dataclass(frozen=True)
class Verdict:
    lost: int
    """Labels that Label Studio had acknowledged and has no more, or that no training has seen."""
    duplicates: int
    """Predictions of a version beyond the first of their task, and review tasks beyond the first of their seat."""
    asked_twice: int
    """Not among them: Label Studio asked the backend for a task that was opened in the moment of a push, and has two of
    its prediction; those that are still there when an hour has passed are among them."""
    wrong_versions: int
    """Answers by a version that was never live, or that had been replaced already."""
    labels: int
    reviews: int
    silent: float
    """The longest time without an answer to /predict, in seconds."""
    problems: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        return not (self.lost or self.duplicates or self.wrong_versions or self.problems)


def unsettled(scene: Scene) -> str:
    """What is still to come; "" once everything holds: a version answers that is live, every label was there when the
    last training began, no job is left, and every task has that version's prediction."""
    try:
        return _unsettled(scene)
    except (redis.RedisError, TiebreakError) as error:
        return f"{type(error).__name__}: {error}"


def _unsettled(scene: Scene) -> str:
    scene.note_promoted()
    live, answering = scene.registry.live(scene.key), scene.predict()
    if not live or answering != live:
        return f"{answering or 'nothing'} answers, {live} is live"
    state, stored = scene.jobs.state(scene.key), scene.estate.studio.project(scene.project)
    last, labels = state.last(), count_labels(stored)
    if state.pending().labels or state.is_training() or last is None or not last.settled or last.labels != labels:
        return f"of {labels} labels the last training saw {last}, {state.pending().labels} wait"
    if scene.jobs.changes(MINING, scene.key).pending().labels:
        return "hard cases are still to be looked for"
    if left := _jobs_left(scene):
        return f"jobs are left: {', '.join(left)}"
    lack = scene.estate.studio.count_without(scene.project, live)
    if lack or stored["model_version"] != live:
        return f"{lack} tasks lack {live}, and {stored['model_version']} is shown"
    return ""


def _jobs_left(scene: Scene) -> list[str]:
    """Ids of the project's jobs that wait or run. One that a clock that was ahead has put off for long is left out:
    what it was to do is done by another, or the labels would show it."""
    left: list[bytes] = []
    for name in (TRAIN_QUEUE, WORK_QUEUE):
        queue, connection = scene.jobs.queue(name), scene.jobs.redis
        left += connection.lrange(queue.key, 0, -1)
        left += connection.zrange(queue.started_job_registry.key, 0, -1)
        left += connection.zrangebyscore(queue.scheduled_job_registry.key, 0, time.time() + PUT_OFF_SECONDS)
    return [job for job in map(bytes.decode, left) if scene.key.replace(".", "_") in job]


def judge(scene: Scene, *, may_go_back: bool = False) -> Verdict:
    """Everything is read from Label Studio and the registry, when all has settled. `may_go_back`: the fault took the
    live version away, so that a former one may have answered."""
    studio = scene.estate.studio
    scene.note_promoted()
    tasks = list(studio.tasks(scene.project))
    there = {annotation["id"] for task in tasks for annotation in task["annotations"]}
    last = scene.jobs.state(scene.key).last()
    counted = last.labels if last and last.settled else 0
    problems = list(scene.problems)
    if retrained := _trains_again(scene):
        problems.append(retrained)
    doubled = _doubled(tasks)
    asked_twice = {it: n for it, n in doubled.items() if n <= scene.opened[it[0]]}
    duplicates = doubled.total() - sum(asked_twice.values())
    if asked_twice:
        _hour_passes(scene)
        left = _doubled(studio.tasks(scene.project))
        duplicates += sum(left[it] for it in asked_twice)
    reviews = _reviews(scene)
    return Verdict(
        lost=len(scene.acknowledged - there) + max(len(there) - counted, 0),
        duplicates=duplicates + _beyond_first(reviews).total(),
        asked_twice=sum(asked_twice.values()),
        wrong_versions=_wrong(scene, may_go_back),
        labels=len(there),
        reviews=len(reviews),
        silent=_silence(scene),
        problems=tuple(problems),
    )


def _doubled(tasks: Iterable[dict[str, Any]]) -> Counter[tuple[int, str]]:
    return _beyond_first((task["id"], it["model_version"]) for task in tasks for it in task["predictions"])


def _hour_passes(scene: Scene) -> None:
    """What may be on a screen stays for an hour; then a pre-labeling deletes the second one."""
    with (
        patch("sdk_scripts.prelabel.ON_SCREEN_SECONDS", 0),
        patch("sdk_scripts.stale_predictions.ON_SCREEN_SECONDS", 0),
    ):
        run = open_run(scene.estate.direct, scene.project, scene.jobs, studio=scene.estate.studio)
        prelabel_here(scene.jobs, run)
        tidy(run, seconds=120)


def _trains_again(scene: Scene) -> str:
    """The same labels lead to the version they led to before: if one more training makes another, some were missing."""
    before = {info.version for info in scene.registry.versions(scene.key)}
    found = scene.jobs.wait(scene.jobs.request_training(scene.key, scene.project))
    return "" if found["version"] in before else f"{found['version']} was made of labels that no training had taken"


def _reviews(scene: Scene) -> list[tuple[Any, ...]]:
    project = review_project(scene)
    tasks = scene.estate.studio.tasks(project, data_only=True) if project is not None else ()
    seats = ("source_project", "source_task", "control", "round", "seat")
    return [tuple(task["data"][name] for name in seats) for task in tasks]


def review_project(scene: Scene) -> int | None:
    found = find_project(scene.estate.studio.projects(), f"hard-cases-of-{scene.project}")
    return int(found["id"]) if found else None


def _beyond_first(things: Iterable[T]) -> Counter[T]:
    return Counter({it: n - 1 for it, n in Counter(things).items() if n > 1})


def _wrong(scene: Scene, may_go_back: bool) -> int:
    wrong, highest = 0, -1
    for _, version in scene.served:
        if not version:
            continue
        place = scene.promoted.index(version) if version in scene.promoted else -1
        never_live = place < 0 and not version.startswith(UNTRAINED)
        wrong += never_live or (place < highest and not may_go_back)
        highest = max(highest, place)
    return wrong


def _silence(scene: Scene) -> float:
    longest, last = 0.0, scene.served[0][0] if scene.served else 0.0
    for at, version in scene.served:
        if version:
            longest, last = max(longest, at - last), at
    return longest
