"""Results: tasks with the answers of every kind and what a real Label Studio sent, with places spoilt."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from unit.analysis import exports
from unit.labeling.strategies import answered, configs

from ml_backend.labeling.answers import write_answers
from ml_backend.labeling.arms import Arms
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.judgements import judgements, latest, of_annotators
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import project_key, read_task
from sdk_scripts.sources import oddities
from tests.fuzz.mutations import RECORDED, spoilt_json
from tests.fuzz.settling import fuzzing, settled

EVERY_KIND = parse(exports.EVERY_KIND)
ARMS = Arms("secret")


def tasks_in(document: Any) -> list[Mapping[str, Any]]:
    """Whatever looks like a task, anywhere in it."""
    inside = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    found = [task for item in inside for task in tasks_in(item)]
    return [document, *found] if isinstance(document, dict) and "data" in document else found


SENT = [task for document in RECORDED.values() for task in tasks_in(document)]


def survives(document: Any, config: LabelConfig = EVERY_KIND) -> None:
    read = settled(lambda: read_task(document, {1: "a@example.com"}))
    if read is None:
        return
    task = ARMS.opened(read)
    table = judgements([task], config)
    oddities(config, [task])
    for name, key in table.select("control", "answer").iter_rows():
        kind = kind_of(config[name])
        assert kind
        assert kind.key(kind.from_key(key)) == key
        kind.show(kind.from_key(key)).encode()
        kind.labels(kind.from_key(key))
    assert len(of_annotators(latest(table))) <= len(table)
    assert all(it is None or 0 <= it < math.inf for it in table["lead_time"])
    settled(lambda: project_key(document))


@st.composite
def labelled(draw: st.DrawFn) -> tuple[LabelConfig, dict[str, Any]]:
    """A task that some people have answered, with the model's answers beside."""
    config = draw(configs(most=3))
    said = [json.loads(json.dumps(write_answers(config, draw(answered(config)), {}))) for _ in range(3)]
    prediction = {"id": 7, "result": said[0], "score": 0.5, "model_version": "v1"}
    more = {"parent_prediction": 7, "prediction": prediction}
    task = exports.task(1, "t", [exports.annotation(id, id, *it, **more) for id, it in enumerate(said[1:], 1)])
    return config, {**task, "predictions": [prediction]}


@fuzzing(60)
@given(data=st.data())
def test_results_of_every_kind_spoilt(data: st.DataObject) -> None:
    config, task = data.draw(labelled())
    survives(data.draw(spoilt_json([task], most=8)), config)


@fuzzing(150)
@given(spoilt_json(SENT, most=8))
def test_results_that_label_studio_sent_spoilt(document: Any) -> None:
    survives(document)
