"""A project's tasks: pre-labeling them, and choosing what is labelled next."""

from __future__ import annotations

from typing import Annotated

import typer

from sdk_scripts import shown
from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import CLEAN, FINDINGS, Json, Project, live_project, progress, read_settings, result, say


@app.command()
def prelabel(
    project: Project,
    only_missing: Annotated[
        bool, typer.Option("--only-missing/--all", help="Only tasks without a prediction of any version, or all.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until it is done.")] = True,
    as_json: Json = False,
) -> None:
    """Push the live version's predictions to the project's tasks. A version predicts a task once.

    By the workers that run, a job for every 10,000 tasks; without one, in this process. Older versions' predictions are
    deleted an hour after another took their place, except on tasks that somebody annotated, skipped or began.
    """
    from sdk_scripts.prelabel_jobs import prelabel as run

    settings = read_settings()
    studio, fields = live_project(project, settings)
    outcome = run(
        settings, fields["id"], only_missing=only_missing, wait=wait, studio=studio, progress=progress(), report=say
    )
    result(outcome, as_json, shown.prelabel)


@app.command("next")
def next_tasks(
    project: Project,
    budget: Annotated[
        int | None, typer.Option(min=1, max=2000, help="Tasks to choose; the manifest's `labeling.batch` or 200.")
    ] = None,
    second_labels: Annotated[
        int, typer.Option(min=0, max=2000, help="At most that many tasks get one more annotation.")
    ] = 0,
    apply: Annotated[bool, typer.Option("--apply", help="Have Label Studio's queue serve them.")] = False,
    as_json: Json = False,
) -> None:
    """What should be labelled next, and why; with --apply the queue of "Uncertainty sampling" serves it."""
    from sdk_scripts.next_batch import next_batch

    settings = read_settings()
    studio, fields = live_project(project, settings)
    batch, stored = next_batch(
        settings,
        fields["id"],
        budget=budget,
        second_labels=second_labels,
        apply=apply,
        studio=studio,
        report=say,
    )
    result({**batch.to_json(), "applied": apply, "stored": stored}, as_json, shown.next)
    raise typer.Exit(FINDINGS if (batch.picks or batch.second) and not apply else CLEAN)
