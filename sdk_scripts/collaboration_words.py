"""The document of `collaboration` in sentences that claim no more than the figures do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def sentences(found: Mapping[str, Any]) -> list[str]:
    """What can be said, the most telling first, then what cannot."""
    return [*_time(found["time"]), *_stamps(found["rubber_stamping"]), *_controls(found), *found["notes"]]


def people(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row an annotator: answers shown and the share accepted, wrong ones shown and the share kept, and seconds with a
    prediction for each second without; each None where too little is known."""
    accepted = {row["annotator"]: row for row in found["acceptance"]["annotators"]}
    stamped = {row["annotator"]: row for row in found["rubber_stamping"]["annotators"]}
    timed = {row["annotator"]: row for row in found["time"]["annotators"]}
    return [
        {
            "annotator": who,
            "shown": accepted.get(who, {}).get("n", 0),
            "accepted": accepted.get(who, {}).get("share"),
            "seeded": stamped.get(who, {}).get("n", 0),
            "stamped": stamped.get(who, {}).get("share"),
            "stamped_low": stamped.get(who, {}).get("low"),
            "stamped_high": stamped.get(who, {}).get("high"),
            "blind": timed.get(who, {}).get("blind", 0),
            "time_ratio": timed.get(who, {}).get("ratio"),
        }
        for who in sorted({*accepted, *stamped, *timed})
    ]


def _time(time: Mapping[str, Any]) -> Iterator[str]:
    n = f"{time['plain']['n']:,} with one, {time['blind']['n']:,} without"
    if time["saved"] is not None:
        interval = f"95 % interval {percent(time['saved_low'])} to {percent(time['saved_high'])}"
        if time["saved_low"] > 0:
            yield f"With a prediction people save {percent(time['saved'])} of their time ({interval}; {n})."
        elif time["saved_high"] < 0:
            yield f"With a prediction people take {percent(-time['saved'])} longer ({interval} saved; {n})."
        else:
            yield f"Whether predictions save time is not known yet: {interval} ({n})."
    if time["note"] and time["blind"]["n"]:
        yield time["note"]


def _stamps(stamps: Mapping[str, Any]) -> Iterator[str]:
    rate, luck = stamps["overall"], percent(stamps["luck"])
    if not rate["n"]:
        return
    yield (
        f"Of {rate['n']:,} wrong answers shown on purpose {rate['count']:,} were submitted as they were{_of(rate)}. "
        f"Up to {luck} may be right after all, so a share below that is no sign of anything."
    )
    for row in stamps["annotators"]:
        if row["low"] is not None and row["low"] > stamps["luck"]:
            yield (
                f"{row['annotator']} submitted {row['count']} of {row['n']} as they were{_of(row)}: more than luck "
                "explains."
            )


def _controls(found: Mapping[str, Any]) -> Iterator[str]:
    for name, rate in found["acceptance"]["controls"].items():
        yield f"{name}: {rate['count']:,} of {rate['n']:,} answers shown were accepted{_of(rate)}."
    for name, shift in found["anchoring"]["controls"].items():
        if shift["shift"] is None:
            continue
        interval = f"95 % interval {points(shift['low'])} to {points(shift['high'])} points"
        n = f"{shift['shown']['n']:,} shown, {shift['blind']['n']:,} blind"
        sure = "" if shift["low"] > 0 or shift["high"] < 0 else " That may be chance."
        more = f"{points(abs(shift['shift']))} points {'more' if shift['shift'] >= 0 else 'less'} often"
        yield f"{name}: shown the machine's answer, people give it {more} than blind ({interval}; {n}).{sure}"
    for name, right in found["accuracy"].items():
        if right["difference"] is not None:
            plain, blind = (f"{percent(it['share'])} (n = {it['n']})" for it in (right["plain"], right["blind"]))
            yield f"{name}: where it is settled, people are right on {plain} with a prediction and on {blind} without."
    for name, it in found["corrections"].items():
        yield (
            f"{name}: {it['spoilt']['count']} of {it['spoilt']['n']} right answers shown were changed to wrong ones, "
            f"{it['kept']['count']} of {it['kept']['n']} wrong ones were kept."
        )
    if note := found["anchoring"]["note"]:
        yield note
    for why, n in found["anchoring"]["left_out"].items():
        yield f"{n:,} blind answers are not compared with the machine's: {why}."


def _of(rate: Mapping[str, Any]) -> str:
    if rate["share"] is None:
        return ", too few for a share"
    return f": {percent(rate['share'])} ({percent(rate['low'])} to {percent(rate['high'])})"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def points(share: float) -> str:
    return f"{100 * share:.0f}"
