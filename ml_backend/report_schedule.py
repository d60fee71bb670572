"""When a project's reports are due: the `reports` of its rules, as its description keeps them, and cron's clock.

Cron names times of a wall clock. One that a change of the clocks skips comes as much later as they were put forward;
one that they repeat comes once, the first time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

UTC_NAME = "UTC"
EXAMPLE = "'0 6 * * mon' is every Monday at 6:00, '30 18 1 * *' the first of each month at 18:30"
_AROUND = timedelta(days=2)


class _Field(NamedTuple):
    name: str
    values: str
    characters: str


_FIELDS = (
    _Field("minute", "0-59", r"[\d*,/-]+"),
    _Field("hour", "0-23", r"[\d*,/-]+"),
    _Field("day of month", "1-31", r"[\d*,/-]+"),
    _Field("month", "1-12 or jan-dec", r"[\d*,/a-z-]+"),
    _Field("day of week", "0-7 or sun-sat", r"[\d*,/a-z-]+"),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What asks for a report, apart from people."""

    cron: str = ""
    time_zone: str = UTC_NAME
    every_labels: int | None = None
    """After so many new labels."""
    on_completion: bool = False
    """When every task of a batch is labelled as often as its overlap asks."""

    def __bool__(self) -> bool:
        return bool(self.cron or self.every_labels or self.on_completion)

    @property
    def clock(self) -> str:
        """Tells one cron from another; empty where there is none."""
        return f"{self.time_zone} {self.cron}" if self.cron else ""


NEVER = Schedule()


def schedule_of(said: Any) -> Schedule:
    """Of `reports` in a project's line; what people have edited so that it cannot be used is off."""
    if not isinstance(said, dict):
        return NEVER
    cron, zone, labels = said.get("cron"), said.get("time_zone", UTC_NAME), said.get("every_labels")
    usable = isinstance(cron, str) and isinstance(zone, str)
    return Schedule(
        cron=str(cron) if usable else "",
        time_zone=str(zone) if usable else UTC_NAME,
        every_labels=labels if isinstance(labels, int) and not isinstance(labels, bool) and labels > 0 else None,
        on_completion=said.get("on_completion") is True,
    )


def cron_problem(cron: str) -> str:
    """What is wrong with it, with the field's name; empty: nothing."""
    from croniter import CroniterError, croniter

    fields = cron.split()
    if len(fields) != len(_FIELDS):
        names = ", ".join(field.name for field in _FIELDS)
        return f"needs five fields ({names}), there {_are(len(fields))}; {EXAMPLE}"
    for place, (field, text) in enumerate(zip(_FIELDS, fields, strict=True)):
        try:
            if not re.fullmatch(field.characters, text, re.IGNORECASE):
                raise ValueError
            croniter.expand(" ".join(text if at == place else "*" for at in range(len(_FIELDS))))
        except (CroniterError, ValueError):
            return f"the {field.name} must be {field.values}, * or a list, range or step of these; {EXAMPLE}"
    if _last_on_the_wall(cron, datetime(2026, 1, 1)) is None:
        return f"never comes: no month that it names has that day; {EXAMPLE}"
    return ""


def zone_problem(name: str) -> str:
    """What is wrong with it; empty: nothing."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return "is no time zone; write its name in the IANA database, as Europe/Berlin or Asia/Shanghai"
    return ""


def last_due(schedule: Schedule, now: datetime) -> datetime | None:
    """The newest time up to `now` (aware) that cron names, in UTC; None where there is none, or it cannot be read."""
    if not schedule.cron or cron_problem(schedule.cron) or zone_problem(schedule.time_zone):
        return None
    zone = ZoneInfo(schedule.time_zone)
    wall = now.astimezone(zone).replace(tzinfo=None)
    offsets = [(now + by).astimezone(zone).utcoffset() or timedelta() for by in (-_AROUND, _AROUND)]
    shift = abs(offsets[1] - offsets[0])
    found: list[tuple[datetime, datetime]] = []  # moment, as named
    for named in _back_from(schedule.cron, wall + shift):
        if found and named < found[0][1] - shift:  # up to there a time named before another may come after it
            break
        moment = named.replace(tzinfo=zone).astimezone(UTC)
        if moment <= now:
            found.append((moment, named))
    return max(found)[0] if found else None


def _last_on_the_wall(cron: str, wall: datetime) -> datetime | None:
    return next(_back_from(cron, wall), None)


def _back_from(cron: str, wall: datetime) -> Iterator[datetime]:
    """The times (naive) that cron names, from the minute of `wall` back."""
    from croniter import CroniterBadDateError, croniter

    times = croniter(cron, wall.replace(second=0, microsecond=0) + timedelta(minutes=1))
    while True:
        try:
            yield times.get_prev(datetime)
        except CroniterBadDateError:
            return


def _are(number: int) -> str:
    return f"is {number}" if number == 1 else f"are {number}"
