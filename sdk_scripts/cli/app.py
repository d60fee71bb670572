"""The command line itself, which the modules beside this one hang their commands on."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="tiebreak",
    help="The machine labels first, people look second, hard cases get a second pair of eyes: for Label Studio.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich alone would cost a third of the half second that help may take
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _everywhere(
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Read live projects anew, not what changed since they were read last.")
    ] = False,
) -> None:
    """`options.read_settings` looks at it."""


models = typer.Typer(help="The versions of a project's model: list, show, promote, roll back.", no_args_is_help=True)
app.add_typer(models, name="models")
cases = typer.Typer(help="The library of settled hard cases: add, search, list, promote, renew.", no_args_is_help=True)
app.add_typer(cases, name="cases")
onboard = typer.Typer(
    help="The course for new annotators: practice, exam, a certificate for each control.", no_args_is_help=True
)
app.add_typer(onboard, name="onboard")
calibrate = typer.Typer(help="Calibration rounds: start one, and what it shows.", no_args_is_help=True)
app.add_typer(calibrate, name="calibrate")
jobs = typer.Typer(help="Jobs that failed for good: list, retry, drop.", no_args_is_help=True)
app.add_typer(jobs, name="jobs")
