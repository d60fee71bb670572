"""Reports, training exports and tables of whatever little a project has, spoilt as its export may be."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.analysis import exports

from ml_backend.labeling.config import parse
from ml_backend.labeling.results import read_task
from ml_backend.settings import Settings
from sdk_scripts.report import make_report
from sdk_scripts.report.kept import Before
from sdk_scripts.sources import Dataset
from sdk_scripts.tables import print_table
from sdk_scripts.training_export.collect import Asked, collect
from sdk_scripts.training_export.formats import FORMATS
from sdk_scripts.training_export.write import write
from tests.fuzz.mutations import NASTY, spoilt_json
from tests.fuzz.settling import fuzzing, settled

CONFIG = parse(exports.EVERY_KIND)
ANSWERS = (
    {"choices": ["allow"]},
    {"taxonomy": [["ip", "fake"]]},
    {"rating": 4},
    {"number": 1e300},
    {"text": ["<b>=1+1"]},
    {"start": 0, "end": 2, "labels": ["claim"]},
)
NAMES = ("verdict", "policy", "stars", "price", "why", "spans")


def regions(which: int) -> list[dict[str, Any]]:
    return [
        {"from_name": name, "to_name": "text", "type": "x", "value": value}
        for place, (name, value) in enumerate(zip(NAMES, ANSWERS, strict=True))
        if which >> place & 1
    ]


def task(id: int, people: list[int]) -> dict[str, Any]:
    prediction = {"id": id, "result": regions(63), "score": 0.5, "model_version": "v1"}
    given = [
        exports.annotation(id * 10 + who, who, *regions(which), parent_prediction=id, prediction=prediction)
        for who, which in enumerate(people, 1)
    ]
    return {**exports.task(id, f"text {id % 2}", given), "predictions": [prediction]}


people = st.lists(st.integers(0, 63), max_size=3)
tasks = st.lists(people, max_size=5).map(lambda it: [task(id, who) for id, who in enumerate(it, 1)])
spoilt = tasks.flatmap(lambda it: spoilt_json([it], most=6))


def dataset(documents: Any) -> Dataset:
    listed = documents if isinstance(documents, list) else []
    read = [it for document in listed if (it := settled(lambda document=document: read_task(document)))]
    return Dataset("small", CONFIG, list({it.id: it for it in read}.values()))


@fuzzing(4)
@given(spoilt)
def test_reports_of_small_datasets(settings: Settings, documents: Any) -> None:
    made = settled(lambda: make_report(dataset(documents), settings, Before()))
    if made is not None:
        json.loads(made.files["report.json"], parse_constant=pytest.fail)
        assert all(made.files.values())


@fuzzing(10)
@given(spoilt, st.sampled_from(list(FORMATS)))
def test_training_sets_of_small_datasets(settings: Settings, documents: Any, form: str) -> None:
    found = settled(lambda: collect(dataset(documents), settings, asked=Asked(names=True)))
    if found is not None:
        with tempfile.TemporaryDirectory() as folder:
            settled(lambda: write(found, Path(folder) / "out", [form], settings))


cells = st.sampled_from(NASTY) | st.text(max_size=20) | st.integers() | st.floats()


@fuzzing(40)
@given(st.lists(st.dictionaries(st.sampled_from(["a", "b_c", "[red]d"]), cells), max_size=5), st.text(max_size=8))
def test_tables_in_a_terminal(capsys: pytest.CaptureFixture[str], rows: list[dict[str, object]], title: str) -> None:
    print_table(rows, ["a", "b_c", "[red]d"], title=title)
    shown = capsys.readouterr().out
    assert not set(shown) & set("\x00\x07\x1b\u202e")
