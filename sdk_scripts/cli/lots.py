"""`tiebreak inspect --lot`: acceptance sampling on the command line. `inspect` (cli/inspection.py) calls it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdk_scripts.cli.options import CLEAN, FINDINGS, result, say

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from sdk_scripts.quality import Quality
    from sdk_scripts.sources import Dataset

Name = Annotated[
    str | None,
    typer.Option("--lot", metavar="NAME", help="Accept or reject the labels that are in no lot yet, by a sample."),
]
Control = Annotated[
    str | None, typer.Option("--control", metavar="NAME", help="Of a new lot: what it is about; the first with labels.")
]
Since = Annotated[
    datetime | None, typer.Option("--since", help="Of a new lot: labels given from then on (UTC).", show_default=False)
]
Until = Annotated[
    datetime | None, typer.Option("--until", help="Of a new lot: labels given before then (UTC).", show_default=False)
]
Rest = Annotated[bool, typer.Option("--rest", help="Of a rejected lot: inspect the tasks beyond its sample, too.")]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Write the lot's certificate there, as HTML and JSON.")
]


@dataclass(frozen=True)
class Asked:
    """What was asked about a lot."""

    name: str
    control: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    rest: bool = False
    apply: bool = False
    out: Path | None = None


def inspect_lot(dataset: Dataset, settings: Settings, asked: Asked, quality: Quality | None, as_json: bool) -> None:
    """Exit code 0: accepted; 1: rejected, waiting, or nothing is on record yet."""
    from sdk_scripts.sampling.certificate import certificate, certificate_page
    from sdk_scripts.sampling.inspect_lot import inspect_lot as run

    outcome = run(
        dataset,
        settings,
        asked.name,
        quality=quality,
        control=asked.control,
        since=_utc(asked.since),
        until=_utc(asked.until),
        apply=asked.apply,
        rest=asked.rest,
        report=say,
    )
    said = certificate(outcome, dataset)
    if asked.out is not None:
        asked.out.mkdir(parents=True, exist_ok=True)
        page = asked.out / f"lot-{asked.name}.html"
        page.write_text(certificate_page(said), "utf-8")
        page.with_suffix(".json").write_text(json.dumps(said, ensure_ascii=False, indent=2, allow_nan=False), "utf-8")
        say(f"The certificate: {page}")
    result(said, as_json, _show)
    raise typer.Exit(CLEAN if said["verdict"] == "accepted" else FINDINGS)


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=time.tzinfo or UTC)


def _show(said: Mapping[str, Any]) -> None:
    from sdk_scripts.sampling.curve import Curve, text_plot
    from sdk_scripts.sampling.plans import Plan
    from sdk_scripts.tables import plain, print_table

    found, rate, recall = said["found"], said["error_rate"], said["recall"]
    typer.echo(
        plain(f"Lot {said['lot']}, {said['size']:,} labels of {said['control']}: {said['verdict']}. {said['why']}")
    )
    typer.echo(plain(said["do"]))
    parts = [
        {
            "plan": f"{part['name']} ({part['plan']['scheme']} {part['plan'].get('letter', '')})".replace(" )", ")"),
            "counts": part["counts"],
            "tasks": part["units"],
            "sample": part["plan"]["n"],
            "accept": part["plan"]["accept"],
            "inspected": part["inspected"],
            "wrong": part["nonconforming"],
            "verdict": part["verdict"],
            "95 % accepted at": _percent(part["curve"]["producer_risk_quality"]),
            "10 % accepted at": _percent(part["curve"]["consumer_risk_quality"]),
            "AOQL": _percent(part["curve"]["aoql"]),
        }
        for part in said["parts"]
    ]
    print_table(parts, list(parts[0]))
    typer.echo(f"Errors in the sample: {found['critical']} critical, {found['major']} major, {found['minor']} minor.")
    if rate:
        typer.echo(f"Wrong labels in the lot: {_interval(rate)}.")
    if recall:
        typer.echo(f"Violations labelled as such: {_interval(recall)}.")
    for part in said["parts"]:
        if part["plan"]["n"]:
            typer.echo(f"\nProbability to accept, {part['name']}:")
            typer.echo(text_plot(Curve(Plan.from_json(part["plan"]))))
    wrong = [unit for unit in said["inspected"] if unit["nonconforming"]]
    if wrong:
        print_table(wrong, ["task", "label", "decided", "severity", "stratum", "link"])


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _interval(estimate: Mapping[str, float]) -> str:
    return f"{_percent(estimate['value'])} ({_percent(estimate['low'])} to {_percent(estimate['high'])})"
