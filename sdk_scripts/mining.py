"""`tiebreak hard-cases`: rank a project's tasks, and have the hard ones decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sdk_scripts.another_label import AnotherLabel
from sdk_scripts.evidence import Evidence
from sdk_scripts.hard_cases import HardCase, HardCases, Reason, find_hard_cases
from sdk_scripts.review_cases import CaseFacts
from sdk_scripts.review_plan import Planner, ReviewPlan, to_take_back
from sdk_scripts.review_project import Pushed, ReviewProject, is_review_project, review_source
from sdk_scripts.review_tasks import build_review_tasks, reseated
from sdk_scripts.signal_weights import learn_weights
from sdk_scripts.signals import SIGNALS, Suspicion
from sdk_scripts.standards import standard_of

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from sdk_scripts.sources import Dataset

Report = Callable[[str], object]


def mine(
    dataset: Dataset,
    settings: Settings,
    *,
    budget: int | None = None,
    apply: bool = False,
    evidence: Evidence | None = None,
    only: Collection[int] | None = None,
    report: Report = lambda message: None,
) -> HardCases:
    """Rank by the project's standard, say what could not be looked at, and with `apply` make review tasks of the cases.

    `budget` is used instead of the standard's budget of a run. Without `apply` the outcome says what would be made, and
    for whom, where the dataset is a project that can have reviews. With `only`, those tasks alone can be hard, and
    `evidence` may have been gathered from more or less than the dataset. Raises InputError for `apply` on a file,
    ConfigError for a standard that cannot be read, StudioError where Label Studio does not take the review tasks.
    """
    if apply:
        review_source(dataset)  # said before minutes of work, not after
    evidence = evidence or Evidence.collect(dataset, settings)
    learned = learned_weights(dataset, settings) if only is None else {}
    found = find_hard_cases(dataset, evidence, learned=learned)
    if only is not None:
        chosen = [case for case in found if case.task in only]
        found = replace(found, items=chosen, total=len(chosen))
    for name, why in found.dropped.items():
        report(f"Without the signal {name}: {why}")
    most = budget or evidence.standard.budget.a_run
    if dataset.project is not None and not is_review_project(dataset.project):
        placing = _Placing(dataset, settings, CaseFacts(evidence, found.weights), only, report)
        found = replace(found, review=(placing.push if apply else placing.look)(found.items, most))
    return replace(found, items=found.items[: most if apply else budget])


def review_tasks_for(
    dataset: Dataset,
    settings: Settings,
    suspicions: Mapping[int, Suspicion],
    *,
    signal: str,
    budget: int | None = None,
    apply: bool = False,
    evidence: Evidence | None = None,
    report: Report = lambda message: None,
) -> Pushed:
    """Review tasks for just these tasks (id -> why), under the name of what asked for them; those that have theirs
    already keep it. Without `apply`, what would be made. Raises InputError for a dataset that can have no reviews."""
    review_source(dataset)
    evidence = evidence or Evidence.collect(dataset, settings)
    cases = [
        HardCase(task, it.score, (Reason(signal, it.score, it.detail, it.control),), evidence.severity_of(task))
        for task, it in suspicions.items()
        if task in evidence.tasks
    ]
    cases.sort(key=lambda case: (-case.harm, case.task))
    placing = _Placing(dataset, settings, CaseFacts(evidence, {signal: 1.0}), suspicions.keys(), report)
    return (placing.push if apply else placing.look)(cases, budget or evidence.standard.budget.a_run)


def learned_weights(dataset: Dataset, settings: Settings) -> dict[str, float]:
    """Signal -> weight, as the decisions of the project's reviews teach it; empty where there are none."""
    from sdk_scripts.decisions import outcomes, read_decisions

    if dataset.studio is None or dataset.project is None or is_review_project(dataset.project):
        return {}
    reviews = ReviewProject(dataset.studio, dataset.project, standard_of(dataset.project), settings).tasks()
    decided = read_decisions(reviews, dataset.studio.annotators()) if reviews else []
    return learn_weights(outcomes(decided), {name: signal.weight for name, signal in SIGNALS.items()})


