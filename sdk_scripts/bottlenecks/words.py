"""The analysis in sentences that claim no more than its figures do."""

from __future__ import annotations

from collections.abc import Iterator

from sdk_scripts.bottlenecks.model import Bottlenecks, Estimate, Lever, Queue, duration
from sdk_scripts.tables import plain

_WAITING = {
    "first label": ("task waits for its first label", "tasks wait for their first label"),
    "second label": ("task waits for another label", "tasks wait for another label"),
    "review": ("review waits for a decision", "reviews wait for a decision"),
    "decision": ("task waits for a decision between its annotators", "tasks wait for a decision between annotators"),
}
_LEVERS_SAID = 3


def sentences(found: Bottlenecks) -> list[str]:
    """The most telling first. Text of annotators in it is on one line, without control characters."""
    return [plain(it) for it in (*_slowest(found), *_pace(found), *_queues(found), *_capacity(found), *_levers(found))]


def _slowest(found: Bottlenecks) -> Iterator[str]:
    work = [it for it in found.steps if it.work and it.hours]
    waits = [it for it in found.steps if not it.work and it.hours]
    if work:
        top = work[0]
        total = sum(it.hours or 0.0 for it in work)
        yield f"Most working time goes into the {top.step}: {top.share.percent()} of {duration(3600 * total)}."
    if waits:
        top = waits[0]
        total = sum(it.hours or 0.0 for it in waits)
        yield (
            f"Tasks wait {duration(3600 * total)} all together, most of it {top.step}: {top.share.percent()}."
            if len(waits) > 1
            else f"Tasks wait {duration(3600 * total)} all together, {top.step}."
        )
    cost = found.costs
    if cost.seconds_per_label.value is not None and cost.hours:
        money = f", {cost.money_per_label.number(cost.currency, 3)}" if cost.hourly is not None else ""
        yield (
            f"An accepted label costs {cost.seconds_per_label.number('s of work')}{money}, everything included "
            f"({cost.accepted:,} accepted). {cost.note}".strip()
        )


def _pace(found: Bottlenecks) -> Iterator[str]:
    pace, times = found.throughput, found.lead_times
    if pace.imported:
        yield "Most labels came with their tasks: when they were given is not known, so neither pace nor waits are."
    elif pace.per_day.value is not None:
        hour = f", {pace.per_hour.number()} an hour of working time" if pace.per_hour.value is not None else ""
        yield f"People give {pace.per_day.number()} labels a day{hour} (last {pace.days} days)."
    middle = times.overall.median
    if middle.value is not None:
        late = f", {times.overall.p90:.0f} s or more in one of ten" if times.overall.p90 is not None else ""
        yield f"A label takes {middle.number('s')} in the middle{late}."
    if times.left_open:
        yield (
            f"{times.left_open:,} of {times.timed:,} times are over {times.times_usual:g} times what is usual for "
            f"their person, as of tabs left open ({duration(times.seconds_left_out)}): sums count them as the "
            "others' mean."
        )
    if times.untimed:
        yield f"{times.untimed:,} labels have no time: imported, or written over the API."


def _queues(found: Bottlenecks) -> Iterator[str]:
    for it in found.queues:
        if it.waiting:
            yield _queue(it)
    if found.review_hours.value is not None:
        ends = _interval(found.review_hours)
        yield f"A review takes {duration(3600 * found.review_hours.value)}{ends} in the middle. {found.review_basis}"


def _queue(it: Queue) -> str:
    what = f"{it.waiting:,} {_WAITING[it.stage][it.waiting > 1]}"
    if it.age_hours_median is None or it.age_hours_oldest is None:
        return f"{what}; nothing says since when."
    if it.waiting == 1:
        return f"{what}, for {duration(3600 * it.age_hours_oldest)} now (task {it.oldest_task})."
    return (
        f"{what}: half of them for {duration(3600 * it.age_hours_median)} or more, the oldest for "
        f"{duration(3600 * it.age_hours_oldest)} (task {it.oldest_task})."
    )


def _capacity(found: Bottlenecks) -> Iterator[str]:
    it = found.capacity
    if it.accepted_per_day.value is None or found.throughput.imported:
        return
    if it.arrivals_per_day.value is not None and it.utilisation.value is not None and not it.note:
        yield (
            f"{it.arrivals_per_day.number()} tasks come a day and {it.accepted_per_day.number()} get done: "
            f"{it.utilisation.number(digits=2)} come for each done."
        )
    if it.backlog:
        if it.days_to_clear.value is not None and it.days_to_clear.high is not None and not it.note:
            yield f"{it.backlog:,} tasks are open; at this pace they are done in {_days(it.days_to_clear)}."
        else:
            growing = _trend(found)
            yield (
                f"{it.backlog:,} tasks are open; if none come they are done in "
                f"{_days(it.days_to_clear_if_none_come)}.{growing} {it.note}".rstrip()
            )
    if it.hours_a_day_to_clear.value is not None:
        yield f"To be done within {it.clear_in:g} days takes {it.hours_a_day_to_clear.number()} working hours a day."


def _trend(found: Bottlenecks) -> str:
    it = found.capacity
    if it.note or it.clears is None:
        return ""
    if it.clears < 0.025:
        return " The backlog grows."
    return "" if it.clears > 0.975 else " Whether it grows or shrinks is not known yet."


def _days(it: Estimate) -> str:
    if it.value is None:
        return "no time that can be told"
    if it.low is None:
        return f"{it.value:,.1f} days"
    return f"{it.value:,.1f} days ({it.low:,.1f} to {'never' if it.high is None else f'{it.high:,.1f}'})"


def _levers(found: Bottlenecks) -> Iterator[str]:
    useful = [it for it in found.levers if _saves(it)]
    for it in useful[:_LEVERS_SAID]:
        yield (
            f"{it.lever.capitalize()}, {it.setting}: saves {it.hours_per_1000_tasks.number('h')} a thousand tasks"
            f"{_price(it)}."
        )


def _price(it: Lever) -> str:
    """In wrong labels."""
    wrong = it.errors_per_1000_tasks
    return f", at {wrong.number(digits=0)} wrong labels more" if (wrong.high or 0.0) > 0 else ""


def _saves(it: Lever) -> bool:
    hours = it.hours_per_1000_tasks
    return (hours.value or 0.0) > 0 or (hours.value is None and (hours.high or 0.0) > 0)


def _interval(it: Estimate) -> str:
    if it.low is None and it.high is None:
        return ""
    ends = [duration(None if end is None else 3600 * end) for end in (it.low, it.high)]
    return f" ({ends[0]} to {ends[1]})"
