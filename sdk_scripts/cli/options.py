"""What the commands share: their common options, reading a SOURCE, and printing the result."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

if TYPE_CHECKING:
    from ml_backend.model_registry import ModelRegistry
    from ml_backend.settings import Settings
    from sdk_scripts.sources import Dataset

_UNSEEN = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
CLEAN, FINDINGS, FAILED = 0, 1, 2
"""Exit codes: done or nothing to report; findings or pending changes; it could not be done."""

Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A project id, a project.yaml, or a Label Studio JSON export file.")
]
Project = Annotated[str, typer.Argument(metavar="PROJECT", help="A project id or a project.yaml.")]
LabelConfigFile = Annotated[
    Path | None, typer.Option("--label-config", metavar="FILE", help="The label config (XML) of an export file.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def read_settings() -> Settings:
    """Raises ConfigError for wrong ones, and where a newer Tiebreak has worked in their home."""
    from ml_backend.formats import claim
    from ml_backend.logs import hide_in_logs
    from ml_backend.settings import load_settings, secrets_of

    context = click.get_current_context(silent=True)
    fresh = context is not None and context.find_root().params.get("fresh")
    settings = load_settings(fresh=True) if fresh else load_settings()
    hide_in_logs(secrets_of(settings))
    claim(settings)
    return settings


def dataset_of(source: str, label_config: Path | None, settings: Settings | None = None) -> Dataset:
    from sdk_scripts.sources import load_source

    dataset = load_source(source, label_config=label_config, settings=settings or read_settings())
    for warning in dataset.warnings:
        say(warning)
    return dataset


def live_project(project: str, settings: Settings) -> tuple[Any, dict[str, Any]]:
    """The Studio and the project's fields. Raises InputError for a SOURCE that is a file."""
    from sdk_scripts.sources import find_project

    return find_project(project, settings)


def registry_of(project: str) -> tuple[ModelRegistry, str, dict[str, Any]]:
    """The registry, the project's key in it, and its fields."""
    from ml_backend.labeling.results import project_key
    from ml_backend.model_registry import ModelRegistry

    settings = read_settings()
    _, fields = live_project(project, settings)
    return ModelRegistry(settings.models), project_key(fields), fields


def say(message: str) -> None:
    from sdk_scripts.tables import plain

    print(plain(message), file=sys.stderr, flush=True)  # noqa: T201  # progress belongs on stderr


def progress() -> Callable[[int, int], None]:
    """A line on stderr for every tenth of the work."""
    told = -1

    def tell(done: int, total: int) -> None:
        nonlocal told
        tenth = 10 * done // max(total, 1)
        if total and tenth > told:
            told = tenth
            say(f"{done:,} of {total:,} tasks")

    return tell


def result(document: Mapping[str, Any], as_json: bool, show: Callable[[Mapping[str, Any]], object]) -> None:
    if as_json:
        print_json(document)
    else:
        show(document)


def print_json(document: Mapping[str, Any]) -> None:
    """Undefined numbers become null: NaN is not JSON. What a terminal obeys, or cannot show, is escaped."""
    written = json.dumps(finite(document), ensure_ascii=False, allow_nan=False, default=str)
    typer.echo(_UNSEEN.sub(lambda it: f"\\u{ord(it[0]):04x}", written))


def finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
