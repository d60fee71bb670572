"""Inspection: what is off, and with whom."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sdk_scripts import shown
from sdk_scripts.cli import lots
from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import (
    CLEAN,
    FINDINGS,
    Json,
    LabelConfigFile,
    dataset_of,
    live_project,
    read_settings,
    result,
    say,
)


@app.command()
def inspect(
    source: Annotated[
        str | None,
        typer.Argument(metavar="SOURCE", help="A project id, a project.yaml, or a Label Studio JSON export file."),
    ] = None,
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
        bool,
        typer.Option(
            "--apply",
            help="Keep what was found, tell people, and open review tasks. With --lot: put it on record, and make "
            "review tasks of its sample.",
        ),
    ] = False,
    rule: Annotated[
        list[str] | None, typer.Option("--rule", metavar="NAME", help="Findings of this rule only; may be repeated.")
    ] = None,
    annotator: Annotated[
        list[str] | None, typer.Option("--annotator", metavar="WHO", help="Findings about this annotator only.")
    ] = None,
    min_severity: Annotated[
        Literal["low", "medium", "high"], typer.Option("--min-severity", help="Findings from this severity on.")
    ] = "low",
    ack: Annotated[
        str | None, typer.Option("--ack", metavar="KEY", help="Acknowledge a finding: it is known, and stays.")
    ] = None,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why it stays; with --ack.")] = "",
    list_rules: Annotated[bool, typer.Option("--list", help="Explain every rule and its parameters.")] = False,
    as_json: Json = False,
) -> None:
    """Run the inspection rules: speed, attention, reliability, working with the machine, content, process.

    Findings are new or continuing against the last inspection that was kept; without --apply nothing is written.
    With --lot, acceptance sampling instead: is this lot of labels good enough, from a sample that reviewers decide?
    """
    from sdk_scripts.rules import RULES

    if list_rules:
        from sdk_scripts.monitoring.inspection_words import rule_list

        result({"rules": rule_list()}, as_json, shown.inspection_rules)
        return
    if source is None:
        raise typer.BadParameter("which project or file? (--list needs none)", param_hint="SOURCE")
    settings = read_settings()
    if ack is not None:
        from dataclasses import asdict

        from sdk_scripts.monitoring.watching import acknowledge

        _, fields = live_project(source, settings)
        result(asdict(acknowledge(settings, fields, ack, why)), as_json, shown.fields)
        return
    from ml_backend.labeling.errors import InputError
    from sdk_scripts.monitoring.jobs import alone
    from sdk_scripts.monitoring.watching import ONLY_A_FILE, Shown, follow_up, look
    from sdk_scripts.quality import read_quality

    if rules and apply and lot is None:
        raise InputError(
            "--rules tries other rules than the project's; --apply keeps what the project's own rules find.",
            mend="Name the file as `quality:` in project.yaml and run `tiebreak sync … --apply`.",
        )
    meant = Shown([RULES[name].name for name in rule or ()], annotator or (), min_severity)
    dataset = dataset_of(source, label_config, settings)
    quality = read_quality(rules, dataset.config) if rules else None
    if lot is not None:
        lots.inspect_lot(dataset, settings, lots.Asked(lot, control, since, until, rest, apply, out), quality, as_json)
    if apply and dataset.project is None:
        raise InputError("A file has no findings to keep.", mend="Leave --apply out, or name a project.")
    if apply:
        with alone(settings, dataset.project or {}) as jobs:
            found = look(dataset, settings)
            found = follow_up(found, settings, jobs, reviewed=found.pending(meant), report=say)
    else:
        found = look(dataset, settings, quality=quality)
    if not found.stored:
        say(ONLY_A_FILE)
    for name, reason in found.inspection.dropped.items():
        say(f"Without the rule {name}: {reason}")
    result(found.to_json(meant), as_json, shown.inspection)
    raise typer.Exit(FINDINGS if found.pending(meant) else CLEAN)
