"""What the analysis of the process says. A figure's unit stands in its name; shares are in [0, 1], times in UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Estimate(_Part):
    """A figure with its 95 % interval. `value` None with an interval: only the bounds are known. All None: nothing is.

    An end that is None beside a value is open: too little is known for that end.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    """Observations it rests on."""

    @property
    def known(self) -> bool:
        return self.value is not None or self.low is not None or self.high is not None

    def number(self, unit: str = "", digits: int = 1) -> str:
        """The value with its interval, or what is known of it."""
        return self._spelled(lambda value: f"{value:,.{digits}f}", f" {unit}" if unit else "") or "not known"

    def percent(self) -> str:
        """Of a share."""
        few = f"too few to say (n = {self.n})" if self.n else "–"
        return self._spelled(lambda value: f"{100 * value:.0f}", " %") or few

    def _spelled(self, spell: Callable[[float], str], unit: str) -> str:
        value, low, high = (None if it is None else spell(it) for it in (self.value, self.low, self.high))
        if low is None and high is None:
            return "" if value is None else f"{value}{unit}"
        ends = f"{low or '?'} to {high or '?'}"
        return f"{ends}{unit}" if value is None else f"{value}{unit} ({ends})"


def duration(seconds: float | None) -> str:
    """As people say it."""
    if seconds is None:
        return "–"
    for size, name, least in ((86_400, "days", 2.0), (3_600, "h", 1.0), (60, "min", 1.5)):
        if seconds >= least * size:
            return f"{seconds / size:,.1f}".removesuffix(".0") + f" {name}"
    return f"{seconds:.0f} s"


def _hours(hours: float | None) -> str:
    return duration(None if hours is None else 3600 * hours)


class Pace(_Part):
    """How fast one annotator is."""

    annotator: str
    annotations: int
    active_days: int
    per_active_day: Estimate
    per_hour: Estimate
    """Annotations an hour of lead time."""


class Week(_Part):
    """Seven days; the last of them ends with the data."""

    since: datetime
    arrived: int
    """Tasks."""
    annotations: int
    accepted: int
    """Tasks whose label was accepted."""


class Throughput(_Part):
    """What people got done within the last `days` days, skips left out."""

    days: int
    imported: bool
    """Most labels came with their tasks: days, weeks and waits are those of the import, not of people."""
    per_day: Estimate
    per_week: Estimate
    per_hour: Estimate
    """Annotations an hour of lead time, everybody together."""
    people: list[Pace]
    weeks: list[Week]


class TimeRow(_Part):
    """Lead times, in seconds, of one group; quantiles None where it has too few."""

    group: str
    control: str = ""
    n: int
    median: Estimate
    p90: float | None
    p95: float | None


class TimeBin(_Part):
    """Annotations whose lead time is at least `low` seconds and less than `high`; None: no end."""

    low: float
    high: float | None
    count: int

    @property
    def seconds(self) -> str:
        return (
            f"{duration(self.low)} or more" if self.high is None else f"{duration(self.low)} to {duration(self.high)}"
        )


class LeadTimes(_Part):
    """Seconds from opening a task to submitting it, as Label Studio measures them; skips left out."""

    timed: int
    untimed: int
    """Annotations without a time, or of no time: imported, or written over the API."""
    times_usual: float
    """A time of more than so many times its person's median is that of a tab left open, and tells nothing: in sums it
    counts as the mean of the others."""
    left_open: int
    """Annotations longer than that."""
    seconds_left_out: float
    """Of these, together."""
    overall: TimeRow
    histogram: list[TimeBin]
    by_label: list[TimeRow]
    by_annotator: list[TimeRow]
    by_hour: list[TimeRow]
    """Of submission, UTC."""
    by_weekday: list[TimeRow]


class Queue(_Part):
    """Tasks that wait for one thing. Ages are of those that wait now, waits of all, over and not (Kaplan-Meier)."""

    stage: str
    """first label, second label, review, or decision (people differ, and no review is known)."""
    waiting: int
    age_hours_median: float | None
    age_hours_p90: float | None
    age_hours_oldest: float | None
    oldest_task: int | None
    over: int
    """Waits that are over."""
    wait_hours_median: Estimate
    wait_hours_p90: Estimate
    hours: float
    """All waits together, those that are not over up to now."""
    note: str = ""

    @property
    def ages(self) -> tuple[str, str, str, str]:
        """Half of those that wait wait longer, a tenth of them, the oldest; and a usual wait; for people."""
        ages = (self.age_hours_median, self.age_hours_p90, self.age_hours_oldest, self.wait_hours_median.value)
        half, tenth, oldest, usual = map(_hours, ages)
        return half, tenth, oldest, usual


