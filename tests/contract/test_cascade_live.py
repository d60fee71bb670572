"""The large model beside the local one, on a real Label Studio: where it is heard, and when something is in the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from large_model_server import Closed, LargeModelServer, Says, oracle
from pydantic import SecretStr
from unit.cascade.riddles import labelled, riddles
from unit.learning.reviews import SENTIMENT

from ml_backend.encoder import Encoder
from ml_backend.labeling.results import project_key
from ml_backend.model_registry import ModelRegistry
from ml_backend.queues import Jobs
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.training import train
from sdk_scripts.prelabel import prelabel
from sdk_scripts.routing import Routing, route
from tests.contract.synced import Project as Synced

KNOWN, NEW = riddles(60), riddles(30, seed=7)
TRUTH = {text: label for _, text, label in (*KNOWN, *NEW)}


class Desk:
    """A synced project with labels, a version trained on them, and riddles that nobody has touched."""

    def __init__(self, synced: Synced, settings: Settings, encoder: Encoder, jobs: Jobs, large_model: str) -> None:
        self.studio, self.settings, self.encoder, self.jobs = synced.studio, settings, encoder, jobs
        synced.write(SENTIMENT.xml, "config.xml")
        synced.manifest(f"title: Riddles\npolicy:\n  large_model: {large_model}\n")
        synced.sync(apply=True)
        self.id = synced.id
        done = [
            {
                "data": dict(it.data),
                "annotations": [{"result": list(it.annotations[0].regions), "ground_truth": False}],
            }
            for it in labelled(KNOWN)
        ]
        self.studio.import_tasks(self.id, [*done, *({"data": {"text": text}} for _, text, _ in NEW)])
        registry, key = ModelRegistry(settings.models), project_key(self.studio.project(self.id))
        train(key, SENTIMENT, self.studio.read(self.studio.tasks(self.id)), encoder, registry)
        prelabel(settings, self.id, studio=self.studio)

    def route(self) -> Routing:
        project = self.studio.project(self.id)
        return route(self.settings, self.jobs, self.studio, project, apply=True, encoder=self.encoder)

    def predictions(self) -> dict[str, dict[str, Any]]:
        """Text -> the one prediction of each untouched task."""
        found = {}
        for task in self.studio.untouched_tasks(self.id):
            (found[task["data"]["text"]],) = task["predictions"]
        return found


@pytest.fixture
def server() -> Iterator[LargeModelServer]:
    with LargeModelServer(oracle({text: {"sentiment": it} for text, it in TRUTH.items()}, accuracy=0.97)) as server:
        yield server


@pytest.fixture
def make_desk(synced: Synced, studio_settings: Settings, encoder: Encoder, server: LargeModelServer) -> Iterator[Any]:
    settings = studio_settings.model_copy(
        update={"llm_url": server.url, "llm_model": "m", "llm_key": SecretStr(server.key), "llm_timeout": 2.0}
    )
    synced.settings, synced.studio = settings, Studio.connect(settings)
    with Jobs(settings) as jobs:
        yield lambda large_model: Desk(synced, settings, encoder, jobs, large_model)


def label(prediction: dict[str, Any]) -> str:
    return prediction["result"][0]["value"]["choices"][0]


def marks(prediction: dict[str, Any]) -> dict[str, str]:
    return prediction["result"][0].get("meta", {}).get("tiebreak", {})


def test_what_both_models_say_is_what_annotators_see_and_nothing_is_asked_or_written_twice(
    make_desk: Any, server: LargeModelServer
) -> None:
    desk = make_desk("{below: 0.9, learn_from: 60}")
    before = desk.predictions()
    done = desk.route()
    after, asked = desk.predictions(), len(server.asked)
    joint = {text for text, it in after.items() if marks(it).get("by") == "joint"}
    assert len(joint) >= 10
    assert sum(label(after[text]) == TRUTH[text] for text in joint) >= 0.9 * len(joint)
    assert sum(label(before[text]) == TRUTH[text] for text in joint) < 0.8 * len(joint)
    for text in after.keys() - joint:
        assert {**after[text], "created_ago": ""} == {**before[text], "created_ago": ""}
    assert {it["model_version"] for it in after.values()} == {done.version}
    assert all(it["score"] == it["result"][0]["score"] for it in after.values())
    assert done.cost["requests"] == done.today["requests"] - 60  # which taught how far to trust it
    assert done.today["input_tokens"] > 0
    assert done.today["labels"] >= len(joint)

    again = desk.route()
    assert (again.written, again.changes.total(), len(server.asked)) == (0, 0, asked)


@pytest.mark.parametrize(
    ("terms", "trouble", "reason"),
    [
        ("{below: 1, learn_from: 0, tokens_a_day: 100}", None, "budget of the day is spent"),
        ("{below: 1, learn_from: 0}", Closed(), "does not answer"),
        ("{below: 1, learn_from: 0}", Says("I would rather not."), "the answer is not valid"),
    ],
)
def test_whatever_is_in_its_way_each_task_keeps_the_local_prediction_with_the_reason_beside_it(
    make_desk: Any, server: LargeModelServer, terms: str, trouble: Any, reason: str
) -> None:
    desk = make_desk(terms)
    server.always = trouble
    before = desk.predictions()
    done = desk.route()
    after = desk.predictions()
    assert after.keys() == before.keys()
    for text, it in after.items():
        assert (label(it), it["score"]) == (label(before[text]), before[text]["score"])
        assert reason in marks(it)["note"]
    assert sum(n for why, n in done.notes.items() if reason in why) == len(after)

    server.always = None
    assert desk.route().written == (0 if "tokens" in terms else len(after))
