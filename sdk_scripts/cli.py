"""`tiebreak …`: options, progress and the one place that turns errors into exit codes.

Exit 0: done, nothing to report. 1: findings or pending changes. 2: it could not be done. stdout is the result (text,
or one JSON document with --json), stderr is progress and errors. Commands import what they need when they run, so that
`tiebreak --help` answers at once.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ml_backend.labeling.errors import TiebreakError
from sdk_scripts import shown

if TYPE_CHECKING:
    from ml_backend.model_registry import ModelRegistry
    from ml_backend.settings import Settings
    from sdk_scripts.sources import Dataset

CLEAN, FINDINGS, FAILED = 0, 1, 2
REVIEWS_A_RUN = 100
"""Every task with the least doubt would be more than anybody reviews."""

app = typer.Typer(
    name="tiebreak",
    help="The machine labels first, people look second, hard cases get a second pair of eyes: for Label Studio.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich alone would cost a third of the half second that help may take
    context_settings={"help_option_names": ["-h", "--help"]},
)
models = typer.Typer(help="The versions of a project's model: list, show, promote, roll back.", no_args_is_help=True)
app.add_typer(models, name="models")

Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A project id, a project.yaml, or a Label Studio JSON export file.")
]
Project = Annotated[str, typer.Argument(metavar="PROJECT", help="A project id or a project.yaml.")]
LabelConfigFile = Annotated[
    Path | None, typer.Option("--label-config", metavar="FILE", help="The label config (XML) of an export file.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def up(
    studio_port: Annotated[int | None, typer.Option(help="Port of Label Studio; a free one by default.")] = None,
) -> None:
    """Start Label Studio, Valkey, the backend and a worker on this machine; Ctrl-C stops them."""
    from sdk_scripts.embedded import run_up

    run_up(_settings(), studio_port=studio_port, report=_say)


@app.command()
def demo(
    exit: Annotated[bool, typer.Option("--exit", help="Verify every step, then stop everything.")] = False,
    as_json: Json = False,
) -> None:
    """The guided demo: real reviews, real raters, from the first prediction to the report."""
    from sdk_scripts.demo import run_demo

    summary = run_demo(_settings(), exit_after=exit, report=_say)
    if as_json:
        _print_json(summary.to_json())
    raise typer.Exit(CLEAN if summary.ok else FAILED)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 9090,
) -> None:
    """Serve the ML backend. Without TIEBREAK_REDIS_URL it uses (or starts) the bundled Valkey."""
    import uvicorn

    from ml_backend.http_heads import LimitedHeads
    from sdk_scripts.processes import listen

    _settings()  # a wrong setting is told here, not in uvicorn's traceback
    config = uvicorn.Config(
        "ml_backend.app:create_app", factory=True, http=LimitedHeads, access_log=False, log_config=None
    )
    server = uvicorn.Server(config)
    with listen(host, port) as listener, suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    raise typer.Exit(CLEAN if server.started else FAILED)


@app.command()
def worker(
    burst: Annotated[bool, typer.Option("--burst", help="Stop when the queues are empty.")] = False,
) -> None:
    """Run a worker: training, pre-labeling and every other slow job. Start as many as you like, on any machine."""
    from ml_backend.jobs import run_worker

    run_worker(_settings(), burst=burst)


@app.command()
def sync(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="project.yaml files or their folders.")],
    apply: Annotated[bool, typer.Option("--apply", help="Carry the plan out.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Also delete views, webhooks and backends the manifest dropped.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Drop labels even where annotations use them.")] = False,
    as_json: Json = False,
) -> None:
    """Projects as code: print what would change, or apply it."""
    from sdk_scripts.plan_output import render
    from sdk_scripts.sync import sync as run

    outcome = run(paths, _settings(), apply=apply, prune=prune, force=force, report=_say)
    _result(outcome.to_json(), as_json, lambda _: typer.echo(render(outcome)))
    raise typer.Exit(FINDINGS if outcome.changes and not outcome.applied else CLEAN)


@app.command()
def train(
    project: Project,
    wait: Annotated[bool, typer.Option(help="Wait for the new version.")] = True,
    as_json: Json = False,
) -> None:
    """Train the project's model in the background, from the labels it has now."""
    from ml_backend.labeling.results import project_key
    from ml_backend.queues import Jobs

    settings = _settings()
    _, fields = _live(project, settings)
    with Jobs(settings) as jobs:
        job = jobs.request_training(project_key(fields), fields["id"])
        if not wait:
            _result({"job": job.id}, as_json, lambda r: typer.echo(f"Training is queued as job {r['job']}."))
            return
        _say("Waiting for a worker to train the new version …")
        outcome = jobs.wait(job)
    _result(outcome, as_json, shown.training)