class Rework(_Part):
    """Work done again."""

    again: Estimate
    """Share of annotations by somebody who had labelled the task before."""
    again_otherwise: Estimate
    """Of these, how many changed an answer."""
    changed: Estimate
    """Share of annotations that were changed after they were submitted; what they said before is not kept."""
    skips: Estimate
    """Share of all that people did with a task."""
    overturned: Estimate
    """Share of decisions that are not what most annotators had said; ties left out."""
    reviewed_again: Estimate
    """Share of decided answers that were decided more than once, or by another round."""
    beyond_overlap: Estimate
    """Share of annotations beyond those the task needed; gold questions, which are asked again, are among them."""


_REWORK = {
    "again": "labelled again by the same person",
    "again_otherwise": "of these, with another answer",
    "changed": "changed after it was submitted",
    "skips": "skipped",
    "beyond_overlap": "more labels than the task needed",
    "overturned": "decided against most annotators",
    "reviewed_again": "decided more than once",
}


class Capacity(_Part):
    """Tasks that come against tasks that get done, of the last `days` days."""

    days: int
    arrivals_per_day: Estimate
    arrival_days: int
    """Days on which tasks came."""
    accepted_per_day: Estimate
    utilisation: Estimate
    """Arrivals for each task done: above 1 the backlog grows."""
    backlog: int
    """Tasks without an accepted label."""
    backlog_trend_per_day: Estimate
    """By how many tasks it grows."""
    days_to_clear: Estimate
    """While tasks go on coming; an open end: at the slow end of the interval, never."""
    days_to_clear_if_none_come: Estimate
    clears: float | None
    """Probability that it shrinks at all."""
    hours_a_day_to_clear: Estimate
    """Working hours a day that it takes to be done within `clear_in` days; unknown where no target was given."""
    clear_in: float | None
    waiting_on_average: float | None
    """Tasks that waited for their first label, on the average over these days."""
    littles_law: float | None
    """Arrivals a day × mean days of waiting: the same in a steady process (Little, 1961)."""
    note: str = ""


class Step(_Part):
    """One step of the process."""

    step: str
    work: bool
    """Working time of people, else elapsed time of waiting tasks."""
    n: int
    """Annotations, or waits."""
    untimed: int
    """Of these without a time, or with that of a tab left open: they count as the mean of the others."""
    hours: float | None
    """None: nothing tells."""
    share: Estimate
    """Of all work, or of all waiting."""
    note: str = ""

    @property
    def time(self) -> str:
        return _hours(self.hours)

    @property
    def of(self) -> str:
        """Its share, for people."""
        return f"{self.share.percent()} of {'work' if self.work else 'waiting'}" if self.share.known else self.note


class Costs(_Part):
    """What an accepted label costs: all working time, second judgements, skips, reviews and rework included."""

    accepted: int
    by_machine: int
    """Of these, accepted without anybody's work."""
    hours: float
    seconds_per_label: Estimate
    money_per_label: Estimate
    currency: str
    hourly: float | None
    money: float | None
    """All of it."""
    note: str = ""


class Lever(_Part):
    """What a change would save, worked out from what was measured."""

    lever: str
    """auto-accept, routing, second annotator, guideline, pre-labeling."""
    setting: str
    hours_per_1000_tasks: Estimate
    """Working hours saved; below 0: it costs time. `value` None: somewhere between the bounds, nothing tells where."""
    share: Estimate
    """The same, of all working time."""
    money_per_1000_tasks: Estimate
    errors_per_1000_tasks: Estimate
    """Wrong labels more; below 0: fewer."""
    basis: str
    """Where the figures come from."""
    record: str = ""
    """What to record, where they cannot be derived."""


class Bottlenecks(_Part):
    """The process as it is, and what would help."""

    at: datetime
    """Until when; ages count from here."""
    said: list[str]
    """The result in sentences."""
    throughput: Throughput
    lead_times: LeadTimes
    queues: list[Queue]
    rework: Rework
    review_hours: Estimate
    """Median time from a review being asked for to its decision."""
    review_basis: str
    capacity: Capacity
    costs: Costs
    steps: list[Step]
    """The slowest first: working steps, then waiting ones."""
    levers: list[Lever]
    """What saves most first."""
    notes: list[str]

    @property
    def repeated(self) -> list[tuple[str, Estimate]]:
        """The kinds of rework that the data tell of, for people."""
        found = [(words, getattr(self.rework, name)) for name, words in _REWORK.items()]
        return [(words, it) for words, it in found if it.n]
