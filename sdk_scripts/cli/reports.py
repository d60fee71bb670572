"""Reports: made, kept, listed, compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import Json, LabelConfigFile, Source, dataset_of, live_project, read_settings, result, say

if TYPE_CHECKING:
    from ml_backend.settings import Settings


@app.command()
def report(
    source: Source,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder for the three files.")] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="FILE|ID",
            help="The report to compare with: a report.json, or an id of the history. The newest if left out.",
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep/--no-keep", help="Keep it in the history of the project, for later ones.")
    ] = True,
    history: Annotated[bool, typer.Option("--history", help="List the reports that are kept, and make none.")] = False,
    label_config: LabelConfigFile = None,
    as_json: Json = False,
) -> None:
    """Write the quality report: report.html, report.xlsx, report.json. With --history, list those that are kept."""
    settings = read_settings()
    if history:
        result(_history(source, settings), as_json, _show_history)
        return
    if out is None:
        raise typer.BadParameter("where to? (--history needs none)", param_hint="--out")
    from ml_backend.labeling.errors import ModelUnavailable
    from sdk_scripts.report import make_report
    from sdk_scripts.report.kept import Before, before_of, chosen_before

    dataset = dataset_of(source, label_config, settings)
    before = Before(chosen_before(against, dataset, settings)) if against else before_of(dataset, settings, out)
    made = make_report(dataset, settings, before)
    files = made.write(out)
    written = {"html": str(files.html), "xlsx": str(files.xlsx), "json": str(files.json)}
    kept = None
    if keep:
        try:
            kept = made.keep(settings, why="command")
        except ModelUnavailable as error:
            say(f"It is not kept in the history: {error}")
    document = written | ({"kept": kept.id} if kept else {})
    result(document, as_json, lambda _: typer.echo("\n".join(written.values())))


def _history(source: str, settings: Settings) -> dict[str, Any]:
    """The newest first."""
    from dataclasses import asdict

    from ml_backend.labeling.results import project_key
    from ml_backend.report_history import ReportHistory

    _, project = live_project(source, settings)
    return {"reports": [asdict(it) for it in ReportHistory(settings, project_key(project)).kept()]}


def _show_history(document: Any) -> None:
    """A few of the figures, so that the ids stay whole; --json has all."""
    from sdk_scripts.report.kept import ALPHA
    from sdk_scripts.tables import print_table

    if not document["reports"]:
        typer.echo("No report is kept yet: `tiebreak report SOURCE --out DIR` keeps one.")
        return
    rows = []
    for it in document["reports"]:
        alphas = [value for name, value in it["figures"].items() if name.startswith(ALPHA) and value is not None]
        lowest = {"lowest_alpha": min(alphas, default=None)}
        rows.append({**it["figures"], **lowest, **it, "made": it["made_at"][:16].replace("T", " ")})
    print_table(rows, ["id", "made", "why", "labeled", "judgements", "lowest_alpha", "hard_cases"])
