"""Labelled data through the real pipeline: is pre-labeling worth it on this data, and from how many labels on?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.arms import Arms
from ml_backend.labeling.errors import InputError
from sdk_scripts.backtest.columns import Columns

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from sdk_scripts.backtest.large import Wanted

__all__ = ["BacktestFiles", "Columns", "backtest", "write_backtest"]

REPEATS = 3
"""Of small sizes, each time with other texts."""


@dataclass(frozen=True)
class BacktestFiles:
    html: Path
    json: Path


def backtest(
    data: Path,
    label_config: Path,
    columns: Columns,
    settings: Settings,
    *,
    sizes: Sequence[int] | None = None,
    test_share: float = 0.3,
    repeats: int = REPEATS,
    seed: int = 0,
    limit: int | None = None,
    large: Wanted | None = None,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """The backtest as JSON, with its `verdict` in words.

    `data` is a file of rows with `columns`, or a Label Studio JSON export, whose answers are the annotators' consensus
    (the names of `columns` empty). `sizes` are texts a label, small ones drawn `repeats` times; `limit` picks that many
    texts at random. With `large` a large model answers, too. Raises InputError or ConfigError for what cannot be used,
    NotEnoughLabels, ModelUnavailable.
    """
    from ml_backend.encoder import load_encoder
    from sdk_scripts.backtest.labelled import read_labelled
    from sdk_scripts.backtest.large import large_model, measure_large, sentences
    from sdk_scripts.backtest.replay import replay
    from sdk_scripts.backtest.verdict import verdict
    from sdk_scripts.sources import read_label_config

    if not 0.05 <= test_share <= 0.95:
        raise InputError(f"The test share must lie between 0.05 and 0.95, not at {test_share:g}.", mend="0.3 is usual.")
    config, arms = read_label_config(label_config), Arms(settings.policy_secret.get_secret_value())
    with large_model(settings, large) if large else nullcontext() as asked:
        encoder = load_encoder(settings.model_copy(update={"image_encoder": None, "ocr": False}))  # texts are replayed
        labelled = read_labelled(data, config, columns, encoder, seed=seed, limit=limit, arms=arms)
        if len(labelled) < labelled.texts_found:
            report(f"Of {labelled.texts_found:,} texts {len(labelled):,}, picked at random, are replayed; see --limit.")
        found = replay(labelled, encoder, sizes=sizes, test_share=test_share, repeats=repeats, seed=seed, report=report)
        document = {**found, **verdict(found, labelled.texts)}
        if asked is None or large is None:
            return document
        measured = measure_large(labelled, encoder, asked, large, test_share=test_share, seed=seed, report=report)
    return {**document, "large_model": measured, "verdict": [*document["verdict"], *sentences(measured)]}


def write_backtest(document: Mapping[str, Any], out: Path) -> BacktestFiles:
    """Write backtest.html and backtest.json into the folder `out`; older ones there are replaced, each in one step."""
    from sdk_scripts.backtest.page import page

    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    return BacktestFiles(
        html=_replace(out / "backtest.html", page(document).encode("utf-8", "replace")),
        json=_replace(out / "backtest.json", text.encode("utf-8", "replace")),
    )


def _replace(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(content)
    draft.replace(path)
    return path
