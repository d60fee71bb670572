"""What there is to a project's gold questions, and what is to be done; nothing is written here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.results import Annotation
from sdk_scripts.gold.lifecycle import Retired, retired
from sdk_scripts.gold.plan import Person, Slots, items_of, plan_slots
from sdk_scripts.gold.questions import RETIRED, Question, kept_of, read_questions
from sdk_scripts.gold.scores import Score, scores
from sdk_scripts.gold.tasks import decision_regions

if TYPE_CHECKING:
    from ml_backend.cases import Case
    from ml_backend.labeling.arms import Arms
    from sdk_scripts.quality import Gold
    from sdk_scripts.sources import Dataset


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be done in Label Studio."""

    action: str
    """retire, place, decide, begin, serve, open or close."""
    task: int | None = None
    """Of the project; None where it has to be made."""
    case: int | None = None
    """In the library."""
    detail: str = ""
    overlap: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "task": self.task,
            "case": self.case,
            "detail": self.detail,
            "overlap": self.overlap,
        }


@dataclass(frozen=True)
class Look:
    project: Mapping[str, Any]
    dataset: Dataset
    """All of the project."""
    cases: Sequence[Case]
    gold: Gold
    arms: Arms
    now: datetime

    @cached_property
    def questions(self) -> list[Question]:
        found = read_questions(self.cases, self.dataset, self.now, near=self.gold.near)
        return [self._writable(it) for it in found]

    @cached_property
    def retired(self) -> list[Retired]:
        """Those to be retired now, and those whose retirement was cut short."""
        exposures = {it.id: self.exposures.get(it.task or 0, 0) for it in self.questions}
        usual = {name: median(seconds) for name, seconds in self._seconds.items()}
        half = [
            Retired(it, kept.why, kept.detail) for it in self.questions if (kept := kept_of(it.case)).half and kept.why
        ]
        return [*half, *retired(self.questions, exposures, usual, self.gold)]

    @cached_property
    def scores(self) -> list[Score]:
        out = {it.question.id for it in self.retired if it.why != "worn out"}
        return scores([it for it in self.questions if it.id not in out], self.gold, self.now)

    @cached_property
    def slots(self) -> Slots:
        gone = {it.question.id for it in self.retired}
        live = [it for it in self.questions if it.id not in gone]
        last = {task: max(times) for task, times in self._times.items()}
        return plan_slots(items_of(live, self.exposures, last), self.people, self.gold, self.arms, self.now)

    @cached_property
    def exposures(self) -> dict[int, int]:
        """Task -> annotators who have seen it since it is gold."""
        return {task: len(seen) for task, seen in self._seen.items()}

    @cached_property
    def people(self) -> list[Person]:
        """Those at work in the last `gold.days` days."""
        since = self.now - timedelta(days=self.gold.days)
        touched: defaultdict[str, set[int]] = defaultdict(set)
        labelled: defaultdict[str, set[int]] = defaultdict(set)
        active = set()
        for task, one in self._annotations():
            touched[one.annotator].add(task)
            if one.decided or not one.person:
                continue
            if (at := one.updated_at or one.created_at) and at >= since:
                active.add(one.person)
            if not one.cancelled:
                labelled[one.person].add(task)
        asked: defaultdict[str, set[int]] = defaultdict(set)
        for task, seen in self._seen.items():
            for name in seen:
                asked[name].add(task)
        return [
            Person(name, len(labelled[name] - asked[name]), frozenset(touched[name]), frozenset(asked[name]))
            for name in sorted(active)
        ]

    def library_steps(self) -> Iterator[Step]:
        """In the library, and in the tasks of new questions."""
        for it in self.retired:
            yield Step("retire", it.question.task, it.question.case.task, f"{it.why}: {it.detail}")
        for one in self.beginning:
            case = one.case.task
            if one.task is None:
                yield Step("place", None, case, "A task is made of its data, with the decision.")
            elif not one.decided:
                yield Step("decide", one.task, case, "The case's answer is written as the decision.")
            if one.since is None:
                yield Step("begin", one.task, case, "Answers count from now on.")

    @cached_property
    def beginning(self) -> list[Question]:
        gone = {it.question.id for it in self.retired}
        live = [it for it in self.questions if it.live and (it.task is None or it.id not in gone)]
        return [it for it in live if it.task is None or not it.decided or it.since is None]

    @property
    def managed(self) -> list[int]:
        """The tasks whose overlap is to be as the plan says."""
        ours = {it.task for it in self.questions if it.since and it.task and it.state not in RETIRED}
        retiring = {it.question.task for it in self.retired}
        return sorted((ours - retiring | self.slots.of.keys()) - {None})

    def queue_steps(self, stored: Mapping[int, Mapping[str, Any]]) -> Iterator[Step]:
        """`stored`: the managed tasks as Label Studio returns them."""
        one_each = int(self.project.get("maximum_annotations") or 1) <= 1
        if self.slots.of and one_each and not self.project.get("show_overlap_first"):
            why = "Tasks of a greater overlap come first (show_overlap_first), or the queue would not get to them."
            yield Step("serve", detail=why)
        for task in self.managed:
            if task not in stored:
                continue
            taken, is_open = taken_of(self.project, stored[task])
            slots = self.slots.of.get(task, 0)
            if slots and (stored[task]["overlap"] != taken + slots or not is_open):
                yield Step("open", task, detail=f"for {slots} more", overlap=taken + slots)
            elif not slots and is_open:
                yield Step("close", task, overlap=closed_overlap(self.project, stored[task]))

    def _writable(self, question: Question) -> Question:
        if question.live and not question.decided:
            try:
                decision_regions(self.dataset.config, question)
            except InputError as error:
                return replace(question, state="disputed", why=error.what)
        return question

    @cached_property
    def _seen(self) -> dict[int, set[str]]:
        since: dict[int, datetime] = {}
        for it in self.questions:
            if it.task is not None and it.since is not None:
                since[it.task] = min(it.since, since.get(it.task, it.since))
        tasks = {task.id: task for task in self.dataset.tasks if task.id in since}
        found: dict[int, set[str]] = {}
        for id, task in tasks.items():
            deciders = {it.annotator for it in task.annotations if it.decided}
            found[id] = {
                it.person
                for it in task.annotations
                if it.person
                and it.annotator not in deciders
                and (at := it.created_at or it.updated_at)
                and at >= since[id]
            }
        return found

    @cached_property
    def _times(self) -> dict[int, list[datetime]]:
        found: defaultdict[int, list[datetime]] = defaultdict(list)
        for it in self.questions:
            for answer in it.answers:
                found[it.task or 0].append(answer.at)
        return found

    @cached_property
    def _seconds(self) -> dict[str, list[float]]:
        found: defaultdict[str, list[float]] = defaultdict(list)
        for _, it in self._annotations():
            if it.person and not it.decided and not it.cancelled and it.lead_time and it.lead_time > 0:
                found[it.person].append(it.lead_time)
        return found

    def _annotations(self) -> Iterable[tuple[int, Annotation]]:
        return ((task.id, it) for task in self.dataset.tasks for it in task.annotations)


def taken_of(project: Mapping[str, Any], stored: Mapping[str, Any]) -> tuple[int, bool]:
    """How many annotations count against a task's overlap, and whether the queue serves it still."""
    given = stored["annotations"]
    skipped = sum(bool(it["was_cancelled"]) for it in given)
    counts = len(given) if project.get("skip_queue") == "IGNORE_SKIPPED" else len(given) - skipped
    return counts, not stored["is_labeled"] or stored["overlap"] > counts


def closed_overlap(project: Mapping[str, Any], stored: Mapping[str, Any]) -> int:
    """As tasks of the project have it, and no more than the annotations there are."""
    given = {str(it["completed_by"]) for it in stored["annotations"] if not it["was_cancelled"]}
    return max(1, min(int(project.get("maximum_annotations") or 1), len(given)))
