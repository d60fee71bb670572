"""What the commands print for people. Texts and comments are annotators' words: tables show them as plain text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from sdk_scripts.tables import plain, print_table

_TEXT = 80
"""Characters of an example."""


def started(document: Mapping[str, Any]) -> None:
    strata = ", ".join(f"{n} {name}" for name, n in document["strata"].items())
    _say(f"{document['round']}: {document['tasks']} tasks ({strata}), guidelines {document['policy'] or 'none'}.")
    for it in document["short"]:
        filled = ", ".join(f"{n} {name}" for name, n in it["filled_from"].items())
        _say(f"Only {it['found']} of {it['wanted']} {it['stratum']} tasks; filled with {filled or 'nothing'}.")
    for who, n in document["judged_before"].items():
        _say(f"{who} has judged {n} of them before.")
    if document["gone"]:
        _say(f"{document['gone']} tasks of the round are not in the source any more.")
    print_table(document["annotators"], ("annotator", "tasks", "created", "project", "url"))
    due = sum(it["created"] for it in document["annotators"])
    if document["applied"]:
        _say(f"{due} tasks made." if due else "Everything was there.")
    else:
        _say(f"{due} tasks to make.{' Add --apply.' if due else ''}")


def report(document: Mapping[str, Any]) -> None:
    _say(f"{document['round']} has {'passed' if document['passed'] else 'not passed'}. {document['why']}")
    for it in document["not_counted"]:
        _say(f"{it['answers']} answers of {it['annotator']} in the project of {it['project_of']} do not count.")
    controls = [{"control": name, **it} for name, it in document["controls"].items()]
    figures = ("items", "percent", "alpha", "alpha_low", "alpha_high", "ac1", "read", "verdict", "needed")
    print_table(controls, ("control", *figures))
    for it in controls:
        if it["skewed"]:
            _say(f"{it['control']}: {it['read_why']}.")
    pairs = [{"control": name, **it} for name, control in document["controls"].items() for it in control["pairs"]]
    _table("Between two annotators (Cohen's kappa)", pairs, ("control", "a", "b", "items", "percent", "kappa"))
    strata = [
        {"control": control["control"], "stratum": name, **it}
        for control in controls
        for name, it in control["strata"].items()
        if it["items"]
    ]
    _table("By stratum", strata, ("control", "stratum", "items", "percent", "alpha", "alpha_low", "alpha_high"))
    confused = [
        {"control": it["control"], "taken for each other": " / ".join(it["labels"]), "items": it["items"], **_first(it)}
        for it in document["confusions"]
    ]
    _table("Most confused", confused, ("control", "taken for each other", "items", "task", "text", "said", "gold"))
    _table(
        "Annotators",
        [{"annotator": who, **it} for who, it in document["annotators"].items()],
        ("annotator", "answered", "skipped", "waiting"),
    )
    for who, it in document["annotators"].items():
        for sentence in it["biases"]:
            _say(f"{who} {sentence}.")
    _table(
        "To clarify",
        [{**it, "section": it["section"] or "(none)"} for it in document["sections"]],
        ("section", "reason", "do"),
    )
    _table("Comments", document["feedback"], ("annotator", "task", "said"))
    rounds = ("round", "policy", "tasks", "alpha", "alpha_low", "alpha_high", "passed", "complete")
    _table("Rounds", document["history"], rounds)
    for it in document["history"]:
        for control, change in it["change"].items():
            real = "more than chance" if change["more_than_chance"] else "within chance"
            _say(f"{it['round']}, {control}: alpha {change['alpha']:+.2f} on the round before, {real}.")
    for note in document["notes"]:
        _say(note)


def _first(confusion: Mapping[str, Any]) -> dict[str, Any]:
    example = next(iter(confusion["examples"]), None)
    if example is None:
        return {}
    said = ", ".join(f"{who}: {answer}" for who, answer in example["said"].items())
    task = example.get("task") or f"case {example.get('case')}"
    return {"task": task, "text": example["text"][:_TEXT], "said": said, "gold": example["gold"]}


def _table(title: str, rows: list[Mapping[str, Any]] | list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    if rows:
        typer.echo()
        print_table(rows, columns, title=title)


def _say(sentence: str) -> None:
    typer.echo(plain(sentence))
