"""What Tiebreak changed in Label Studio, and taking it back."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import CLEAN, FINDINGS, Json, read_settings, result

if TYPE_CHECKING:
    from collections.abc import Mapping

trail_app = typer.Typer(invoke_without_command=True)
app.add_typer(trail_app, name="audit")

ProjectId = Annotated[int | None, typer.Option("--project", metavar="ID", help="Only what was asked of this project.")]
Since = Annotated[datetime | None, typer.Option(metavar="DATE", help="Only from then on (UTC).")]


@trail_app.callback()
def audit(context: typer.Context, project: ProjectId = None, since: Since = None, as_json: Json = False) -> None:
    """Every change that Tiebreak asked of Label Studio on this machine: when, by whom, what, the outcome; undo."""
    from ml_backend.studio.trail import Trail

    if context.invoked_subcommand is not None:
        return
    trail = Trail(read_settings().home.absolute() / "audit")
    entries = list(trail.entries(since=since.isoformat() if since else "", project=project))
    result({"changes": entries}, as_json, lambda _: _show(entries))


@trail_app.command()
def undo(
    entries: Annotated[list[str] | None, typer.Argument(metavar="[ENTRY]…", help="Ids of changes.")] = None,
    run: Annotated[str, typer.Option(metavar="RUN", help="The changes of one run of a command or job.")] = "",
    project: ProjectId = None,
    since: Since = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without it, it is said what would be.")] = False,
    as_json: Json = False,
) -> None:
    """Take changes back, the latest first: what Tiebreak made goes, what it changed is put back.

    What somebody else has changed since is left alone, and said. Ends with 1 where something is left to do, or cannot
    be undone.
    """
    from ml_backend.studio import Studio
    from ml_backend.studio.trail import Trail
    from sdk_scripts.undo import Chosen
    from sdk_scripts.undo import undo as take_back

    settings = read_settings()
    chosen = Chosen(tuple(entries or ()), run, project, since.isoformat() if since else "")
    trail = Trail(settings.home.absolute() / "audit")
    undone = take_back(Studio.connect(settings), trail, chosen, settings.folder("backups"), apply=apply)
    result(undone.to_json(), as_json, _show_undone)
    raise typer.Exit(FINDINGS if undone.open else CLEAN)


def _show(entries: list[dict[str, object]]) -> None:
    from sdk_scripts.tables import print_table

    rows = [{**entry, "at": str(entry["at"])[:19], "outcome": _words(entry["outcome"])} for entry in entries]
    print_table(rows, ["id", "run", "at", "by", "call", "outcome"])


def _words(outcome: object) -> str:
    if not isinstance(outcome, dict) or not outcome.get("ok"):
        return str(outcome.get("error", "failed")) if isinstance(outcome, dict) else "failed"
    return ", ".join(f"{name} {value}" for name, value in outcome.items() if name != "ok") or "done"


def _show_undone(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import print_table

    words = {"undo": "done" if document["applied"] else "to do"}
    rows = [
        {**step, "at": str(step["at"])[:19], "state": words.get(step["state"], step["state"])}
        for step in document["steps"]
    ]
    print_table(rows, ["entry", "at", "what", "state", "why"])
    for path in document["backups"]:
        typer.echo(f"Backed up to {path}; `tiebreak restore` brings it back.")
    if not document["applied"] and any(step["state"] == "undo" for step in document["steps"]):
        typer.echo("Nothing was changed; --apply does it.")
