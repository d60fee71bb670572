"""What annotators say back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import (
    CLEAN,
    FINDINGS,
    Json,
    LabelConfigFile,
    Source,
    dataset_of,
    read_settings,
    result,
    say,
)


@app.command()
def feedback(
    source: Source,
    label_config: LabelConfigFile = None,
    apply: Annotated[
        bool,
        typer.Option("--apply", help="Keep a project with a task for each group; a lead says there what was done."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Feedback of annotators, grouped by meaning; which groups are open, and what was done about the others."""
    from sdk_scripts.feedback.said import feedback as run

    settings = read_settings()
    found = run(dataset_of(source, label_config, settings), settings, apply=apply, report=say)
    if found.note:
        say(found.note)
    result(found.to_json(), as_json, _show)
    raise typer.Exit(FINDINGS if found.open or found.reopened else CLEAN)


def _show(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import print_table

    if not (document["comments"] or document["groups"]):
        say("Nobody has said anything yet.")
        return
    rows = [
        {
            "group": it["id"],
            "title": it["title"],
            "kind": it["kind"],
            "said": it["pair"] and f"{it['pair']['said']}, not {it['pair']['others']}",
            "comments": it["size"],
            "annotators": len(it["annotators"]),
            "state": it["state"].replace("_", " ")
            + (f", {it['new_since_closed']} new" if it["new_since_closed"] else ""),
            "waited days": it["waited_days"],
            "section": (it["section"] or {}).get("heading"),
            "example": it["examples"][0]["link"] or f"task {it['examples'][0]['task']}",
        }
        for it in document["groups"]
    ]
    columns = "group title kind said comments annotators state new waited_days section example"
    print_table(rows, columns.split())
    people = document["frequency"]["by_annotator"]
    print_table(people, ["annotator", "comments", "annotations", "share"])
