"""The review project of a source project: made as code, filled without ever doubling a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.errors import InputError
from ml_backend.studio.stored_predictions import NOT_BEGUN
from ml_backend.studio.tasks import IDS_A_CALL, condition
from sdk_scripts import wording
from sdk_scripts.alone import alone
from sdk_scripts.manifest import Manifest, load_manifest
from sdk_scripts.manifest_schema import Filter, View, Webhook
from sdk_scripts.marks import read_mark
from sdk_scripts.resources.project import find_project
from sdk_scripts.review_plan import ReviewPlan, doubles, to_take_back, twice
from sdk_scripts.reviewers import reviewer_of
from sdk_scripts.standards import Standard
from sdk_scripts.sync import sync_manifests

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio
    from sdk_scripts.sources import Dataset

MANIFEST = Path(__file__).parents[1] / "label_configs" / "hard_case_review" / "project.yaml"
MAX_TITLE = 50
"""Label Studio's limit."""

UNDECIDED = condition("total_annotations", "equal", 0, "Number")
"""Skips do not count."""

QUEUE_OF = "Queue of "
ANYBODY = "Anybody"

_NAME = "hard-cases-of-"
_SUFFIX = " – hard cases"


@dataclass(frozen=True)
class Pushed:
    """What became of the hard cases; of a dry run, what would."""

    project: int | None
    """The review project; None where there is none yet."""
    plan: ReviewPlan
    expired: int = 0
    """Review tasks that were taken back, because they were too old or their reviewer is no longer named."""
    doubled: tuple[str, ...] = ()
    """Reviewers of the seats that another machine had made at the same time; those review tasks are deleted again."""
    applied: bool = True
    url: str = ""

    @property
    def created(self) -> int:
        """Review tasks, one a seat."""
        return sum(self.by_reviewer.values())

    @property
    def by_reviewer(self) -> dict[str, int]:
        """Review tasks by e-mail; "" are those for anybody."""
        seats = Counter(seat.reviewer for _, seat in (*self.plan.more, *self.plan.new))
        seats.subtract(self.doubled)
        return {who: n for who, n in sorted(seats.items()) if n > 0}

    @property
    def existing(self) -> int:
        """Cases among the hardest that had their review tasks already, decided or not."""
        return self.plan.existing

    def to_json(self) -> dict[str, Any]:
        return {
            "applied": self.applied,
            "created": self.created,
            "existing": self.existing,
            "project": self.project,
            "url": self.url,
            "by_reviewer": self.by_reviewer,
            "unplaced": [{"task": one.case.task, "why": one.reason} for one in self.plan.unplaced],
            "one_more": [one.to_json() for one in self.plan.one_more],
            "too_few": self.plan.too_few,
            "expired": self.expired,
        }


