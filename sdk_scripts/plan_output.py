"""A sync outcome as text for people. (As JSON it is `to_json` of the outcome.)"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sdk_scripts.plan import Change, Diff
from sdk_scripts.tables import plain

if TYPE_CHECKING:
    from sdk_scripts.sync import SyncOutcome

_SIGNS = {"create": "+", "update": "~", "delete": "-"}
MAX_LINES = 40
"""Of one field's diff."""
MAX_WIDTH = 200


def render(outcome: SyncOutcome) -> str:
    """Everything the outcome says. Names and values are untrusted: they are shown without control characters."""
    return "\n".join(_lines(outcome))


def _lines(outcome: SyncOutcome) -> Iterator[str]:
    for project, changes in groupby(outcome.changes, key=lambda change: change.project):
        id = outcome.projects.get(project)
        yield plain(project) + (f" (project {id})" if id is not None else "")
        for change in changes:
            yield f"  {_SIGNS[change.action]} {change.kind} {plain(change.name)}"
            yield from _fields(change)
    for rejects in outcome.rejects:
        yield f"{plain(rejects.source)}: {rejects.count:,} rows cannot be tasks; they are in {plain(rejects.file)}"
        yield from (f"  {count:,} × {plain(reason)}" for reason, count in rejects.reasons.most_common(5))
    yield from (f"Note: {plain(note)}." for note in outcome.notes)
    yield from (f"Refused: {plain(refusal.reason)}." for refusal in outcome.refusals)
    yield _summary(outcome)


def _summary(outcome: SyncOutcome) -> str:
    if not outcome.changes:
        return "Label Studio is as the manifests say."
    counts = {sign: sum(change.action == sign for change in outcome.changes) for sign in _SIGNS}
    if outcome.applied:
        done = ", ".join(f"{count} {sign}d" for sign, count in counts.items() if count)
        return f"Applied and verified: {done}."
    planned = ", ".join(f"{count} to {sign}" for sign, count in counts.items() if count)
    return f"Plan: {planned}. Nothing was changed; --apply carries it out."


def _fields(change: Change) -> Iterator[str]:
    for name, diff in change.fields.items():
        if change.kind == "tasks":
            yield f"      {diff.after - diff.before:,} new, {diff.before:,} already there"
        elif isinstance(diff.after, str) and ("\n" in diff.after or len(diff.after) > MAX_WIDTH):
            yield f"      {name}:"
            yield from _text_diff(diff)
        elif change.action == "create":
            yield f"      {name}: {_value(diff.after)}"
        else:
            yield f"      {name}: {_value(diff.before)} -> {_value(diff.after)}"


def _text_diff(diff: Diff) -> Iterator[str]:
    before, after = str(diff.before or "").splitlines(), diff.after.splitlines()
    lines = list(difflib.unified_diff(before, after, lineterm="", n=1))[2:]
    lines = [line for line in lines if not line.startswith("@@")]
    yield from (f"        {_cut(line[:1] + plain_line(line[1:]))}" for line in lines[:MAX_LINES])
    if len(lines) > MAX_LINES:
        yield f"        … {len(lines) - MAX_LINES} more lines"


def plain_line(line: str) -> str:
    """`plain`, with the indentation kept."""
    return line[: len(line) - len(line.lstrip(" "))] + plain(line)


def _value(value: Any) -> str:
    if value is None or value in ("", [], ()):
        return "none"
    if isinstance(value, list | tuple):
        return _cut("; ".join(plain(item) for item in value))
    return _cut(f'"{plain(value)}"' if isinstance(value, str) else plain(value))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_WIDTH else f"{text[:MAX_WIDTH]}…"
