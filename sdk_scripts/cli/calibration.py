"""Calibration rounds: the same tasks, several people, each alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sdk_scripts.cli.app import calibrate
from sdk_scripts.cli.options import CLEAN, FINDINGS, Json, Project, live_project, read_settings, result, say

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from sdk_scripts.sources import Dataset

RoundName = Annotated[str, typer.Option("--round", metavar="NAME", help="The round; the newest if not given.")]


@calibrate.command("start")
def calibrate_start(
    source: Project,
    annotators: Annotated[str, typer.Option(metavar="E-MAIL,…", help="Two people or more.")],
    name: Annotated[str, typer.Option("--round", metavar="NAME", help="The round; round-1, -2, … if not given.")] = "",
    size: Annotated[
        int | None, typer.Option(min=8, max=1000, help="Tasks; `calibration.size` of rules.yaml if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another one draws other tasks.")] = 0,
    apply: Annotated[bool, typer.Option("--apply", help="Make the projects; without it they are planned.")] = False,
    as_json: Json = False,
) -> None:
    """Choose sure, unsure, hard and gold tasks, and make one blind project of them for each annotator."""
    from sdk_scripts.calibration import shown
    from sdk_scripts.calibration.start import start

    settings = read_settings()
    found = start(
        _dataset(source, settings),
        settings,
        annotators.split(","),
        name=name,
        size=size,
        seed=seed,
        apply=apply,
        report=say,
    )
    result(found.to_json(), as_json, shown.started)
    raise typer.Exit(FINDINGS if found.pending else CLEAN)


@calibrate.command("report")
def calibrate_report(source: Project, name: RoundName = "", as_json: Json = False) -> None:
    """Say how well a round was agreed about, where it was not, who leans which way, and what to clarify."""
    from sdk_scripts.calibration import shown
    from sdk_scripts.calibration.report import report

    document = report(_dataset(source, read_settings()), name)
    result(document, as_json, shown.report)
    raise typer.Exit(CLEAN if document["passed"] else FINDINGS)


def _dataset(source: str, settings: Settings) -> Dataset:
    """Raises InputError for a file, which has no rounds."""
    from sdk_scripts.sources import read_project

    dataset = read_project(*live_project(source, settings), settings)
    for warning in dataset.warnings:
        say(warning)
    return dataset
