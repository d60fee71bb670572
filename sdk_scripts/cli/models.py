"""A project's model: training, versions, thresholds, the replay of labelled data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdk_scripts import shown
from sdk_scripts.cli.app import app, models
from sdk_scripts.cli.options import Json, Project, finite, live_project, read_settings, registry_of, result, say

if TYPE_CHECKING:
    from sdk_scripts.backtest.large import Wanted


@app.command()
def train(
    project: Project,
    wait: Annotated[bool, typer.Option(help="Wait for the new version.")] = True,
    as_json: Json = False,
) -> None:
    """Train the project's model in the background, from the labels it has now."""
    from ml_backend.labeling.results import project_key
    from ml_backend.queues import Jobs

    settings = read_settings()
    _, fields = live_project(project, settings)
    with Jobs(settings) as jobs:
        job = jobs.request_training(project_key(fields), fields["id"])
        if not wait:
            result({"job": job.id}, as_json, lambda r: typer.echo(f"Training is queued as job {r['job']}."))
            return
        say("Waiting for a worker to train the new version …")
        outcome = jobs.wait(job)
    result(outcome, as_json, shown.training)


@models.command("list")
def models_list(project: Project, as_json: Json = False) -> None:
    """List the versions, newest first."""
    from sdk_scripts.model_versions import version_rows
    from sdk_scripts.tables import print_table

    registry, key, _ = registry_of(project)
    versions = registry.versions(key)
    rows = version_rows(versions)
    if not rows:
        say("No version is trained yet; until then the names of the labels answer.")
    result(
        {"versions": [version.to_json() for version in versions]},
        as_json,
        lambda _: print_table(rows, list(rows[0])) if rows else None,
    )


@models.command("show")
def models_show(
    project: Project,
    version: Annotated[str | None, typer.Argument(help="A version that `list` shows; the live one by default.")] = None,
    as_json: Json = False,
) -> None:
    """Show how good a version is and how honest its confidence, measured out of fold."""
    from sdk_scripts.model_versions import find_version

    registry, key, _ = registry_of(project)
    result(find_version(registry, key, version).to_json(), as_json, shown.version)


@models.command("promote")
def models_promote(
    project: Project,
    version: Annotated[str, typer.Argument(help="A version that `list` shows.")],
    as_json: Json = False,
) -> None:
    """Make a version the one that answers."""
    _switch(project, version, as_json)


@models.command("rollback")
def models_rollback(project: Project, as_json: Json = False) -> None:
    """Go back to the version that was live before."""
    _switch(project, None, as_json)


def _switch(project: str, version: str | None, as_json: bool) -> None:
    registry, key, _ = registry_of(project)
    if version is None:
        version = registry.rollback(key)
    else:
        registry.promote(key, version)
    result({"version": version}, as_json, lambda r: typer.echo(f"{r['version']} answers from now on."))


@app.command()
def thresholds(
    project: Project,
    error: Annotated[float, typer.Option(help="Share of accepted answers that may be wrong, such as 0.02.")],
    certainty: Annotated[float, typer.Option(help="Probability that the promise is kept.")] = 0.95,
    control: Annotated[str | None, typer.Option(metavar="NAME", help="One control only.")] = None,
    by: Annotated[str, typer.Option(help="overall, or label: a promise for each label that is answered.")] = "overall",
    as_json: Json = False,
) -> None:
    """Above which confidence the live version's answers may be accepted, for a promise of at most so many errors."""
    from ml_backend.labeling.config import parse
    from sdk_scripts.model_versions import sentences
    from sdk_scripts.model_versions import thresholds as run
    from sdk_scripts.tables import plain

    registry, key, fields = registry_of(project)
    config = parse(fields["label_config"])
    found = run(registry, key, config, error=error, certainty=certainty, control=control, by=by)
    result(found, as_json, lambda _: typer.echo("\n".join(map(plain, sentences(found)))))


