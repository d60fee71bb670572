"""Hard cases, from finding to deciding."""

from __future__ import annotations

from typing import Annotated

import typer

from sdk_scripts import shown
from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import (
    CLEAN,
    FINDINGS,
    Json,
    LabelConfigFile,
    Project,
    Source,
    dataset_of,
    live_project,
    read_settings,
    result,
    say,
)


@app.command("hard-cases")
def hard_cases(
    source: Source,
    label_config: LabelConfigFile = None,
    budget: Annotated[
        int | None,
        typer.Option(min=1, help="At most that many, the hardest; instead of the project's `hard_cases.budget.a_run`."),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Make review tasks of them, for the reviewers of `hard_cases`.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Rank the tasks whose label cannot be trusted yet, hardest first, with the reasons."""
    from sdk_scripts.mining import mine

    settings = read_settings()
    found = mine(dataset_of(source, label_config, settings), settings, budget=budget, apply=apply, report=say)
    result(found.to_json(), as_json, shown.hard_cases)
    raise typer.Exit(FINDINGS if found.items else CLEAN)


@app.command()
def resolve(
    source: Project,
    apply: Annotated[bool, typer.Option("--apply", help="Write the decisions; without it they are listed.")] = False,
    as_json: Json = False,
) -> None:
    """Write what reviewers decided back to the source project as ground truth; conflicts are listed, not overwritten.

    Each decision is an annotation of its own, with its reviewer, cause, policy clause and the version of the
    guidelines. Where two reviewers differ, a third is asked.
    """
    from sdk_scripts.resolve import resolve as run

    settings = read_settings()
    studio, fields = live_project(source, settings)
    found = run(studio, fields, settings, apply=apply, report=say)
    result(found.to_json(), as_json, shown.resolution)
    raise typer.Exit(FINDINGS if found.pending else CLEAN)


@app.command()
def reopen(
    source: Project,
    task: Annotated[int, typer.Argument(min=1, metavar="TASK", help="The source task's id.")],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="What is wrong with the decision.")],
    control: Annotated[str | None, typer.Option(metavar="NAME", help="Where the task has several cases.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Make the review tasks.")] = False,
    as_json: Json = False,
) -> None:
    """Appeal a decision: somebody else decides the case again, and sees the decision and what is wrong with it."""
    from sdk_scripts.appeals import reopen as run

    settings = read_settings()
    studio, fields = live_project(source, settings)
    found = run(studio, fields, settings, task, why, control=control, apply=apply, report=say)
    result(found.to_json(), as_json, shown.fields)
    raise typer.Exit(FINDINGS if found.pending else CLEAN)
