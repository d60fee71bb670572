"""The course for new annotators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sdk_scripts.cli.app import onboard
from sdk_scripts.cli.options import CLEAN, FINDINGS, Json, Project, live_project, read_settings, result, say

Apply = Annotated[
    bool, typer.Option("--apply", help="Write it to Label Studio; otherwise only say what would be done.")
]
_EMAIL = "The e-mail they sign in to Label Studio with."


@onboard.command("start")
def onboard_start(
    project: Project,
    annotator: Annotated[str, typer.Option("--annotator", metavar="EMAIL", help=_EMAIL)],
    apply: Apply = False,
    as_json: Json = False,
) -> None:
    """Begin somebody's course; again after an exam that was not passed, or when the guidelines have changed."""
    from sdk_scripts.onboarding.courses import start_course

    settings = read_settings()
    studio, fields = live_project(project, settings)
    taken = start_course(studio, fields, annotator, settings, apply=apply)
    if taken.who not in {email.lower() for email in studio.annotators().values()}:
        say(f"Nobody has signed up to Label Studio as {taken.who} yet: invite them from its People page.")
    result(taken.to_json(), as_json, _step)
    raise typer.Exit(CLEAN if apply or taken.step.empty else FINDINGS)


@onboard.command("advance")
def onboard_advance(
    project: Project,
    annotator: Annotated[
        str | None, typer.Option("--annotator", metavar="EMAIL", help="One person's course only; all otherwise.")
    ] = None,
    apply: Apply = False,
    as_json: Json = False,
) -> None:
    """Show the answers of finished sets, give the next ones, and decide exams."""
    from sdk_scripts.onboarding.courses import advance_courses

    settings = read_settings()
    studio, fields = live_project(project, settings)
    taken = advance_courses(studio, fields, settings, who=annotator, apply=apply)
    result({"courses": [it.to_json() for it in taken]}, as_json, _steps)
    raise typer.Exit(CLEAN if apply or all(it.step.empty for it in taken) else FINDINGS)


@onboard.command("status")
def onboard_status(project: Project, as_json: Json = False) -> None:
    """Show where everybody stands, and who may label what. Exit code 1 where a command or a reviewer is waited for."""
    from sdk_scripts.onboarding.status import status

    document = status(*live_project(project, read_settings()))
    result(document, as_json, _status)
    raise typer.Exit(FINDINGS if document["waiting"] else CLEAN)


def _step(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import plain

    typer.echo(plain(f"{document['annotator']}: {document['says']} {document['url']}".strip()))
    if not document["applied"] and (document["new_tasks"] or document["changed_tasks"]):
        say("Nothing is written yet: add --apply.")


def _steps(document: Mapping[str, Any]) -> None:
    if not document["courses"]:
        say("There is no course. Begin one with `tiebreak onboard start`.")
    for one in document["courses"]:
        _step(one)


def _status(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import print_table

    rows = [
        {
            **it,
            "progress": f"{it['done']} of {it['of']}",
            "certificates": ", ".join(
                f"{name} {one['state']} ({one['right']} of {one['n']})" for name, one in it["certificates"].items()
            ),
            "edited": len(it["edited"]),
            "by others": len(it["answered_by_others"]),
        }
        for it in document["people"]
    ]
    if rows:
        columns = ["annotator", "stage", "attempt", "set", "progress", "certificates", "edited", "by others"]
        print_table(rows, [*columns, "waits_for", "url"])
    may = [{"control": name, "may label": ", ".join(who) or "nobody"} for name, who in document["may_label"].items()]
    print_table(may, ["control", "may label"])
    for who, controls in document["reviewers_without"].items():
        say(f"The reviewer {who} has no certificate for {', '.join(controls)}.")
    say(document["note"])
