"""Inspection: what is off, and with whom."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sdk_scripts import shown
from sdk_scripts.cli import lots
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
def inspect(
    source: Source,
    label_config: LabelConfigFile = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", metavar="FILE", help="A rules.yaml instead of the project's own.")
    ] = None,
    lot: lots.Name = None,
    control: lots.Control = None,
    since: lots.Since = None,
    until: lots.Until = None,
    rest: lots.Rest = False,
    out: lots.Out = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="With --lot: put it on record, and make review tasks of its sample.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run the inspection rules: speed, attention, reliability, working with the machine, content, process.

    With --lot, acceptance sampling instead: is this lot of labels good enough, from a sample that reviewers decide?
    """
    from sdk_scripts.inspection import inspect as run
    from sdk_scripts.quality import read_quality

    settings = read_settings()
    dataset = dataset_of(source, label_config, settings)
    quality = read_quality(rules, dataset.config) if rules else None
    if lot is not None:
        lots.inspect_lot(dataset, settings, lots.Asked(lot, control, since, until, rest, apply, out), quality, as_json)
    found = run(dataset, settings, quality=quality)
    for name, why in found.dropped.items():
        say(f"Without the rule {name}: {why}")
    result(found.to_json(), as_json, shown.rows("findings", "severity", "rule", "subject", "message", "cause"))
    raise typer.Exit(FINDINGS if found.findings else CLEAN)
