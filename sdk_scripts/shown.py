"""Results of commands as tables for people. rich is imported when there is something to show: `--help` needs none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import typer

_MEASURES = (
    "labels",
    "accuracy",
    "macro_f1",
    "mean_absolute_error",
    "weighted_kappa",
    "ece",
    "brier",
    "auroc_wrong",
    "coverage at 0.95",
    "coverage at 0.99",
)
_REVIEWS = (("unplaced", "cases lack somebody for a seat"), ("one_more", "tasks wait for one more annotator first"))
_OF_RATINGS = ("mean_absolute_error", "weighted_kappa")


def rows(name: str, *columns: str) -> Callable[[Mapping[str, Any]], None]:
    """One table, of the rows under that name."""

    def show(document: Mapping[str, Any]) -> None:
        from sdk_scripts.tables import print_table

        print_table(document[name], columns)

    return show


def fields(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import print_table

    print_table([document], list(document))


def agreement(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import print_table

    controls = [{"control": name, **row} for name, row in document["controls"].items()]
    print_table(
        controls,
        ["control", "kind", "items", "annotators", "judgements", "percent", "alpha", "alpha_low", "alpha_high"],
    )
    annotators = [{"annotator": name, **row} for name, row in document["annotators"].items()]
    if annotators:
        typer.echo()
        print_table(annotators, [key for key, value in annotators[0].items() if not isinstance(value, dict | list)])


def collaboration(document: Mapping[str, Any]) -> None:
    from sdk_scripts.collaboration_words import people, sentences
    from sdk_scripts.tables import plain, print_table

    typer.echo("\n".join(map(plain, sentences(document))))
    if rows := people(document):
        typer.echo()
        print_table(rows, list(rows[0]))


def backtest(document: Mapping[str, Any]) -> None:
    from sdk_scripts.backtest.tables import show

    show(document)


def training(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import print_table

    typer.echo(f"{document['version']}, from {document['labels']} labels")
    print_table(
        [{"control": name, **row} for name, row in document["metrics"].items() if isinstance(row, dict)],
        ["control", "accuracy", "macro_f1", "ece"],
    )


def version(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import plain, print_table

    live = ", live" if document["live"] else ""
    typer.echo(plain(f"{document['version']}{live}, from {document['labels']} labels. {document['reason']}"))
    for control, metrics in document["metrics"].items():
        typer.echo()
        coverage = metrics.get("coverage") or {}
        print_table(
            [{**metrics, **{f"coverage at {level}": share for level, share in coverage.items()}}],
            [name for name in _MEASURES if name not in _OF_RATINGS or metrics.get(name) is not None],
            title=control,
        )
        filled = [row for row in metrics.get("reliability", ()) if row["count"]]
        print_table(filled, ["low", "high", "count", "confidence", "accuracy"], title="Is the confidence honest?")
        columns = ["error", "confidence", "coverage", "accepted", "errors", "bound"]
        print_table(
            metrics.get("thresholds", ()), columns, title="Accept from which confidence, for at most which error?"
        )


def prelabel(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import plain

    version = document["version"]
    if "job" in document:
        typer.echo(plain(f"Pre-labeling with {version} is queued as job {document['job']}."))
        return
    typer.echo(plain(f"{document['pushed']:,} predictions of {version} pushed, in {document['seconds']:.0f} s."))
    if left := document["skipped"]:
        typer.echo(f"{left:,} of {document['tasks']:,} tasks were left alone: they had theirs, or nothing can be said.")
    if document["rejected"]:
        typer.echo(f"{document['rejected']:,} predictions do not fit the label config and were not sent:")
        typer.echo("\n".join(f"  {plain(reason)}" for reason in document["reasons"]))
    if document["pushed"] and not document["shown"]:
        typer.echo("Label Studio goes on showing another version: not every predicted task has this one.")


def next(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import print_table

    print_table(document["next"], ["task", "confidence", "doubt", "cluster", "why"])
    if document["second"]:
        typer.echo()
        print_table(document["second"], ["task", "overlap", "worth", "why"], title="One more annotation")


def hard_cases(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import plain, print_table

    items = [{**item, "why": "; ".join(reason["detail"] for reason in item["reasons"])} for item in document["items"]]
    print_table(items, ["task", "score", "why"])
    if review := document.get("review"):
        typer.echo()
        made = "review tasks made" if review["applied"] else "review tasks to make with --apply"
        counted = [f"{review['created']:,} {made}", f"{review['existing']:,} cases have theirs already"]
        counted += [f"{len(review[name]):,} {words}" for name, words in _REVIEWS if review[name]]
        typer.echo("; ".join(counted) + "." + (f" {plain(review['url'])}" if review["url"] else ""))
        queues = [{"reviewer": who or "anybody", "cases": n} for who, n in review["by_reviewer"].items()]
        if any(review["by_reviewer"]):
            print_table(queues, ["reviewer", "cases"])


def resolution(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import print_table

    resolved, written = document["resolved"], "written" if document["applied"] else "to be written"
    columns = ["task", "control", "answer", "was", "reviewer", "cause", "clause"]
    said = f"{len(resolved)} decisions {written}, {document['overturned']} overturned"
    if resolved:
        print_table(resolved, columns, title=said)
    else:
        typer.echo(f"{said}.")
    titles = {
        "asked": "A third reviewer is asked" if document["applied"] else "A third reviewer is to be asked",
        "waiting": "Waiting",
        "conflicts": "For people to settle",
        "outdated": "Decided under older guidelines",
    }
    for name, title in titles.items():
        if document[name]:
            typer.echo()
            print_table(document[name], ["task", "control", "why"], title=title)
    if document["standing"]:
        typer.echo(f"{document['standing']} decisions were there already.")


def routing(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import plain, print_table

    counted = ("tasks", "machine", "human", "expert", "blind", "seeded")
    print_table([{name: document[name] for name in counted}], counted)
    for it in document["thresholds"]:
        of = f"From severity {it['tier']:g} on, {it['by']}: at most {100 * it['error']:g} % errors"
        if it["confidence"] is not None:
            typer.echo(f"{of}, from confidence {it['confidence']:.4f} on: {100 * it['coverage']:.1f} % of tasks.")
        elif it["labels_needed"] is None:
            typer.echo(f"{of}: nothing is accepted; even what the machine is surest of is wrong too often.")
        else:
            needed = float(f"{it['labels_needed']:.2g}")
            typer.echo(f"{of}: nothing is accepted yet; it takes about {needed:,.0f} labels.")
    audits = document["audits"]
    typer.echo(
        f"Audits: {audits['done']} done, {audits['errors']:g} of them wrong, {audits['pending']} wait for people."
    )
    if stop := document["stopped"]:
        typer.echo(plain(f"Auto-accept stands still since {stop['at']}: {stop['why']}"))
        typer.echo("`tiebreak route --undo` takes back what was accepted, `--resume` has it go on.")
    if today := document["today"]:
        each = today["seconds"] / max(today["requests"], 1)
        typer.echo(
            f"The large model today: {today['requests']:,} requests of {each:.1f} s, "
            f"{today['input_tokens'] + today['output_tokens']:,} tokens, {today['labels']:,} labels; by the prices of "
            f"the policy that is {today['money']:.4f}."
        )
    if document["notes"]:
        print_table(document["notes"], ("reason", "tasks"))
    what = ", ".join(f"{n} {name}" for name, n in document["changes"].items() if n)
    if document["applied"]:
        typer.echo(f"Written: {document['written']}{f' ({what} were due)' if what else ''}.")
    else:
        typer.echo(f"To write: {what or 'nothing'}.{' Add --apply.' if what else ''}")


def undone(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import print_table

    say = "deleted" if document["applied"] else "to delete"
    typer.echo(f"{len(document['undone'])} machine annotations {say}.")
    if document["stops"]:
        typer.echo(f"Auto-accept {'stops' if document['applied'] else 'would stop'} until `tiebreak route --resume`.")
    if document["kept"]:
        print_table(document["kept"], ("task", "annotation", "why"))


def resumed(document: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import plain

    if document["stopped"] is None:
        typer.echo("Auto-accept does not stand still.")
    else:
        typer.echo(plain(f"{'It goes on' if document['applied'] else 'It would go on'}. {document['stopped']['why']}"))


def inspection(document: Mapping[str, Any]) -> None:
    from sdk_scripts.monitoring.inspection_words import sentences

    typer.echo("\n".join(sentences(document)))


def inspection_rules(document: Mapping[str, Any]) -> None:
    from sdk_scripts.monitoring.inspection_words import rules_in_words

    typer.echo("\n".join(rules_in_words(document["rules"])))
