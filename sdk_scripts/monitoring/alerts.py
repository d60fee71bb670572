"""What people are told of a project's findings, and when.

One message holds everything that is to be told: new findings from `alert_from` on, those that got markedly worse since
somebody acknowledged them, and which of those told of are cleared. Between two messages of a project lie
TIEBREAK_ALERT_SECONDS. What continues is told of in a digest, at most once a day. What could not be delivered is told
with the next message, tried again after RETRIES. Nothing is told twice, save where a sender is killed after sending
and before noting it: that message comes again, with the same `id`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ml_backend.labeling.errors import UNREADABLE
from ml_backend.labeling.results import read_time
from sdk_scripts.monitoring.alert_formats import Line, Message
from sdk_scripts.monitoring.findings_state import FLAPPING, KEPT, Acknowledgement, Standing, Standings, acknowledged

LISTED = 10
"""Findings that a message names; the rest are counted."""
MOST_TEXT, MOST_NAME = 240, 80
"""Characters."""
DIGEST = timedelta(days=1)
RETRIES = (60.0, 300.0, 1_800.0, 7_200.0, 21_600.0)
"""Seconds until a failed delivery is tried again; the last goes on."""
_EMAIL = re.compile(r"\W*[\w.+-]+@[\w-]+(\.[\w-]+)*\W*")
_DOT = re.compile(r"(?<=\w)\.(?=[^\W\d_]{2})")
"""Of a host's name."""
RANKS = {"low": 0, "medium": 1, "high": 2}


@dataclass(frozen=True, slots=True)
class Known:
    """What people know of one finding."""

    since: str
    """Of the finding then."""
    at: str
    """When they were told of it."""
    worse: str = ""
    """The acknowledgement (its time) that they were told is outdone."""
    cleared: str = ""
    """When they were told that it is gone."""


@dataclass(frozen=True)
class Told:
    findings: Mapping[str, Known] = field(default_factory=dict)
    """By key."""
    last: float = 0.0
    """When the last message arrived; Unix seconds, as all here."""
    digest: float = 0.0
    """When people were last told what is still open."""
    failures: int = 0
    """In a row."""
    again: float = 0.0
    """When to try again after a failure."""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "findings": {key: asdict(it) for key, it in self.findings.items()}}

    @classmethod
    def from_json(cls, read: Mapping[str, Any]) -> Told:
        """A damaged one counts as none."""
        try:
            known = {str(key): Known(**it) for key, it in read["findings"].items()}
            numbers = {name: float(read[name]) for name in ("last", "digest", "again")}
            return cls(known, **numbers, failures=int(read["failures"]))
        except UNREADABLE:
            return cls()

    def failed(self, now: float, after: float = 0.0) -> Told:
        """`after`: seconds that the receiver asks for."""
        wait = max(RETRIES[min(self.failures, len(RETRIES) - 1)], after)
        return replace(self, failures=self.failures + 1, again=now + wait)


@dataclass(frozen=True)
class Due:
    """What is to be told now, or when to look again."""

    message: Message | None = None
    after: Told = Told()
    """Once the message has arrived."""
    at: float | None = None
    """Unix seconds; None: nothing is to be told before the next inspection."""


