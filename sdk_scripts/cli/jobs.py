"""Jobs whose tries are used up: which, why, and trying them again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from sdk_scripts.cli.app import jobs
from sdk_scripts.cli.options import CLEAN, FINDINGS, Json, print_json, read_settings, result

if TYPE_CHECKING:
    from ml_backend.queues import Jobs

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Jobs that `list` shows.")]
All = Annotated[bool, typer.Option("--all", help="Every failed job, or with --project every one of that project.")]
OfProject = Annotated[int | None, typer.Option("--project", metavar="ID", help="Only of this project.")]


@jobs.command("list")
def jobs_list(project: OfProject = None, as_json: Json = False) -> None:
    """List the jobs that failed for good in the last week, latest first. Exits with 1 where there are any."""
    from ml_backend.failed_jobs import failed_jobs
    from ml_backend.queues import Jobs
    from sdk_scripts.tables import print_table

    with Jobs(read_settings()) as opened:
        found = [it.to_json() for it in failed_jobs(opened, project)]
    if as_json:
        print_json({"jobs": found})
    elif found:
        print_table(found, list(found[0]))
    else:
        typer.echo("No job has failed.")
    raise typer.Exit(FINDINGS if found else CLEAN)


@jobs.command("retry")
def jobs_retry(ids: Ids = None, every: All = False, project: OfProject = None, as_json: Json = False) -> None:
    """Try failed jobs again, as often as new ones. Those that wait or run already are left alone."""
    from ml_backend.failed_jobs import retry

    _each(retry, "retried", ids, every, project, as_json)


@jobs.command("drop")
def jobs_drop(ids: Ids = None, every: All = False, project: OfProject = None, as_json: Json = False) -> None:
    """Forget failed jobs. What is still due is planned anew when something changes."""
    from ml_backend.failed_jobs import drop

    _each(drop, "dropped", ids, every, project, as_json)


def _each(
    do: Callable[[Jobs, str], bool], done: str, ids: list[str] | None, every: bool, project: int | None, as_json: bool
) -> None:
    from ml_backend.failed_jobs import failed_jobs
    from ml_backend.labeling.errors import InputError
    from ml_backend.queues import Jobs

    if bool(ids) == every or (project is not None and not every):
        raise InputError("Which jobs?", mend="Name their ids, or --all, or --all --project ID.")
    with Jobs(read_settings()) as opened:
        named = ids or [it.id for it in failed_jobs(opened, project)]
        outcome = {id: do(opened, id) for id in named}
    found = {done: [id for id, it in outcome.items() if it], "left": [id for id, it in outcome.items() if not it]}
    result(found, as_json, lambda _: typer.echo(f"{len(found[done])} {done}, {len(found['left'])} left alone."))
