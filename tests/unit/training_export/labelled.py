"""Labels made up: what the tests of rows, splits and the command share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from unit.analysis import exports

from ml_backend.labeling.kinds import kind_of
from sdk_scripts.evidence import Evidence
from sdk_scripts.training_export.mapping import ControlMapping
from sdk_scripts.training_export.mapping_file import read_mapping
from sdk_scripts.training_export.model import Row
from sdk_scripts.training_export.rows import Rows

LABELS = ("negative", "neutral", "positive")
WORDS = ("amber", "brisk", "cedar", "delta", "ember", "flint", "grove", "haven", "inlet", "jolly", "karma", "lemon")

votes = st.lists(st.lists(st.sampled_from(LABELS), max_size=4), min_size=1, max_size=25)
"""The labels of each task, one a person."""


def text(number: int) -> str:
    """Different for different numbers, and like no other."""
    return " ".join(f"{WORDS[(number * 7 + place * place) % len(WORDS)]}{number * 31 + place}" for place in range(8))


def tasks(given: Sequence[Sequence[str]], texts: Mapping[int, str] | None = None) -> list[dict[str, Any]]:
    """Label Studio's JSON: task n has the labels of place n − 1."""
    return [exports.voted(id, (texts or {}).get(id, text(id)), *labels) for id, labels in enumerate(given, start=1)]


def evidence(json: Sequence[Mapping[str, Any]], xml: str = exports.SENTIMENT, **more: Any) -> Evidence:
    return Evidence(exports.dataset(json, xml, **more), given_opinions={})


def of(given: Sequence[Sequence[str]], texts: Mapping[int, str] | None = None) -> Evidence:
    return evidence(tasks(given, texts))


def mapped(folder: Path, yaml: str, xml: str = exports.SENTIMENT) -> dict[str, ControlMapping]:
    """The mapping of all controls, from a file."""
    path = folder / "mapping.yaml"
    path.write_text(yaml)
    config = exports.dataset([], xml).config
    return read_mapping(path, config, [it for it in config.answerable if kind_of(it)])


def by_task(found: Rows, control: str = "sentiment") -> dict[int, Row]:
    return {row.task: row for it in found.controls if it.control.name == control for row in it.rows}


def reviewed(id: int, label: str, policy: str = "", at: str = "2026-02-01T00:00:00Z") -> dict[str, Any]:
    """A review's decision, as it stands in the source task."""
    mark = {"tiebreak": {"review": "9/1/1", "reviewer": "expert@example.com", "policy": policy}}
    region = {**exports.choice("sentiment", label), "meta": mark}
    return exports.annotation(id, 99, region, ground_truth=True, created_at=at, updated_at=at)


def by_machine(id: int, label: str, confidence: float) -> dict[str, Any]:
    """What the machine accepted alone."""
    mark = {"tiebreak": {"machine": "v1", "answer": f'["{label}"]', "confidence": confidence}}
    return exports.annotation(id, 98, {**exports.choice("sentiment", label), "meta": mark})
