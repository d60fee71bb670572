"""Projects as code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import CLEAN, FINDINGS, Json, read_settings, result, say


@app.command()
def sync(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="project.yaml files or their folders.")],
    apply: Annotated[bool, typer.Option("--apply", help="Carry the plan out.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Also delete views, webhooks and backends the manifest dropped.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Drop labels even where annotations use them.")] = False,
    as_json: Json = False,
) -> None:
    """Projects as code: print what would change, or apply it."""
    from sdk_scripts.plan_output import render
    from sdk_scripts.sync import sync as run

    outcome = run(paths, read_settings(), apply=apply, prune=prune, force=force, report=say)
    result(outcome.to_json(), as_json, lambda _: typer.echo(render(outcome)))
    raise typer.Exit(FINDINGS if outcome.changes and not outcome.applied else CLEAN)