@models.command("list")
def models_list(project: Project, as_json: Json = False) -> None:
    """List the versions, newest first."""
    from sdk_scripts.model_versions import version_rows
    from sdk_scripts.tables import print_table

    registry, key, _ = _registry(project)
    versions = registry.versions(key)
    rows = version_rows(versions)
    if not rows:
        _say("No version is trained yet; until then the names of the labels answer.")
    _result(
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

    registry, key, _ = _registry(project)
    _result(find_version(registry, key, version).to_json(), as_json, shown.version)


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

    registry, key, fields = _registry(project)
    config = parse(fields["label_config"])
    found = run(registry, key, config, error=error, certainty=certainty, control=control, by=by)
    _result(found, as_json, lambda _: typer.echo("\n".join(map(plain, sentences(found)))))


@app.command()
def prelabel(
    project: Project,
    only_missing: Annotated[
        bool, typer.Option("--only-missing/--all", help="Only tasks without a prediction of any version, or all.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until it is done.")] = True,
    as_json: Json = False,
) -> None:
    """Push the live version's predictions to the project's tasks. A version predicts a task once.

    By the workers that run, a job for every 10,000 tasks; without one, in this process. Older versions' predictions are
    deleted an hour after another took their place, except on tasks that somebody annotated, skipped or began.
    """
    from sdk_scripts.prelabel_jobs import prelabel as run

    settings = _settings()
    studio, fields = _live(project, settings)
    outcome = run(
        settings, fields["id"], only_missing=only_missing, wait=wait, studio=studio, progress=_progress(), report=_say
    )
    _result(outcome, as_json, shown.prelabel)


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
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for backtest.html and backtest.json.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Replay labelled data through the pipeline: is pre-labeling worth it on it, and from how many labels on?"""
    from sdk_scripts.backtest import Columns, write_backtest
    from sdk_scripts.backtest import backtest as run

    columns = Columns(text, label, item, control)
    found = run(
        data, label_config, columns, _settings(),
        sizes=_sizes(shots), test_share=test_share, repeats=repeats, seed=seed, limit=limit, report=_say,
    )  # fmt: skip
    if out is not None:
        found["files"] = {"html": str(out / "backtest.html"), "json": str(out / "backtest.json")}
        write_backtest(_finite(found), out)
    _result(found, as_json, shown.backtest)


@app.command("next")
def next_tasks(
    project: Project,
    budget: Annotated[
        int | None, typer.Option(min=1, max=2000, help="Tasks to choose; the manifest's `labeling.batch` or 200.")
    ] = None,
    second_labels: Annotated[
        int, typer.Option(min=0, max=2000, help="At most that many tasks get one more annotation.")
    ] = 0,
    apply: Annotated[bool, typer.Option("--apply", help="Have Label Studio's queue serve them.")] = False,
    as_json: Json = False,
) -> None:
    """What should be labelled next, and why; with --apply the queue of "Uncertainty sampling" serves it."""
    from sdk_scripts.next_batch import next_batch

    settings = _settings()
    studio, fields = _live(project, settings)
    batch, stored = next_batch(
        settings,
        fields["id"],
        budget=budget,
        second_labels=second_labels,
        apply=apply,
        studio=studio,
        report=_say,
    )
    _result({**batch.to_json(), "applied": apply, "stored": stored}, as_json, shown.next)
    raise typer.Exit(FINDINGS if (batch.picks or batch.second) and not apply else CLEAN)


@app.command()
def agreement(source: Source, label_config: LabelConfigFile = None, as_json: Json = False) -> None:
    """How far annotators agree, for each control, beyond chance and with an interval."""
    from ml_backend.labeling.agreement import agreement as run
    from ml_backend.labeling.judgements import judgements, latest

    dataset = _dataset(source, label_config)
    found = run(latest(judgements(dataset.tasks, dataset.config)), dataset.config).to_json()
    _result(found, as_json, shown.agreement)


@app.command()
def consensus(
    source: Source,
    label_config: LabelConfigFile = None,
    method: Annotated[str, typer.Option(help="auto, majority or dawid-skene.")] = "auto",
    as_json: Json = False,
) -> None:
    """The answer the annotators' judgements add up to, task by task, and how good each annotator is."""
    from ml_backend.labeling.consensus import consensus as run
    from ml_backend.labeling.judgements import judgements, latest

    dataset = _dataset(source, label_config)
    found = run(latest(judgements(dataset.tasks, dataset.config)), dataset.config, method=method)
    _result(found.to_json(), as_json, shown.rows("items", "task", "control", "answer", "confidence", "judgements"))


@app.command("hard-cases")
def hard_cases(
    source: Source,
    label_config: LabelConfigFile = None,
    budget: Annotated[
        int | None,
        typer.Option(min=1, help=f"At most that many, the hardest; with --apply {REVIEWS_A_RUN} if not given."),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Make review tasks of them.")] = False,
    as_json: Json = False,
) -> None:
    """Rank the tasks whose label cannot be trusted yet, hardest first, with the reasons."""
    from sdk_scripts.hard_cases import mine

    settings = _settings()
    budget = REVIEWS_A_RUN if apply and budget is None else budget
    found = mine(_dataset(source, label_config, settings), settings, budget=budget, apply=apply, report=_say)
    _result(found.to_json(), as_json, shown.hard_cases)
    raise typer.Exit(FINDINGS if found.items else CLEAN)


@app.command()
def report(
    source: Source,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the three files.")],
    label_config: LabelConfigFile = None,
    as_json: Json = False,
) -> None:
    """Write the quality report: report.html, report.xlsx, report.json."""
    from sdk_scripts.report import write_report

    settings = _settings()
    files = write_report(_dataset(source, label_config, settings), out, settings=settings)
    written = {"html": str(files.html), "xlsx": str(files.xlsx), "json": str(files.json)}
    _result(written, as_json, lambda r: typer.echo("\n".join(r.values())))


def main() -> None:
    """The console script. typer itself ends wrong options with exit code 2, and Ctrl-C with 130."""
    if len(sys.argv) > 1 and not {"-h", "--help"} & set(sys.argv):  # help answers at once, without structlog's import
        from ml_backend.logs import set_up_logs

        set_up_logs()  # on stderr: by itself structlog would print into the document on stdout
    try:
        app(prog_name="tiebreak")
    except TiebreakError as error:
        _fail(error, as_json="--json" in sys.argv)


def _fail(error: TiebreakError, as_json: bool) -> NoReturn:
    from sdk_scripts.tables import plain

    lines = [plain(line) if line.strip() else line for line in str(error).splitlines()]
    typer.secho("\n".join(lines), err=True, fg="red")
    if as_json:
        _print_json({"error": error.what, "mend": error.mend})
    sys.exit(FAILED)


def _settings() -> Settings:
    from ml_backend.settings import load_settings

    return load_settings()


def _dataset(source: str, label_config: Path | None, settings: Settings | None = None) -> Dataset:
    from sdk_scripts.sources import load_source

    dataset = load_source(source, label_config=label_config, settings=settings or _settings())
    for warning in dataset.warnings:
        _say(warning)
    return dataset


def _live(project: str, settings: Settings) -> tuple[Any, dict[str, Any]]:
    """The Studio and the project's fields. Raises InputError for a SOURCE that is a file."""
    from sdk_scripts.sources import find_project

    return find_project(project, settings)


def _registry(project: str) -> tuple[ModelRegistry, str, dict[str, Any]]:
    """The registry, the project's key in it, and its fields."""
    from ml_backend.labeling.results import project_key
    from ml_backend.model_registry import ModelRegistry

    settings = _settings()
    _, fields = _live(project, settings)
    return ModelRegistry(settings.models), project_key(fields), fields


def _switch(project: str, version: str | None, as_json: bool) -> None:
    registry, key, _ = _registry(project)
    if version is None:
        version = registry.rollback(key)
    else:
        registry.promote(key, version)
    _result({"version": version}, as_json, lambda r: typer.echo(f"{r['version']} answers from now on."))


def _say(message: str) -> None:
    from sdk_scripts.tables import plain

    print(plain(message), file=sys.stderr, flush=True)  # noqa: T201  # progress belongs on stderr


def _progress() -> Callable[[int, int], None]:
    """A line on stderr for every tenth of the work."""
    told = -1

    def tell(done: int, total: int) -> None:
        nonlocal told
        tenth = 10 * done // max(total, 1)
        if tenth > told:
            told = tenth
            _say(f"{done:,} of {total:,} tasks")

    return tell


def _result(document: Mapping[str, Any], as_json: bool, show: Callable[[Mapping[str, Any]], object]) -> None:
    if as_json:
        _print_json(document)
    else:
        show(document)


def _print_json(document: Mapping[str, Any]) -> None:
    """Undefined numbers become null: NaN is not JSON."""
    typer.echo(json.dumps(_finite(document), ensure_ascii=False, allow_nan=False, default=str))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


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
