"""`tiebreak gold`: gold questions are kept coming, annotators are scored by them, and those that have had their day are
retired.

Everything is read from Label Studio anew, so it can be run by hand, by workers, and again where it was cut short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ml_backend.cases import all_cases, libraries_of
from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import InputError
from sdk_scripts.case_edits import promote
from sdk_scripts.case_project import library_alone
from sdk_scripts.gold.lifecycle import Retired
from sdk_scripts.gold.look import Look, Step, closed_overlap
from sdk_scripts.gold.plan import Slots
from sdk_scripts.gold.questions import Question, kept_of
from sdk_scripts.gold.scores import Score
from sdk_scripts.gold.tasks import decide, keep, place
from sdk_scripts.quality import quality_of

if TYPE_CHECKING:
    from ml_backend.cases import Case
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio
    from sdk_scripts.sources import Dataset

Report = Callable[[str], object]

NO_GOLD = "No case is gold: `tiebreak cases promote … --to gold` makes one so."
GUESSABLE = "Without TIEBREAK_POLICY_SECRET anybody could work out which question comes when."
SIGNAL = "gold"
"""What review tasks of contested questions say asked for them."""


@dataclass(frozen=True)
class Tended:
    """What there is to gold, and what was done, or would be."""

    applied: bool
    questions: tuple[Question, ...] = ()
    exposures: Mapping[int, int] = field(default_factory=dict)
    """Task -> annotators who have seen it since it is gold."""
    retired: tuple[Retired, ...] = ()
    """In this run."""
    scores: tuple[Score, ...] = ()
    slots: Slots = field(default_factory=Slots)
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def pending(self) -> bool:
        return bool(self.steps) and not self.applied

    @property
    def failed(self) -> tuple[Score, ...]:
        return tuple(it for it in self.scores if it.verdict == "failed")

    def to_json(self) -> dict[str, Any]:
        return {
            "questions": [self._question(it) for it in self.questions],
            "annotators": [it.to_json() for it in self.scores],
            "retired": [it.to_json() for it in self.retired],
            "short": dict(self.slots.short),
            "changes": [it.to_json() for it in self.steps],
            "notes": list(self.notes),
            "applied": self.applied,
        }

    def _question(self, it: Question) -> dict[str, Any]:
        task = it.task or 0
        return {
            "case": it.case.task,
            "control": it.case.control,
            "task": it.task,
            "state": it.state,
            "why": it.why,
            "key": it.key,
            "severity": it.severity,
            "since": it.since.isoformat() if it.since else None,
            "exposures": self.exposures.get(task, 0),
            "last": it.answers[-1].at.isoformat() if it.answers else None,
            "asked": len(it.answers),
            "right": sum(answer.right for answer in it.answers),
            "open_for": self.slots.of.get(task, 0),
            "first": it.task in self.slots.first,
        }


def tend_gold(
    studio: Studio,
    project: Mapping[str, Any],
    settings: Settings,
    *,
    apply: bool = False,
    dataset: Dataset | None = None,
    now: datetime | None = None,
    report: Report = lambda message: None,
) -> Tended:
    """Score, retire, and open what is due, by the project's `quality.gold`; without `apply`, say what would be done.

    `project` as Label Studio's API returns it; `dataset` is all of it, where it has been read already. A second run
    changes nothing until somebody has labelled. Raises ConfigError for settings that cannot be read, InputError where
    somebody else is changing the library, StudioError.
    """
    gold, now = quality_of(project).gold, now or datetime.now(UTC)
    config = parse(str(project["label_config"]))
    cases = all_cases(studio, project, config) if libraries_of(studio.projects(), project) else []
    if not any(_concerns(case) for case in cases):
        return Tended(apply, notes=(NO_GOLD,))
    if dataset is None:
        from sdk_scripts.sources import read_project

        dataset = read_project(studio, project, settings)
    with library_alone(settings, project) if apply else nullcontext():
        first = look = Look(project, dataset, cases, gold, studio.arms, now)
        steps = list(look.library_steps())
        if apply and steps:
            dataset = _Doing(studio, project, settings, look, report).library()
            look = Look(project, dataset, all_cases(studio, project, config), gold, studio.arms, now)
        stored = {task["id"]: task for task in studio.tasks(project["id"], ids=look.managed)}
        queue = list(look.queue_steps(stored))
        if apply:
            _serve(studio, project, queue)
    for name, missing in look.slots.short.items():
        report(f"{name} has seen too little gold, and {missing} questions are missing that are new to them.")
    return Tended(
        applied=apply,
        questions=tuple(look.questions),
        exposures=look.exposures,
        retired=tuple(first.retired),
        scores=tuple(look.scores),
        slots=look.slots,
        steps=(*steps, *queue),
        notes=() if settings.policy_secret.get_secret_value() else (GUESSABLE,),
    )


def _concerns(case: Case) -> bool:
    return "gold" in case.uses or bool(kept_of(case).why)


def _serve(studio: Studio, project: Mapping[str, Any], steps: Iterable[Step]) -> None:
    for step in steps:
        if step.action == "serve":
            studio.update_project(project["id"], {"show_overlap_first": True})
        elif step.task is not None and step.overlap is not None:
            studio.set_overlap(step.task, step.overlap)


@dataclass(frozen=True)
class _Doing:
    studio: Studio
    project: Mapping[str, Any]
    settings: Settings
    look: Look
    report: Report

    def library(self) -> Dataset:
        """Does what `Look.library_steps` say; returns the dataset with the tasks that have changed."""
        dataset, changed = self.look.dataset, set[int]()
        for it in self.look.retired:
            self._retire(it)
        placed: dict[tuple[int, int], int] = {}
        for question in self.look.beginning:
            of_library = (question.case.project, question.case.task)
            task = question.task or placed.get(of_library)
            if task is None:
                task = placed[of_library] = place(self.studio, self.project, dataset.config, question, dataset.tasks)
            elif not question.decided or question.task is None:
                decide(self.studio, dataset.config, question, task)
            if question.since is None:
                keep(self.studio, question.case, {"since": self._now, "key": question.key})
            changed.add(task)
        fresh = self.studio.read(self.studio.tasks(self.project["id"], ids=changed))
        return replace(dataset, tasks=[*(it for it in dataset.tasks if it.id not in changed), *fresh])

    @property
    def _now(self) -> str:
        return self.look.now.isoformat()

    def _retire(self, it: Retired) -> None:
        """Its use goes only when the reason is written down, so that what was cut short is done again."""
        case, task = it.question.case, it.question.task
        if it.why == "contested":
            self._ask_again(it)
        since = it.question.since.isoformat() if it.question.since else None
        reason = {"at": self._now, "why": it.why, "detail": it.detail}
        kept = {"since": since, "key": it.question.key}
        keep(self.studio, case, {**kept, "retired": {**reason, "half": True}})
        if task is not None and task not in self.look.slots.of:
            stored = next(iter(self.studio.tasks(self.project["id"], ids=[task])))
            self.studio.set_overlap(task, closed_overlap(self.project, stored))
        promote(self.studio, self.project, [case.task], ["gold"], remove=True)
        keep(self.studio, case, {**kept, "retired": reason})
        self.report(f"Case {case.task} is gold no more, {it.why}: {it.detail}")

    def _ask_again(self, it: Retired) -> None:
        """People decide once more: by appeal where a review decided, else as a hard case."""
        from sdk_scripts.appeals import reopen
        from sdk_scripts.mining import review_tasks_for
        from sdk_scripts.signals import Suspicion

        task, control, why = it.question.task, it.question.case.control, f"A gold question: {it.detail}"
        if task is None:
            return
        try:
            reopen(self.studio, self.project, self.settings, task, why, control=control, apply=True)
            return
        except InputError:
            doubts = {task: Suspicion(1.0, why, control)}
        try:
            review_tasks_for(self.look.dataset, self.settings, doubts, signal=SIGNAL, apply=True, report=self.report)
        except InputError as error:
            self.report(f"Nobody could be asked to decide task {task} again. {error}")
