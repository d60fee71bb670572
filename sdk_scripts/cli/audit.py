"""What Tiebreak changed in Label Studio."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import Json, read_settings, result


@app.command()
def audit(
    project: Annotated[int | None, typer.Option(metavar="ID", help="Only what was asked of this project.")] = None,
    since: Annotated[datetime | None, typer.Option(metavar="DATE", help="Only from then on (UTC).")] = None,
    as_json: Json = False,
) -> None:
    """Every change that Tiebreak asked of Label Studio on this machine: when, by whom, what, the outcome."""
    from ml_backend.studio.trail import Trail

    trail = Trail(read_settings().home.absolute() / "audit")
    entries = list(trail.entries(since=since.isoformat() if since else "", project=project))
    result({"changes": entries}, as_json, lambda _: _show(entries))


def _show(entries: list[dict[str, object]]) -> None:
    from sdk_scripts.tables import print_table

    rows = [{**entry, "at": str(entry["at"])[:19], "outcome": _words(entry["outcome"])} for entry in entries]
    print_table(rows, ["at", "by", "call", "outcome"])


def _words(outcome: object) -> str:
    if not isinstance(outcome, dict) or not outcome.get("ok"):
        return str(outcome.get("error", "failed")) if isinstance(outcome, dict) else "failed"
    return ", ".join(f"{name} {value}" for name, value in outcome.items() if name != "ok") or "done"