def due(
    project_key: str,
    standings: Standings,
    known: Mapping[str, Acknowledgement],
    told: Told,
    now: float,
    *,
    pause: float,
) -> Due:
    """`pause`: seconds between two messages of a project."""
    alive = [it for it in standings.open.values() if not it.away and _matters(it, standings.alert_from)]
    aware = acknowledged(alive, known)
    alive.sort(key=lambda it: (-RANKS[it.severity], -it.weight, it.key))
    said = {it.key: known[it.key] for it in alive if it.key in known and known[it.key].since == it.since}
    new = [it for it in alive if it.key not in said and _unheard(it, told)]
    worse = [
        it
        for it in alive
        if it.key in said and it.key not in aware and not _heard_worse(said[it.key], told.findings.get(it.key))
    ]
    gone = [
        it for it in standings.cleared.values() if (then := told.findings.get(it.key)) is not None and not then.cleared
    ]
    still = [it for it in alive if it.key not in aware and it not in new and it not in worse]
    digest = still and not new and not worse and now - max(told.last, told.digest) >= DIGEST.total_seconds()
    if not (new or worse or gone or digest):
        return Due()
    earliest = max(told.last + pause if told.last else 0.0, told.again)
    if now < earliest:
        return Due(at=earliest)
    stamp = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    states = {it.key: "worse" for it in worse} | {it.key: "new" for it in new} | {it.key: "cleared" for it in gone}
    if digest:
        states |= {it.key: "open" for it in still}
    listed = sorted((*new, *worse), key=alive.index) or (still if digest else [])
    message = _message(project_key, standings, listed, gone, [] if digest else still, states, stamp)
    heard = dict(told.findings)
    heard |= {it.key: Known(it.since, stamp) for it in new}
    heard |= {
        it.key: replace(heard.get(it.key, Known(it.since, stamp)), worse=known[it.key].at, cleared="") for it in worse
    }
    heard |= {it.key: replace(heard[it.key], cleared=stamp) for it in gone}
    after = Told(_kept(heard, standings, now), last=now, digest=now if digest else told.digest)
    return Due(message, after)


def harmless(text: str, most: int) -> str:
    """One bounded line in which nothing pings anybody and nothing becomes a link."""
    from sdk_scripts.tables import plain

    line = " ".join(plain(text).split())
    line = line if len(line) <= most else f"{line[: most - 1]}…"
    line = re.sub(r"(?<![\w.+-])@", "@\u200b", line)
    line = line.replace("://", ":\u200b//")
    return " ".join(word if _EMAIL.fullmatch(word) else _DOT.sub(".\u200b", word) for word in line.split(" "))


def _matters(it: Standing, alert_from: str) -> bool:
    return RANKS.get(it.severity, 0) >= RANKS.get(alert_from, 1)


def _unheard(it: Standing, told: Told) -> bool:
    """Known findings are told of anew only when they come back long after, or after people heard that they are gone
    and they are other ones since."""
    heard = told.findings.get(it.key)
    if heard is None or (heard.cleared and heard.since != it.since):
        return True
    since, at = read_time(it.since), read_time(heard.at)
    return since is not None and at is not None and since > at + FLAPPING


def _heard_worse(known: Acknowledgement, heard: Known | None) -> bool:
    return heard is not None and heard.worse == known.at


def _kept(heard: Mapping[str, Known], standings: Standings, now: float) -> dict[str, Known]:
    """Without what is long gone."""

    def fresh(key: str, it: Known) -> bool:
        at = read_time(it.cleared or it.at)
        return key in standings.open or key in standings.cleared or (at is not None and now - at.timestamp() < _LONG)

    return {key: it for key, it in heard.items() if fresh(key, it)}


_LONG = KEPT.total_seconds()


def _message(
    project_key: str,
    standings: Standings,
    found: list[Standing],
    gone: list[Standing],
    still: list[Standing],
    states: Mapping[str, str],
    stamp: str,
) -> Message:
    kind = "digest" if "open" in states.values() else "findings"
    lines = [_line(project_key, it, states[it.key], standings.url) for it in found]
    cleared = [_line(project_key, it, "cleared", standings.url) for it in gone]
    day = (stamp[:10],) if kind == "digest" else ()
    return Message(
        _id(*(it.id for it in (*lines, *cleared)), *day),
        kind,
        harmless(standings.title, MOST_NAME) or project_key,
        standings.url,
        stamp,
        tuple(lines[:LISTED]),
        len(lines[LISTED:]),
        tuple(cleared[:LISTED]),
        len(cleared[LISTED:]),
        len(still),
    )


def _line(project_key: str, it: Standing, state: str, url: str) -> Line:
    return Line(
        _id(project_key, it.key, it.since, state),
        it.key,
        state,
        it.severity,
        it.rule,
        harmless(it.subject, MOST_NAME),
        harmless(f"{'it was: ' * (state == 'cleared')}{it.message}", MOST_TEXT),
        it.cause,
        it.since,
        f"{url}?task={it.evidence[0]}" if url and it.evidence and state != "cleared" else "",
    )


def _id(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:16]
