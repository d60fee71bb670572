"""Gold questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import CLEAN, FINDINGS, Json, Project, live_project, read_settings, result, say

WORST = 3
"""Mistakes listed for each annotator."""


@app.command()
def gold(
    project: Project,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; otherwise say what would be done.")] = False,
    as_json: Json = False,
) -> None:
    """Ask annotators questions whose answer is known, score them by it, and retire those that have had their day."""
    from sdk_scripts.gold.tending import tend_gold

    settings = read_settings()
    studio, fields = live_project(project, settings)
    tended = tend_gold(studio, fields, settings, apply=apply, report=say)
    for note in tended.notes:
        say(note)
    result(tended.to_json(), as_json, _show)
    raise typer.Exit(FINDINGS if tended.pending or tended.failed else CLEAN)


def _show(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import print_table

    worst = [{**it, "wrong": _wrong(it["mistakes"])} for it in document["annotators"]]
    tables = {
        "annotators": ["annotator", "control", "asked", "right", "low", "high", "verdict", "harm", "wrong"],
        "questions": ["case", "control", "task", "state", "severity", "exposures", "asked", "right", "open_for", "why"],
        "changes": ["action", "task", "case", "overlap", "detail"],
    }
    for name, columns in tables.items():
        if rows := worst if name == "annotators" else document[name]:
            print_table(rows, columns, title=name)
    if document["changes"] and not document["applied"]:
        say("Nothing was changed: do it with --apply.")


def _wrong(mistakes: Sequence[Mapping[str, Any]]) -> str:
    """The gravest, by task."""
    listed = ", ".join(f"task {it['task']} (severity {it['severity']:g})" for it in mistakes[:WORST])
    return listed + (f" and {len(mistakes) - WORST} more" if len(mistakes) > WORST else "")
