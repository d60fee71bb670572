"""`tiebreak export`: labels -> a training set."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import Json, LabelConfigFile, Source, dataset_of, read_settings, result


class What(StrEnum):
    """What becomes of labels that one might not want to learn from."""

    leave_out = "leave-out"
    mark = "mark"


@app.command()
def export(
    source: Source,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to make, or an earlier export to replace.")],
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format", metavar="NAME", help="jsonl where none is given, parquet, huggingface, bio, spacy or coco"
        ),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", metavar="FILE", help="YAML: annotation labels to training labels; else they stay."),
    ] = None,
    controls: Annotated[
        list[str] | None,
        typer.Option("--control", metavar="NAME", help="Only that control; all otherwise."),
    ] = None,
    splits: Annotated[
        str, typer.Option(metavar="SHARES", help="Of training, validation and test; 0 for none.")
    ] = "0.8,0.1,0.1",
    seed: Annotated[int, typer.Option(help="Another one splits otherwise.")] = 0,
    gold: Annotated[What, typer.Option(help="Gold questions, now or before.")] = What.leave_out,
    unsure: Annotated[What, typer.Option(help="Labels that are tied or below --sure.")] = What.leave_out,
    sure: Annotated[float, typer.Option(min=0, max=1, help="Confidence from which on a label is settled.")] = 0.5,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", metavar="NAME", help="Of task data, beside what is on the screen."),
    ] = None,
    texts: Annotated[
        bool, typer.Option("--texts/--no-texts", help="Hear a model of the texts in the consensus, beside people.")
    ] = False,
    names: Annotated[
        bool, typer.Option("--names", help="The data card names annotators by e-mail, not by number.")
    ] = False,
    licence: Annotated[str, typer.Option(metavar="NAME", help="For the data card: cc-by-4.0, say.")] = "",
    label_config: LabelConfigFile = None,
    as_json: Json = False,
) -> None:
    """Write a training set: what people settled on, how sure that is, where it comes from, split without leaks.

    --format, --control and --columns may be given several times.
    """
    from sdk_scripts.training_export.collect import Asked, collect, document
    from sdk_scripts.training_export.formats import FORMATS
    from sdk_scripts.training_export.rows import Wanted
    from sdk_scripts.training_export.split import shares_of
    from sdk_scripts.training_export.write import check, write

    shares, asked_for = shares_of(splits), formats or ["jsonl"]
    for name in asked_for:
        FORMATS[name]
    check(out)
    settings = read_settings()
    wanted = Wanted(
        tuple(controls or ()), shares, seed, tuple(columns or ()), gold == What.mark, unsure == What.mark, sure
    )
    asked = Asked(mapping, texts, names, licence)
    found = collect(dataset_of(source, label_config, settings), settings, wanted, asked)
    files = write(found, out, asked_for, settings)
    made = {**document(found), "out": str(files.out), "files": list(files.names), "lost": files.lost}
    result(made, as_json, _show)


def _show(made: Mapping[str, Any]) -> None:
    from sdk_scripts.tables import plain, print_table

    columns = ["control", "kind", "rows", *made["splits"], "dropped"]
    print_table(
        [
            {"control": name, **it, **it["splits"], "dropped": sum(it["dropped"].values())}
            for name, it in made["controls"].items()
        ],
        columns,
    )
    why = ", ".join(f"{n:,} {name}" for name, n in made["dropped"].items())
    typer.echo(f"{made['rows']:,} of {made['judged']:,} labels" + (f"; left out: {why}." if why else "."))
    it = made["balance"]
    got = ", ".join(f"{name} {it['got'][name]:.1%} ({it['asked'][name]:.0%} asked)" for name in it["got"])
    typer.echo(f"Splits: {got}.")
    if it["too_large"]:
        typer.echo(f"{it['too_large']:,} groups of near-duplicates are larger than the smallest split should be.")
    for name, found in made["lost"].items():
        for reason, n in found.items():
            typer.echo(plain(f"{name}: {n:,} did not come through: {reason}"))
    typer.echo(plain(f"{made['out']}: {len(made['files'])} files, README.md is the data card."))
