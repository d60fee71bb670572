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
    Source,
    dataset_of,
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