@dataclass(frozen=True)
class ReviewProject:
    """The review project of a source project, on one Label Studio."""

    studio: Studio
    source: Mapping[str, Any]
    """The source project as the API returns it."""
    standard: Standard
    settings: Settings

    def find(self) -> int | None:
        """Its id, or None where it is not made yet."""
        found = find_project(self.studio.projects(), self.name)
        return int(found["id"]) if found else None

    @property
    def name(self) -> str:
        return f"{_NAME}{self.source['id']}"

    def sync(self) -> int:
        """Make it, or bring it up to date: label config, instructions, and a view for each reviewer's queue."""
        manifest = _manifest(self.source, self.standard)
        if current := find_project(self.studio.projects(), manifest.name):  # people may have renamed it
            manifest = _retitled(manifest, str(current["title"]))
        made = sync_manifests([manifest], self.settings, studio=self.studio, apply=True, prune=True)
        return made.projects[manifest.name]

    def tasks(self, about: Collection[int] | None = None, day: datetime | None = None) -> list[dict[str, Any]]:
        """In full, in order of id; empty where there is no project.

        With `about`, those of these source tasks, the undecided ones, and those made on that `day` (UTC): all that
        placing these cases depends on, at a cost that does not grow with what was decided before.
        """
        project = self.find()
        if project is None:
            return []
        if about is None:
            return list(self.studio.tasks(project))
        found = {task["id"]: task for task in self.studio.tasks(project, where=[UNDECIDED])}
        if day is not None:
            midnight = day.astimezone(UTC).strftime("%Y-%m-%dT00:00:00.000000Z")
            since = condition("created_at", "greater", midnight, "Datetime")
            found |= {task["id"]: task for task in self.studio.tasks(project, where=[since])}
        wanted = sorted(about)
        for start in range(0, len(wanted), IDS_A_CALL):
            some = condition("data.source_task", "in_list", wanted[start : start + IDS_A_CALL], "List")
            found |= {task["id"]: task for task in self.studio.tasks(project, where=[some])}
        return [found[id] for id in sorted(found)]

    def take_back(self, tasks: Sequence[Mapping[str, Any]], now: datetime) -> set[int]:
        """Delete those of the project's tasks that `review_plan.to_take_back` says; returns their ids."""
        project = self.find()
        old = to_take_back(tasks, self.standard, now)
        if project is None or not old:
            return set()
        fresh = to_take_back(self.studio.tasks(project, ids=old, where=[NOT_BEGUN]), self.standard, now)
        self.studio.delete_tasks(project, fresh)
        return set(fresh)

    def add(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        """Import review tasks. Those that another machine made meanwhile are deleted again; returns their reviewers."""
        if not tasks:
            return ()
        self.studio.import_tasks(project, tasks)
        there = self.tasks({task["data"]["source_task"] for task in tasks})
        several = set(twice(there, self.source["id"]))
        younger = doubles(task for task in there if task["id"] in several)
        gone = list(self.studio.tasks(project, ids=[task["id"] for task in younger], where=[NOT_BEGUN]))
        self.studio.delete_tasks(project, [task["id"] for task in gone])
        return tuple(reviewer_of(task["data"]) for task in gone)

    def alone(self) -> AbstractContextManager[None]:
        """While nobody else on this machine pushes to it. Raises InputError where that takes too long."""
        return alone(self.settings, self.name)


def review_source(dataset: Dataset) -> tuple[Studio, dict[str, Any]]:
    """The project that review tasks of a dataset refer to. Raises InputError where there can be none."""
    if dataset.studio is None or dataset.project is None:
        raise InputError(
            f"{dataset.name} is a file; review tasks need a project of Label Studio to refer to.",
            mend="Give the project's id or its project.yaml instead, or leave --apply out.",
        )
    if source := is_review_project(dataset.project):
        raise InputError(
            f"Project {dataset.project['id']} holds the hard cases of another project.",
            mend=f"Give that project instead: {source}.",
        )
    return dataset.studio, dataset.project


def is_review_project(project: Mapping[str, Any]) -> str:
    """The id of the source project, as its review project's mark has it; "" for other projects."""
    mark = read_mark(project.get("description"))
    return mark.name.removeprefix(_NAME) if mark is not None and mark.name.startswith(_NAME) else ""


def _manifest(source: Mapping[str, Any], standard: Standard) -> Manifest:
    """The review project's manifest with this source's name and title, and its reviewers' queues."""
    manifest = load_manifest(MANIFEST)
    title = wording.short(str(source.get("title") or f"Project {source['id']}"), MAX_TITLE - len(_SUFFIX)) + _SUFFIX
    about = f"{manifest.project.description or ''}\nThe source is project {source['id']}.".strip()
    hardest = manifest.project.views[0]
    fields = {
        "name": f"{_NAME}{source['id']}",
        "description": about,
        "views": (*manifest.project.views, *queues(hardest, standard)),
        "webhook": Webhook.model_validate({}) if standard.automatic else None,
    }
    return _retitled(replace(manifest, project=manifest.project.model_copy(update=fields)), title)


def queues(hardest: View, standard: Standard) -> list[View]:
    """A view of what each reviewer has neither decided nor skipped, and one of what is undecided and for anybody; none
    where nobody is named.

    Label Studio Community has no assignment: "Label Tasks As Displayed" in a view serves its tasks only, but nothing
    stops a reviewer from opening another one.
    """
    if not standard.reviewers:
        return []
    undecided = Filter(column="total_annotations", operator="equal", value=0)
    not_skipped = Filter(column="cancelled_annotations", operator="equal", value=0)  # it is given to somebody else
    found: list[tuple[str, tuple[Filter, ...]]] = [
        (QUEUE_OF + one.email, (_for(operator="equal", value=one.email), undecided, not_skipped))
        for one in sorted(standard.reviewers, key=lambda one: one.email)
    ]
    found.append((ANYBODY, (_for(operator="empty", value=True, type="String"), undecided)))
    return [hardest.model_copy(update={"title": title, "filters": filters}) for title, filters in found]


def _for(**whom: Any) -> Filter:
    return Filter(column="data.reviewer", **whom)


def _retitled(manifest: Manifest, title: str) -> Manifest:
    return replace(manifest, project=manifest.project.model_copy(update={"title": title}))