@dataclass(frozen=True)
class _Placing:
    """Hard cases are given to reviewers, or would be."""

    dataset: Dataset
    settings: Settings
    facts: CaseFacts
    only: Collection[int] | None
    report: Report

    def look(self, ranked: Sequence[HardCase], budget: int) -> Pushed:
        """What `push` would do."""
        reviews, now = self._reviews, datetime.now(UTC)
        there = reviews.tasks(self.only, now)
        old = set(to_take_back(there, self.facts.standard, now))
        plan = self._plan([task for task in there if task["id"] not in old], now, ranked, budget)
        self._tell(plan)
        project = reviews.find()
        return Pushed(project, plan, len(old), applied=False, url=self._url(project))

    def push(self, ranked: Sequence[HardCase], budget: int) -> Pushed:
        """Raises StudioError, InputError where the dataset can have no reviews."""
        studio, _ = review_source(self.dataset)
        reviews, now = self._reviews, datetime.now(UTC)
        with reviews.alone():
            there = reviews.tasks(self.only, now)
            expired = reviews.take_back(there, now)
            plan = self._plan([task for task in there if task["id"] not in expired], now, ranked, budget)
            project, doubled = reviews.find(), tuple[str, ...]()
            if project is not None or plan.new or plan.more:
                project = reviews.sync()
                tasks = [{"data": reseated(data, seat)} for data, seat in plan.more]
                doubled = reviews.add(project, [*tasks, *build_review_tasks(self.facts, plan.new)])
        for one in plan.one_more:
            if one.raised:
                studio.raise_overlap(one.task, one.overlap)
        pushed = Pushed(project, plan, len(expired), doubled, url=self._url(project))
        self._tell(plan)
        self.report(f"{pushed.created} review tasks made, {pushed.existing} cases had theirs already: {pushed.url}")
        if expired:
            self.report(f"{len(expired)} review tasks were taken back: too old, or their reviewer is one no longer.")
        return pushed

    @property
    def _reviews(self) -> ReviewProject:
        studio, source = review_source(self.dataset)
        return ReviewProject(studio, source, self.facts.standard, self.settings)

    def _url(self, project: int | None) -> str:
        return self.dataset.studio.data_manager(project) if self.dataset.studio and project is not None else ""

    def _plan(
        self, there: Sequence[dict[str, Any]], now: datetime, ranked: Sequence[HardCase], budget: int
    ) -> ReviewPlan:
        from sdk_scripts.next_batch import labeling_of

        studio, source = review_source(self.dataset)
        overlap = int(source.get("maximum_annotations") or 1)
        return Planner(
            self.facts,
            source["id"],
            there,
            now,
            overlap=lambda task: int(studio.task(task)["overlap"]),
            usual=frozenset({1, overlap}),
            most_annotations=labeling_of(source).most_annotations or overlap,
            share=AnotherLabel(self.facts.evidence).share,
        ).plan(ranked, budget)

    def _tell(self, plan: ReviewPlan) -> None:
        studio = self.dataset.studio
        accounts = {email.lower() for email in studio.annotators().values()} if studio else set()
        if strangers := [one.email for one in self.facts.standard.reviewers if one.email not in accounts]:
            self.report(
                f"Label Studio has no account of {', '.join(strangers)}: nobody sees those queues until it has."
            )
        if plan.too_few:
            self.report(f"{plan.too_few} cases have fewer judgements than the standard asks for before a review.")
        if plan.day_is_full:
            self.report("The standard's budget of a day leaves the other cases to the days to come.")
        for reason, times in Counter(one.reason for one in plan.unplaced).most_common(5):
            self.report(f"{times} cases have nobody for a seat. {reason}")