@app.command()
def backtest(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Labelled rows: CSV, TSV, JSON, JSON Lines, Parquet; or a JSON export."),
    ],
    label_config: Annotated[
        Path, typer.Option("--label-config", metavar="FILE", help="The label config (XML) that the labels answer.")
    ],
    text: Annotated[str, typer.Option("--text", metavar="COL", help="The column with the text.")] = "",
    label: Annotated[
        str, typer.Option("--label", metavar="COL", help="The column with the label, or several of them.")
    ] = "",
    item: Annotated[
        str | None, typer.Option("--item", metavar="COL", help="What a row is about, where several are about the same.")
    ] = None,
    control: Annotated[
        str | None, typer.Option(metavar="NAME", help="The control that the labels answer, if there are several.")
    ] = None,
    shots: Annotated[
        str | None, typer.Option(metavar="8,64", help="Labels a class of the learning curve; doubling from 8 on.")
    ] = None,
    test_share: Annotated[float, typer.Option(help="Share of the texts that are only asked.")] = 0.3,
    repeats: Annotated[int, typer.Option(min=1, help="How often a small size is drawn; the mean is shown.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Another one splits the texts in another way.")] = 0,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Replay that many texts, picked at random; 30,000 if not given.")
    ] = None,
    prelabeler: Annotated[
        str | None, typer.Option(metavar="llm", help="Measure the large model of the settings on the test texts, too.")
    ] = None,
    asks: Annotated[int, typer.Option(min=20, help="Texts that the large model is asked, each twice.")] = 200,
    tokens: Annotated[int | None, typer.Option(min=1, help="Tokens that may be spent on it.")] = None,
    money: Annotated[float | None, typer.Option(min=0, help="Money that may be spent on it.")] = None,
    input_price: Annotated[float, typer.Option(min=0, help="Price of a million tokens asked.")] = 0,
    output_price: Annotated[float, typer.Option(min=0, help="Price of a million tokens answered.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for backtest.html and backtest.json.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Replay labelled data through the pipeline: is pre-labeling worth it on it, and from how many labels on?"""
    from sdk_scripts.backtest import Columns, write_backtest
    from sdk_scripts.backtest import backtest as run

    columns = Columns(text, label, item, control)
    large = _large(prelabeler, label_config, asks, tokens, money, input_price, output_price)
    found = run(
        data, label_config, columns, read_settings(),
        sizes=_sizes(shots), test_share=test_share, repeats=repeats, seed=seed, limit=limit, large=large,
        report=say,
    )  # fmt: skip
    if out is not None:
        found["files"] = {"html": str(out / "backtest.html"), "json": str(out / "backtest.json")}
        write_backtest(finite(found), out)
    result(found, as_json, shown.backtest)


def _large(
    prelabeler: str | None,
    label_config: Path,
    asks: int,
    tokens: int | None,
    money: float | None,
    input_price: float,
    output_price: float,
) -> Wanted | None:
    if prelabeler is None:
        return None
    from ml_backend.labeling.errors import UnknownName
    from sdk_scripts.backtest.large import Wanted

    if prelabeler != "llm":
        raise UnknownName("pre-labeler to be measured beside the others", prelabeler, ["llm"])
    beside = (label_config if label_config.is_dir() else label_config.parent) / "guidelines.md"
    guidelines = beside.read_text("utf-8-sig", "replace") if beside.is_file() else ""
    return Wanted(asks, tokens, money, input_price, output_price, guidelines)


def _sizes(shots: str | None) -> list[int] | None:
    from ml_backend.labeling.errors import InputError

    if shots is None:
        return None
    try:
        sizes = sorted({int(size) for size in shots.split(",") if size.strip()})
    except ValueError:
        sizes = []
    if not sizes or sizes[0] < 1:
        raise InputError(f"--shots takes numbers of labels a class, not {shots!r}.", mend="Write --shots 8,64, say.")
    return sizes
