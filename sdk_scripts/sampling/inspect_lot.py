"""`tiebreak inspect SOURCE --lot NAME`: draw a lot's sample, have it decided, and say whether the lot is accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.judgements import decisions, judgements, latest
from sdk_scripts.alone import alone
from sdk_scripts.decisions import read_reviews
from sdk_scripts.evidence import Evidence
from sdk_scripts.mining import review_tasks_for
from sdk_scripts.quality import Quality, quality_of
from sdk_scripts.review_plan import DRAWN
from sdk_scripts.review_project import Pushed, ReviewProject, review_source
from sdk_scripts.sampling.draw import apart, draw, lot_control
from sdk_scripts.sampling.lots import Lot, Lots, checked
from sdk_scripts.sampling.switching import Inspected, State, switched
from sdk_scripts.sampling.verdict import Judged
from sdk_scripts.signals import Suspicion
from sdk_scripts.standards import standard_of
from sdk_scripts.verdicts import Decided, by_case, verdict

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from sdk_scripts.sources import Dataset

SCORE = 0.5
"""Of the reason that a sample's review tasks name: nothing speaks against the label, nor for it."""

Report = Callable[[str], object]


@dataclass(frozen=True)
class Outcome:
    judged: Judged
    state: State
    """How strictly the lot is inspected, by the lots before it."""
    recorded: bool
    """Whether the lot is on record; of a dry run it would be drawn like that."""
    review: Pushed | None = None


def inspect_lot(
    dataset: Dataset,
    settings: Settings,
    name: str,
    *,
    quality: Quality | None = None,
    control: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    apply: bool = False,
    rest: bool = False,
    evidence: Evidence | None = None,
    report: Report = lambda message: None,
) -> Outcome:
    """The lot under that name as it stands; drawn first, from all labels in no earlier lot, where there is none.

    With `apply`, the lot is put on record and the undecided tasks of its sample get review tasks; with `rest`, those
    beyond the sample, too. `control`, `since` and `until` choose the members of a new lot. A file has no record: its
    lot is all it has, and what decisions and ground truth in it say. Raises InputError for what cannot be drawn or has
    no reviews, ConfigError, StudioError.
    """
    quality = quality or quality_of(dataset.project or {})
    checked(name)
    if apply or rest:
        review_source(dataset)
    if dataset.project is None:
        people, right = apart(dataset)
        labelled = evidence or Evidence.collect(people, settings)
        secret = settings.policy_secret.get_secret_value()
        lot = draw(labelled, quality.lot, name, control=control, since=since, until=until, secret=secret)
        judged = Judged(lot, dataset.config, labelled.standard, _right(right, lot.control), lot.labels.keys())
        return Outcome(judged, State(), recorded=False)
    read = _Decided(dataset, settings)
    with alone(settings, f"lots-of-{dataset.project_id}") if apply else nullcontext():
        lots = Lots.of(dataset.project, settings)
        known_lot, before = _found(lots.all(), name)
        evidence = evidence or Evidence.collect(dataset, settings)
        asked = known_lot.control if known_lot else lot_control(evidence, control).name
        state = read.state(quality, [it for it in before if it.control == asked])
        if known_lot is None:
            lot = _drawn(evidence, settings, quality, name, asked, before, state, since, until)
            if apply:
                lots.write(lot)
        else:
            lot = known_lot
    judged = read.judged(lot)
    pushed = None
    if wanted := (*judged.waiting, *(judged.rest if rest else ())):
        pushed = _reviewed(dataset, settings, lot, wanted, evidence, apply=apply, report=report)
    return Outcome(judged, state, apply or known_lot is not None, pushed)


def outcomes(dataset: Dataset, settings: Settings) -> Iterator[Outcome]:
    """Every lot on record, in the order in which they were made; none for a file."""
    if dataset.project is None:
        return
    read, quality, done = _Decided(dataset, settings), quality_of(dataset.project), list[Lot]()
    for lot in Lots.of(dataset.project, settings).all():
        state = read.state(quality, [it for it in done if it.control == lot.control])
        yield Outcome(read.judged(lot), state, recorded=True)
        done.append(lot)


def _found(everything: Sequence[Lot], name: str) -> tuple[Lot | None, list[Lot]]:
    """The lot under that name, and those made before it."""
    before: list[Lot] = []
    for lot in everything:
        if lot.name == name:
            return lot, before
        before.append(lot)
    return None, before


