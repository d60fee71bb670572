"""What is wrong with this installation."""

from __future__ import annotations

from typing import Annotated

import typer

from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import CLEAN, FINDINGS, Json, print_json, read_settings


@app.command()
def doctor(
    project: Annotated[
        str | None,
        typer.Argument(metavar="[PROJECT]", help="A project id or a project.yaml, to have its connection looked at."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check Label Studio, Redis, workers, the backend, the encoder and a project's connection, each with its mend."""
    from sdk_scripts.doctor import diagnose
    from sdk_scripts.tables import plain

    checks = []
    for found in diagnose(read_settings(), project):
        checks.append(found)
        if not as_json:
            mark = {True: "ok  ", False: "FAIL", None: "–   "}[found.ok]
            typer.echo(f"{mark}  {found.name}: {plain(found.detail)}")
            if found.mend:
                typer.echo(f"      → {plain(found.mend)}")
    if as_json:
        print_json({"checks": [it.to_json() for it in checks]})
    raise typer.Exit(FINDINGS if any(it.ok is False for it in checks) else CLEAN)
