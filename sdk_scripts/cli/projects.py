"""Projects as code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import CLEAN, FINDINGS, Json, read_settings, result, say

if TYPE_CHECKING:
    from sdk_scripts.restore import Restored


@app.command()
def restore(
    backup: Annotated[Path, typer.Argument(metavar="BACKUP", help="A folder in `backups` of Tiebreak's home.")],
    apply: Annotated[
        bool, typer.Option("--apply", help="Make the project; without it, it is said what would be.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a project of a backup again: its settings, tasks, annotations, predictions and views, with other ids."""
    from ml_backend.studio import Studio
    from sdk_scripts.restore import restore as run

    restored = run(Studio.connect(read_settings()), backup, apply=apply)
    result(restored.to_json(), as_json, lambda _: typer.echo(_said(restored)))
    raise typer.Exit(FINDINGS if restored.open else CLEAN)


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


def _said(restored: Restored) -> str:
    from sdk_scripts.tables import plain

    holds = (
        f"{plain(restored.title)!r}: {restored.tasks:,} tasks, {restored.annotations:,} annotations, "
        f"{restored.predictions:,} predictions, {restored.views:,} views"
    )
    if restored.applied:
        return f"{holds}. It is project {restored.project}; a manifest's backend and webhook come with `tiebreak sync`."
    if restored.project is not None and not restored.missing:
        return f"{holds}. It is there already, as project {restored.project}."
    return f"{holds}. Nothing was changed; --apply makes a project of it."
