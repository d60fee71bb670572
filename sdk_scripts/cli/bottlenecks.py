"""Where the manual process loses its time."""

from __future__ import annotations

from typing import Annotated

import typer

from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import Json, LabelConfigFile, Source, dataset_of, read_settings, result


@app.command()
def bottlenecks(
    source: Source,
    label_config: LabelConfigFile = None,
    hourly_cost: Annotated[
        float | None, typer.Option("--hourly-cost", min=0, help="What an annotator's working hour costs.")
    ] = None,
    currency: Annotated[str, typer.Option("--currency", help="Of the hourly cost; only shown.")] = "",
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Rates are those of so many last days.")] = 28,
    labels_per_task: Annotated[
        int | None,
        typer.Option("--labels-per-task", min=1, help="People that are to judge a task; as the project says."),
    ] = None,
    clear_in: Annotated[
        float | None,
        typer.Option(
            "--clear-in", metavar="DAYS", min=0.01, help="Say what it takes to be done with what waits by then."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Where the manual process loses time: pace, queues, rework, cost of a label, and what each change would save."""
    from sdk_scripts.bottlenecks import Asked, bottlenecks_of
    from sdk_scripts.bottlenecks.shown import show
    from sdk_scripts.evidence import Evidence

    settings = read_settings()
    evidence = Evidence.collect(dataset_of(source, label_config, settings), settings)
    asked = Asked(hourly_cost, currency, days, labels_per_task, clear_in)
    found = bottlenecks_of(evidence, settings, asked)
    result(found.model_dump(mode="json"), as_json, lambda _: show(found))
