"""How good the labels are: agreement, consensus, working with the machine."""

from __future__ import annotations

from typing import Annotated

import typer

from sdk_scripts import shown
from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import Json, LabelConfigFile, Source, dataset_of, read_settings, result, say


@app.command()
def agreement(source: Source, label_config: LabelConfigFile = None, as_json: Json = False) -> None:
    """How far annotators agree, for each control, beyond chance and with an interval."""
    from ml_backend.labeling.agreement import agreement as run
    from ml_backend.labeling.judgements import judgements, latest

    dataset = dataset_of(source, label_config)
    found = run(latest(judgements(dataset.tasks, dataset.config)), dataset.config).to_json()
    result(found, as_json, shown.agreement)


@app.command()
def consensus(
    source: Source,
    label_config: LabelConfigFile = None,
    method: Annotated[str, typer.Option(help="auto, majority, dawid-skene or crowdlab.")] = "auto",
    texts: Annotated[
        bool, typer.Option("--texts/--no-texts", help="Train a model on the texts, and hear it where that helps.")
    ] = True,
    as_json: Json = False,
) -> None:
    """The answer the annotators' judgements add up to, task by task, and how good each annotator is."""
    settings = read_settings()
    dataset = dataset_of(source, label_config, settings)
    if texts:
        from ml_backend.encoder import load_encoder
        from ml_backend.joint_consensus import consensus_with_texts

        found = consensus_with_texts(dataset.config, dataset.tasks, load_encoder(settings), method=method)
    else:
        from ml_backend.labeling.consensus import consensus as run
        from ml_backend.labeling.judgements import judgements

        found = run(judgements(dataset.tasks, dataset.config), dataset.config, method=method)
    for name, how in found.controls.items():
        say(f"{name}: {how.method}. {how.reason}")
    if found.note:
        say(found.note)
    result(found.to_json(), as_json, shown.rows("items", "task", "control", "answer", "confidence", "judgements"))


@app.command()
def collaboration(source: Source, label_config: LabelConfigFile = None, as_json: Json = False) -> None:
    """What working with the machine changes: acceptance, rubber-stamping, time saved, anchoring, accuracy."""
    from sdk_scripts.collaboration import of_dataset

    settings = read_settings()
    result(of_dataset(dataset_of(source, label_config, settings), settings), as_json, shown.collaboration)
