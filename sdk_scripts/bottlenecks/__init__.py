"""Where labeling by people loses its time: what it costs, what waits, and what each change would save.

Pure over three tables (`work.Work`); all times are UTC, so a clock change makes no day longer. Every figure carries its
95 % interval where enough is known, and None where it is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sdk_scripts.bottlenecks.model import Bottlenecks

if TYPE_CHECKING:
    import polars as pl

    from ml_backend.settings import Settings
    from sdk_scripts.bottlenecks.accept_risks import Accepting
    from sdk_scripts.bottlenecks.work import Work
    from sdk_scripts.evidence import Evidence

DAYS = 28


@dataclass(frozen=True)
class Asked:
    """What the analysis is to assume."""

    hourly: float | None = None
    """What a working hour costs; None: money is not said."""
    currency: str = ""
    days: int = DAYS
    """Rates are of so many days."""
    labels_per_task: int | None = None
    """People that are to judge a task; None: as the project says."""
    clear_in: float | None = None
    """Days within which the backlog is to be gone."""


_AS_IT_IS = Asked()


def bottlenecks(
    work: Work,
    accepting: Accepting | None = None,
    asked: Asked = _AS_IT_IS,
    *,
    standing: pl.DataFrame | None = None,
) -> Bottlenecks:
    """`work` -> what is slow, what it costs, and what would help. `standing` saves working out each annotator's last
    judgements (`judgements.latest`) again."""
    from sdk_scripts.bottlenecks.accept_risks import Accepting as Nothing
    from sdk_scripts.bottlenecks.capacity import capacity
    from sdk_scripts.bottlenecks.costs import costs, steps
    from sdk_scripts.bottlenecks.lead_times import lead_times
    from sdk_scripts.bottlenecks.levers import Levers, all_levers
    from sdk_scripts.bottlenecks.queues import queues, review_time
    from sdk_scripts.bottlenecks.rework import rework
    from sdk_scripts.bottlenecks.steps import Process
    from sdk_scripts.bottlenecks.throughput import throughput
    from sdk_scripts.bottlenecks.words import sentences
    from sdk_scripts.collaboration import of_people
    from sdk_scripts.time_saved import time_saved

    process = Process(work, standing)
    waiting = queues(process)
    review_hours, basis = review_time(process)
    shown = of_people(work.answers).unique(["task", "annotation"], keep="first", maintain_order=True)
    levers = Levers(process, accepting or Nothing(), time_saved(shown), asked.hourly)
    found = Bottlenecks(
        at=work.at,
        said=[],
        throughput=throughput(process, asked.days),
        lead_times=lead_times(process),
        queues=waiting,
        rework=rework(process),
        review_hours=review_hours,
        review_basis=basis,
        capacity=capacity(process, asked.days, asked.clear_in),
        costs=costs(process, hourly=asked.hourly, currency=asked.currency),
        steps=steps(process, waiting),
        levers=all_levers(levers),
        notes=list(work.notes),
    )
    return found.model_copy(update={"said": sentences(found)})


def bottlenecks_of(
    evidence: Evidence, settings: Settings, asked: Asked = _AS_IT_IS, *, at: datetime | None = None
) -> Bottlenecks:
    """Of a source. What Label Studio or the registry does not give becomes a note, never an error."""
    from ml_backend.labeling.errors import TiebreakError
    from sdk_scripts.bottlenecks.accept_risks import Accepting as Nothing
    from sdk_scripts.bottlenecks.accept_risks import accepting_of
    from sdk_scripts.bottlenecks.reviews import reviews_of
    from sdk_scripts.bottlenecks.work import work_of

    dataset = evidence.dataset
    notes, reviews, accepting = [], None, Nothing()
    try:
        reviews = reviews_of(dataset, settings)
    except TiebreakError as error:
        notes.append(f"The reviews could not be read: {error}")
    try:
        accepting = accepting_of(dataset, settings)
    except TiebreakError as error:
        notes.append(f"What the model could accept could not be read: {error}")
    work = work_of(
        dataset,
        evidence.all_judgements,
        done=evidence.annotations,
        reviews=reviews,
        labels_per_task=asked.labels_per_task,
        at=at,
    )
    found = bottlenecks(work, accepting, asked, standing=evidence.judgements)
    return found.model_copy(update={"notes": [*found.notes, *notes]})
