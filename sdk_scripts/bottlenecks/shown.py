"""The analysis on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import typer

from sdk_scripts.bottlenecks.model import Bottlenecks, TimeRow
from sdk_scripts.tables import plain, print_table

_ROWS = 15
_AGES = ("half over", "a tenth over", "oldest", "usual wait")


def show(found: Bottlenecks) -> None:
    typer.echo("\n".join(map(plain, found.said)) or "Nothing was done in this project yet.")
    _table("The slowest steps", ({"step": it.step, "n": it.n, "time": it.time, "share": it.of} for it in found.steps))
    waits = [
        {
            "for": it.stage,
            "waiting": it.waiting,
            **dict(zip(_AGES, it.ages, strict=True)),
            "oldest task": it.oldest_task,
        }
        for it in found.queues
        if it.waiting or it.over
    ]
    _table("What waits", waits)
    _table("Rework", ({"what": name, "share": it.percent(), "of": it.n} for name, it in found.repeated))
    for title, rows in (
        ("Seconds by label, the slowest first", found.lead_times.by_label),
        ("Seconds by annotator", found.lead_times.by_annotator),
    ):
        _table(title, map(_times, rows))
    _table(
        "What would help, a thousand tasks",
        (
            {
                "change": f"{it.lever}: {it.setting}",
                "hours saved": it.hours_per_1000_tasks.number(),
                "of all work": it.share.percent(),
                "wrong labels more": it.errors_per_1000_tasks.number(),
                **({"money saved": it.money_per_1000_tasks.number()} if found.costs.hourly is not None else {}),
            }
            for it in found.levers
        ),
        most=50,
    )
    for it in found.levers:
        if it.record and not it.hours_per_1000_tasks.known:
            typer.echo(plain(f"{it.lever.capitalize()}: {it.basis} {it.record}"))
    for note in found.notes:
        typer.echo(plain(note))


def _times(row: TimeRow) -> dict[str, object]:
    middle = row.median.number() if row.median.known else "too few to say"
    return {"group": row.group, "n": row.n, "median": middle, "p90": row.p90, "p95": row.p95}


def _table(title: str, rows: Iterable[Mapping[str, object]], most: int = _ROWS) -> None:
    listed = list(rows)
    if listed:
        columns: Sequence[str] = list(listed[0])
        typer.echo()
        print_table(listed[:most], columns, title=title)
        if len(listed) > most:
            typer.echo(f"and {len(listed) - most:,} more; --json has them all.")
