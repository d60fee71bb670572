"""A backtest in the terminal: the verdict, then the figures behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from sdk_scripts.tables import plain, print_table


def show(document: Mapping[str, Any]) -> None:
    for sentence in document["verdict"]:
        typer.echo(f"- {plain(sentence)}")
    print_table(curve(document), list(curve(document)[0]), title="\nLearning curve, on texts not seen")
    print_table(
        document["full"]["by_label"], ["label", "n", "precision", "recall", "f1", "taken_for"], title="\nBy label"
    )
    if large := document.get("large_model"):
        title = f"\n{large['model']} on {large['texts']:,} test texts, each asked with and without examples"
        print_table(ways(large), list(ways(large)[0]), title=title)
        title = "\nA cascade that asks it below a confidence of the local model; tokens and money per 1,000 texts"
        print_table(cascade(large), list(cascade(large)[0]), title=title)
    for path in document.get("files", {}).values():
        typer.echo(path)


def curve(document: Mapping[str, Any]) -> list[dict[str, object]]:
    """The learning curve as rows of a table, with what needs no labels first."""
    usual, guess = document["majority"], document["zero_shot"]
    rows: list[dict[str, object]] = [{"what": f"always {usual['answer']}", "labels": 0, **_short(usual)}]
    if guess is not None:
        rows.append({"what": "names of the labels alone", "labels": 0, **_short(guess), "ECE": guess["ece"]})
    few = [(f"{row['per_class']} a class", row) for row in document["shots"] if not row.get("all")]
    stream = [("all" if row.get("all") else "in random order", row) for row in document["stream"]]
    for what, row in [*few, *stream]:
        rows.append(
            {
                "what": what,
                "labels": row["labels"],
                **_short(row),
                "± (sd)": row.get("accuracy_sd"),
                "ECE": row["ece"],
                **{f"accepted at {100 * float(name):g} %": share for name, share in row["coverage"].items()},
                "TF-IDF": row["tfidf"]["accuracy"],
                "TF-IDF macro F1": row["tfidf"]["macro_f1"],
            }
        )
    every = dict.fromkeys(name for row in reversed(rows) for name in row)
    return [{name: row.get(name) for name in every} for row in rows]


def ways(large: Mapping[str, Any]) -> list[dict[str, object]]:
    """The large model without and with examples, and the local one on the same texts, as rows of a table."""
    named = {"local model": "local", "without examples": "zero_shot", "with examples": "with_examples"}
    return [
        {
            "who": who,
            "accuracy": row["accuracy"],
            "low": row["accuracy_low"],
            "high": row["accuracy_high"],
            "macro F1": row["macro_f1"],
            "ECE": row["ece"],
            "recalibrated": row.get("ece_recalibrated"),
            "answered": row["answered"],
            "from cache": row.get("from_cache"),
            "tokens a label": _whole(row.get("tokens_a_label")),
            "money per 1,000": row.get("money_per_1000"),
            "seconds a label": row.get("seconds_a_label"),
        }
        for who, row in ((who, large[name]) for who, name in named.items())
    ]


def cascade(large: Mapping[str, Any]) -> list[dict[str, object]]:
    return [
        {
            "asked below": row["below"],
            "asked": row["asked"],
            "accuracy": row["accuracy"],
            "macro F1": row["macro_f1"],
            "ECE": row["ece"],
            **{f"accepted at {100 * float(name):g} %": share for name, share in row["coverage"].items()},
            "tokens": _whole(row["tokens_per_1000"]),
            "money": row["money_per_1000"],
            "money saved": row["money_saved_per_1000"],
        }
        for row in large["cascade"]
    ]


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _short(row: Mapping[str, Any]) -> dict[str, object]:
    return {"accuracy": row["accuracy"], "macro F1": row["macro_f1"]}