def _drawn(
    evidence: Evidence,
    settings: Settings,
    quality: Quality,
    name: str,
    control: str,
    earlier: Sequence[Lot],
    state: State,
    since: datetime | None,
    until: datetime | None,
) -> Lot:
    if state.discontinued:
        raise InputError(
            f"Sampling of {control} is discontinued: {state.why}.",
            mend="Mend the guidelines or train the annotators, and inspect the rejected lots whole (--rest). To begin "
            "anew, delete the records of those lots beside the project's models.",
        )
    return draw(
        evidence,
        quality.lot,
        name,
        control=control,
        earlier=earlier,
        inspection=state.inspection,
        since=since,
        until=until,
        secret=settings.policy_secret.get_secret_value(),
    )


@dataclass(frozen=True)
class _Decided:
    """What is decided in a project, read once."""

    dataset: Dataset
    settings: Settings

    def state(self, quality: Quality, before: Iterable[Lot]) -> State:
        """How strictly to inspect after these lots."""
        known = [
            Inspected(len(it.lot.labels), it.verdict == "accepted", it.nonconforming)
            for it in map(self.judged, before)
            if it.verdict != "waiting"
        ]
        return switched(known, aql=quality.lot.aql, level=quality.lot.level, reduced=quality.lot.reduced)

    def judged(self, lot: Lot) -> Judged:
        config = self.dataset.config
        if lot.control not in config:
            raise InputError(
                f"Lot {lot.name} is about a control {lot.control!r} that the label config does not have any more.",
                mend="Give the control its name back.",
            )
        reviewed = {task: key for (task, control), key in self._by_reviewers.items() if control == lot.control}
        settled = decisions(self._judgements.filter(pl.col("control") == lot.control))
        decided = dict(settled.select("task", "answer").iter_rows()) | reviewed
        return Judged(lot, config, standard_of(self.dataset.project or {}), decided, self._data.keys())

    @cached_property
    def _data(self) -> dict[int, Mapping[str, Any]]:
        return {task.id: task.data for task in self.dataset.tasks}

    @cached_property
    def _judgements(self) -> pl.DataFrame:
        return judgements(self.dataset.tasks, self.dataset.config)

    @cached_property
    def _by_reviewers(self) -> dict[tuple[int, str], str]:
        """(task, control) -> key of what reviewers decided of it, all of its seats agreeing."""
        studio, source = review_source(self.dataset)
        tasks = ReviewProject(studio, source, standard_of(source), self.settings).tasks()
        reviews, _ = read_reviews(tasks, studio.annotators()) if tasks else ([], [])
        made = "", str(source.get("created_at") or "")
        ours = [it for it in reviews if it.review.source == source["id"] and it.review.source_created in made]
        found: dict[tuple[int, str], str] = {}
        for case, rows in by_case(ours).items():
            said = verdict(rows, self.dataset.config, self._data.get(case[0], {}))
            if isinstance(said, Decided):
                found[case] = said.key
        return found


def _right(known: Dataset, control: str) -> dict[int, str]:
    """Task -> key of the answer that is known to be right: a decision's, else that of ground truth that nothing
    contradicts."""
    table = judgements(known.tasks, known.config).filter(pl.col("control") == control)
    truths = latest(table.filter(~pl.col("decided"))).group_by("task")
    agreed = truths.agg(pl.col("answer").first(), different=pl.col("answer").n_unique())
    found = dict(agreed.filter(pl.col("different") == 1).select("task", "answer").iter_rows())
    return found | dict(decisions(table).select("task", "answer").iter_rows())


def _reviewed(
    dataset: Dataset,
    settings: Settings,
    lot: Lot,
    tasks: Sequence[int],
    evidence: Evidence,
    *,
    apply: bool,
    report: Report,
) -> Pushed:
    why = f"Drawn at random to inspect lot {lot.name}: is its label right?"
    suspicions: Mapping[int, Suspicion] = {task: Suspicion(SCORE, why, lot.control) for task in tasks}
    return review_tasks_for(
        dataset,
        settings,
        suspicions,
        signal=DRAWN,
        budget=len(suspicions),
        apply=apply,
        evidence=evidence,
        report=report,
    )
