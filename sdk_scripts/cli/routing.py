"""Who decides: machine, people, experts."""

from __future__ import annotations

from typing import Annotated

import typer

from sdk_scripts import shown
from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import CLEAN, FINDINGS, Json, Project, live_project, read_settings, result, say


@app.command("route")
def route(
    project: Project,
    apply: Annotated[bool, typer.Option("--apply", help="Write it; without it, it is said what would be.")] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Delete the machine's annotations; what people changed stays and is listed.")
    ] = False,
    version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="With --undo: those of one model version.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Have auto-accept go on after audits stopped it.")] = False,
    as_json: Json = False,
) -> None:
    """Route each task nobody has touched by the project's policy: to the machine, to people, or to an expert.

    Where audits show that the policy's promise is broken, auto-accept stops by itself until --resume. Ends with 1 where
    something is to be written, or auto-accept stands still.
    """
    from ml_backend.labeling.errors import InputError
    from ml_backend.model_registry import ModelRegistry
    from sdk_scripts.route_jobs import alone
    from sdk_scripts.route_undo import resume as go_on
    from sdk_scripts.route_undo import undo as take_back
    from sdk_scripts.routing import route as run

    if (undo and resume) or (version is not None and not undo):
        raise InputError("--undo and --resume do not go together, and --version belongs to --undo.")
    settings = read_settings()
    studio, fields = live_project(project, settings)
    with alone(settings, fields) as jobs:
        if undo:
            undone = take_back(studio, fields, version=version, apply=apply)
            result(undone.to_json(), as_json, shown.undone)
            raise typer.Exit(FINDINGS if undone.open else CLEAN)
        if resume:
            found = go_on(studio, ModelRegistry(settings.models), fields, apply=apply)
            result(found, as_json, shown.resumed)
            raise typer.Exit(FINDINGS if found["stopped"] and not apply else CLEAN)
        routed = run(settings, jobs, studio, fields, apply=apply, report=say)
    result(routed.to_json(), as_json, shown.routing)
    raise typer.Exit(FINDINGS if routed.open else CLEAN)
