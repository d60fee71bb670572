"""`ml_backend.model` in the official label-studio-ml 1.0.9 server, and under the 2.x interface."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from ml_backend.queues import TRAIN_QUEUE, WORK_QUEUE, Jobs
from ml_backend.settings import Settings
from ml_backend.valkey import Valkey
from tests.unit.serving.running import SENTIMENT, eventually, free_port

PROJECT = {"id": 7, "created_at": "2026-11-22T21:11:05.953710Z", "label_config": SENTIMENT}
KEY = "7.1795381865"
TASKS = [{"id": 1, "project": 7, "data": {"text": "I love it"}}, {"id": 2, "project": 7, "data": None}]

SERVER = """
import sys
from label_studio_ml.api import init_app
from ml_backend.model import TiebreakModel

if __name__ == "__main__":
    init_app(model_class=TiebreakModel, model_dir=sys.argv[2]).run(host="127.0.0.1", port=int(sys.argv[1]))
"""

# Runs the real class body of `ml_backend.model` on the 2.x base: constructor, `label_config` and `model_version` as
# properties over a cache, and how its server calls `predict` and `fit`.
VERSION_2 = """
import json, sys, types

CACHE = {}

class LabelStudioMLBase:
    def __init__(self, project_id=None, label_config=None):
        self.project_id = project_id or ""
        if label_config is not None:
            self.set("label_config", label_config)
        if not self.get("model_version"):
            self.set("model_version", "0.0.1")
        self.setup()
    def setup(self): pass
    def get(self, key): return CACHE.get((self.project_id, key))
    def set(self, key, value): CACHE[self.project_id, key] = value
    @property
    def label_config(self): return self.get("label_config")
    @property
    def model_version(self): return self.get("model_version")
    def predict(self, tasks, context=None, **kwargs): ...
    def fit(self, event, data, **additional_params): ...

module = types.ModuleType("label_studio_ml.model")
module.LabelStudioMLBase = LabelStudioMLBase
package = types.ModuleType("label_studio_ml")
package.model = module
sys.modules |= {"label_studio_ml": package, "label_studio_ml.model": module}

from ml_backend.model import TiebreakModel

asked = json.load(sys.stdin)
model = TiebreakModel(project_id="7", label_config=asked["label_config"])
predictions = model.predict(asked["tasks"], context=None, login=None, password=None)
train = TiebreakModel(project_id="7").fit("START_TRAINING", {"action": "START_TRAINING", "project": asked["project"]})
other = TiebreakModel(project_id="7").fit("PROJECT_UPDATED", {"project": asked["project"]})
print(json.dumps({"predictions": predictions, "train": train, "other": other}))
"""


@pytest.fixture
def environment(settings: Settings, valkey: Valkey, converted_encoders: str) -> dict[str, str]:
    ours = {"TIEBREAK_HOME": str(settings.home), "TIEBREAK_REDIS_URL": valkey.url, "AUTO_UPDATE": "1"}
    ours["TIEBREAK_CONVERTED_ENCODERS"] = converted_encoders
    return {key: value for key, value in os.environ.items() if not key.startswith("TIEBREAK_")} | ours


@pytest.fixture
def official(environment: dict[str, str], tmp_path: Path) -> Iterator[httpx.Client]:
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    (tmp_path / "models").mkdir()
    port = free_port()
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(script), str(port), str(tmp_path / "models")],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False) as client:

            def up() -> bool:
                assert process.poll() is None, (tmp_path / "server.log").read_text()[-2000:]
                try:
                    return client.get("/health").status_code == 200
                except httpx.TransportError:
                    return False

            eventually(up, what="the official server")
            yield client
    finally:
        process.terminate()
        process.wait(30)


def sound(predictions: list[dict[str, Any]]) -> None:
    assert len(predictions) == len(TASKS)
    first, second = predictions
    assert first["result"][0]["from_name"] == "sentiment"
    assert 0 <= first["score"] <= 1
    assert first["model_version"].startswith("zero-shot-")
    assert second == {}


def test_the_official_server_predicts_with_it_and_asks_our_worker_to_train(
    official: httpx.Client, settings: Settings, valkey: Valkey
) -> None:
    setup = {"project": KEY, "schema": SENTIMENT, "hostname": "http://x", "access_token": "t", "extra_params": None}
    assert official.post("/setup", json=setup).status_code == 200
    params = {"login": None, "password": None, "context": None}
    body = {"tasks": TASKS, "project": KEY, "label_config": SENTIMENT, "params": params}
    answer = official.post("/predict", json=body)
    assert answer.status_code == 200, answer.text[-2000:]
    sound(answer.json()["results"])

    hint = {"action": "ANNOTATION_CREATED", "annotation": {"id": 1, "result": []}, "project": PROJECT}
    assert official.post("/webhook", json=hint).status_code == 201
    with Jobs(settings.model_copy(update={"redis_url": SecretStr(valkey.url)})) as jobs:
        queue = jobs.queue(TRAIN_QUEUE)
        eventually(lambda: queue.scheduled_job_registry.get_job_ids(), what="the training")
        assert jobs.queue(WORK_QUEUE).job_ids == []


def test_it_runs_on_the_interface_of_version_2(environment: dict[str, str]) -> None:
    asked = json.dumps({"tasks": TASKS, "label_config": SENTIMENT, "project": PROJECT})
    done = subprocess.run(
        [sys.executable, "-c", VERSION_2], input=asked, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.strip().splitlines()[-1])
    sound(told["predictions"])
    assert told["train"]["job"].startswith("train-7_1795381865-")
    assert told["other"] == {}
