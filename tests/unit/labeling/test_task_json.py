"""The fast reader of task JSON comes to what the forgiving one comes to, whatever the JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import DecodeError

from ml_backend.labeling.arms import Arms
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.results import read_task
from ml_backend.labeling.task_json import TaskReader

RECORDED = Path(__file__).parents[2] / "contract" / "recorded"
SECRET = Arms("a secret of sixteen characters", seeded=0.2)
PEOPLE = {7: "ana@example.com"}


def slowly(text: str) -> Any:
    return SECRET.opened(read_task(json.loads(text), PEOPLE))


def same(text: str) -> None:
    fast = TaskReader(SECRET, PEOPLE)(text.encode())
    assert fast == slowly(text)
    assert all(it.told in (None, it._told) for it in fast.annotations)


@pytest.mark.parametrize("name", ["export_json_sample", "export_snapshot_sample"])
def test_recorded_exports_are_read_alike(name: str) -> None:
    for task in json.loads((RECORDED / f"{name}.json").read_text()):
        same(json.dumps(task))


def odd(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly as Label Studio writes it, now and then anything."""
    numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    anything = st.none() | st.booleans() | numbers | st.text(max_size=5)
    return usual | usual | usual | anything | st.lists(anything, max_size=2) | st.just({"id": 5, "email": "b@x.y"})


SEALS = st.sampled_from([SECRET.seal(3, arm, "label", "v1") for arm in ("plain", "seeded")] + ["nonsense"])
TIMES = odd(st.sampled_from(["2026-01-05T09:00:00.5Z", "2026-01-05T11:00:00+02:00", "2026-01-05 09:00", "no time"]))
REGION = st.fixed_dictionaries(
    {
        "id": st.text(max_size=3),
        "from_name": odd(st.just("label")),
        "type": odd(st.just("choices")),
        "value": odd(st.fixed_dictionaries({"choices": odd(st.just(["spam"]))})),
    },
    optional={
        "origin": st.sampled_from(["prediction", "manual", "prediction-changed"]),
        "meta": odd(st.fixed_dictionaries({"tiebreak": odd(st.fixed_dictionaries({"seal": SEALS}))})),
    },
)
RESULT = odd(st.lists(odd(REGION), max_size=2))
PREDICTION = st.fixed_dictionaries(
    {"id": odd(st.integers(1, 2)), "model_version": odd(st.just("v1")), "score": odd(st.floats(0, 1)), "result": RESULT}
)
PERSON = odd(st.sampled_from([7, 8, {"id": 7}, {"email": "ana@example.com"}]))
ANNOTATION = st.fixed_dictionaries(
    {"id": odd(st.integers(1, 9)), "completed_by": PERSON, "result": RESULT},
    optional={
        "was_cancelled": odd(st.booleans()),
        "ground_truth": odd(st.booleans()),
        "created_at": TIMES,
        "updated_at": TIMES,
        "lead_time": odd(st.floats(-1, 100)),
        "parent_prediction": odd(st.integers(1, 3)),
        "prediction": odd(PREDICTION | st.just({})),
        "updated_by": PERSON,
    },
)
TASK = st.fixed_dictionaries(
    {"id": odd(st.just(3)), "data": st.dictionaries(st.text(max_size=3), odd(st.integers()), max_size=2)},
    optional={
        "annotations": odd(st.lists(odd(ANNOTATION), max_size=3)),
        "predictions": odd(st.lists(odd(PREDICTION), max_size=2)),
        "meta": odd(st.just({"a": 1})),
        "created_at": TIMES,
        "overlap": odd(st.integers(1, 3)),
        "file_upload": odd(st.just("x.csv")),
    },
)


@given(TASK)
def test_odd_tasks_are_read_alike(task: dict[str, Any]) -> None:
    same(json.dumps(task))


def test_many_predictions_that_only_have_ids_are_counted() -> None:
    read = TaskReader(SECRET)
    for predictions in ([4, 5], [], [{"id": 4, "result": []}], [4, "odd"]):
        read(json.dumps({"data": {}, "predictions": predictions}).encode())
    assert read.ids_only == 2


def test_what_is_no_task_and_what_is_no_json_is_refused() -> None:
    with pytest.raises(InputError, match="no `data` object"):
        TaskReader(SECRET)(b'{"id": 1}')
    with pytest.raises(DecodeError):
        TaskReader(SECRET)(b'{"data": {"text": "\\ud800"}}')
