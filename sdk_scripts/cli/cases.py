"""The library of settled hard cases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdk_scripts.cli.app import cases
from sdk_scripts.cli.options import Json, Project, live_project, read_settings, result, say

if TYPE_CHECKING:
    from ml_backend.cases import Use


class For(StrEnum):
    """What a case may be used for, see `ml_backend.cases.USES`."""

    precedent = "precedent"
    gold = "gold"
    regression = "regression"


Ids = Annotated[list[int], typer.Argument(metavar="CASE…", help="Ids that `list` shows.")]
Uses = Annotated[
    list[For] | None,
    typer.Option("--use", help="What it is for, repeatable; precedent and regression if not given."),
]


@cases.command("add")
def cases_add(
    project: Project,
    tasks: Annotated[list[int], typer.Argument(metavar="TASK…", help="Ids of the project's tasks.")],
    control: Annotated[str | None, typer.Option(metavar="NAME", help="One control only.")] = None,
    severity: Annotated[str, typer.Option(help="How bad a wrong answer would be.")] = "",
    clause: Annotated[str, typer.Option(help="Of the guidelines.")] = "",
    rationale: Annotated[str, typer.Option(help="Why the answer is right.")] = "",
    use: Uses = None,
    expires: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="From then on it is no case any more.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add settled answers of the project: what a review decided, else ground truth. A case is added once."""
    from dataclasses import replace

    from sdk_scripts.case_library import add_cases
    from sdk_scripts.settled_answers import settled_cases

    settings = read_settings()
    studio, fields = live_project(project, settings)
    given: dict[str, Any] = {
        "severity": severity,
        "clause": clause,
        "rationale": rationale,
        "uses": _uses(use),
        "expires": expires.date().isoformat() if expires else "",
    }
    said = {name: value for name, value in given.items() if value}
    new = [replace(case, **said) for case in settled_cases(studio, fields, tasks, control)]
    result(add_cases(studio, fields, new, settings).to_json(), as_json, _added)


@cases.command("list")
def cases_list(
    project: Project,
    use: Annotated[For | None, typer.Option("--use", help="Only those that may be used so now.")] = None,
    stale: Annotated[bool, typer.Option("--stale", help="Only those settled under other guidelines.")] = False,
    as_json: Json = False,
) -> None:
    """List the cases, with their state: a case holds, is stale since the guidelines changed, or has expired."""
    from sdk_scripts.case_rows import list_cases

    studio, fields = live_project(project, read_settings())
    wanted = _uses([use])[0] if use else None
    result(list_cases(studio, fields, datetime.now(UTC), use=wanted, stale=stale), as_json, _rows)


@cases.command("search")
def cases_search(
    project: Project,
    text: Annotated[str, typer.Argument(help="A text like the cases', or words about them.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most that many.")] = 10,
    as_json: Json = False,
) -> None:
    """Find cases by meaning, the nearest first."""
    from ml_backend.encoder import load_encoder
    from sdk_scripts.case_rows import search_cases

    settings = read_settings()
    studio, fields = live_project(project, settings)
    found = search_cases(studio, fields, text, load_encoder(settings), datetime.now(UTC), most=limit)
    result(found, as_json, _rows)


@cases.command("promote")
def cases_promote(
    project: Project,
    ids: Ids,
    to: Annotated[list[For], typer.Option("--to", help="What they are for, repeatable.")],
    remove: Annotated[bool, typer.Option("--remove", help="Not any more.")] = False,
    as_json: Json = False,
) -> None:
    """Use cases as precedents, as gold questions for annotators, or as a regression set for models."""
    from sdk_scripts.case_edits import promote

    studio, fields = live_project(project, read_settings())
    result(promote(studio, fields, ids, _uses(to), remove=remove).to_json(), as_json, _edited)


@cases.command("renew")
def cases_renew(
    project: Project,
    ids: Annotated[list[int] | None, typer.Argument(metavar="[CASE…]", help="Ids that `list --stale` shows.")] = None,
    all: Annotated[bool, typer.Option("--all", help="Every stale case.")] = False,
    as_json: Json = False,
) -> None:
    """Say that stale cases hold under the guidelines of today."""
    from ml_backend.labeling.errors import InputError
    from sdk_scripts.case_edits import renew

    if bool(ids) == all:
        raise InputError("Which cases are to be renewed?", mend="Give their ids, or --all.")
    studio, fields = live_project(project, read_settings())
    result(renew(studio, fields, None if all else ids).to_json(), as_json, _edited)


def _uses(use: list[For] | None) -> tuple[Use, ...]:
    return tuple(it.value for it in use or ())


def _added(document: Mapping[str, Any]) -> None:
    if document["project"] is not None:
        again = f", {document['updated']} decided again" if document["updated"] else ""
        typer.echo(f"{document['created']} cases added{again}, {document['existing']} were there: {document['url']}")


def _edited(document: Mapping[str, Any]) -> None:
    typer.echo(f"{len(document['changed'])} cases changed, {len(document['unchanged'])} were so already.")


def _rows(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import print_table
    from sdk_scripts.wording import short

    if not document["items"]:
        say("There is no such case. `tiebreak cases add` keeps settled ones.")
        return
    rows = [
        {
            **row,
            "uses": ", ".join(row["uses"]),
            "text": short(row["text"], 80),
            "rationale": short(row["rationale"], 80),
        }
        for row in document["items"]
    ]
    found = ["similarity"] if "similarity" in rows[0] else []
    print_table(rows, [*found, "case", "control", "answer", "state", "uses", "severity", "text", "rationale", "url"])
