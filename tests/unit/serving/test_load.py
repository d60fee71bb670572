"""Many annotators, a batch, trainings and promotions at once; and two hundred projects on one backend."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from pydantic import SecretStr

from ml_backend.encoder import Encoder, load_encoder
from ml_backend.live_models import MODEL_BYTES
from ml_backend.model_registry import Model, ModelRegistry
from ml_backend.prelabelers import State
from ml_backend.prelabelers._neighbours import MOST as MOST_NEIGHBOURS
from ml_backend.prelabelers.few_shot import MOST_NGRAMS
from ml_backend.settings import Settings, load_settings
from ml_backend.training import train
from tests.unit.learning.reviews import SENTIMENT, labelled, reviews
from tests.unit.serving.running import eventually, free_port

KEY = "7.1795381865"
PROJECT = {"id": 7, "created_at": "2026-11-22T21:11:05.953710Z"}
ANNOTATORS = 16
ALLOWED_SECONDS = 1.0
"""Label Studio waits that long for a webhook. Counted in the backend's own time, however busy the machine is."""
PROJECTS = 200
TRAINED = 45
"""Of them, each with a model of its own from thousands of labels."""
MOST_MEGABYTES = 500


def _train_three_times(home: Path, converted_encoders: Path) -> None:
    settings = load_settings(home=home, converted_encoders=converted_encoders)
    for count in (40, 80, 120):
        train(KEY, SENTIMENT, labelled(count), load_encoder(settings), ModelRegistry(settings.models))


def predict(client: httpx.Client, texts: list[str], project: str = KEY, config: str = SENTIMENT.xml) -> dict[str, Any]:
    tasks = [{"id": number, "data": {"text": text}} for number, text in enumerate(texts)]
    answer = client.post("/predict", json={"tasks": tasks, "project": project, "label_config": config})
    assert answer.status_code == 200, answer.text
    told = dict(answer.json())
    assert len(told["results"]) == len(texts)
    assert all(item["result"] for item in told["results"])
    return told


def test_nobody_is_failed_or_kept_waiting_while_models_are_trained_and_promoted(
    queue_settings: Settings, tmp_path: Path
) -> None:
    spawn = multiprocessing.get_context("spawn")
    places = queue_settings.home, queue_settings.converted_encoders
    training = spawn.Process(target=_train_three_times, args=places)
    over, rounds, versions, worked = threading.Event(), [0] * (ANNOTATORS + 2), set[str](), list[float]()

    def until_over(who: int, act: Callable[[int], None]) -> None:
        while not over.is_set():
            act(rounds[who])
            rounds[who] += 1

    # A process of its own, as it has in production: these clients would compete with it for the interpreter.
    with backend(queue_settings, tmp_path) as (client, process), ThreadPoolExecutor(ANNOTATORS + 2) as people:

        def annotate(who: int) -> Callable[[int], None]:
            return lambda turn: versions.add(predict(client, [f"Task {turn} of {who} is lovely."])["model_version"])

        def ask_for_many(turn: int) -> None:
            predict(client, [f"{text} ({turn})" for text, _ in reviews(100)])

        def connect_and_hint(turn: int) -> None:
            setup = {"project": KEY, "schema": SENTIMENT.xml}
            hint = {"action": "ANNOTATION_CREATED", "annotation": {"id": turn, "result": []}, "project": PROJECT}
            for path, body in (("/setup", setup), ("/webhook", hint)):
                began = seconds_worked(process)
                assert client.post(path, json=body).is_success
                worked.append(seconds_worked(process) - began)

        training.start()
        acts = [*map(annotate, range(ANNOTATORS)), ask_for_many, connect_and_hint]
        doing = [people.submit(until_over, who, act) for who, act in enumerate(acts)]
        training.join(120)
        over.set()
        for done in doing:
            done.result()
        last = predict(client, ["One more."])["model_version"]
    assert training.exitcode == 0
    assert last == ModelRegistry(queue_settings.models).live(KEY)
    assert any(version.startswith("zero-shot-") for version in versions)
    assert all(rounds)
    assert max(worked) < ALLOWED_SECONDS


def test_two_hundred_projects_share_one_backend_in_bounded_memory(
    settings: Settings, encoder: Encoder, tmp_path: Path
) -> None:
    registry = ModelRegistry(settings.models)
    first = train(KEY, SENTIMENT, labelled(60), encoder, registry)
    large = _of_thousands_of_labels(registry.load(KEY, first.version))
    trained = {}
    for number in range(TRAINED):
        project = f"{number + 100}.1795381865"
        trained[project] = registry.save(project, replace(large, info=replace(large.info, labels=5_000 + number)))
        registry.promote(project, trained[project])
    assert TRAINED * large.serving().bytes > 1.5 * MODEL_BYTES
    settings = settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")})
    with backend(settings, tmp_path) as (client, process), ThreadPoolExecutor(ANNOTATORS) as people:

        def ask(project: str) -> None:
            told = predict(client, [f"Lovely, project {project}.", "It broke."], project)
            assert told["model_version"] == trained[project]

        list(people.map(ask, trained))
        for number in range(PROJECTS - TRAINED):
            own = SENTIMENT.xml.replace("complains about it", f"complains about product {number}")
            texts = [f"{text} {number}" for text, _ in reviews(5)]
            assert predict(client, texts, f"{number + 1000}.1795381865", own)["model_version"].startswith("zero")
        list(people.map(ask, trained))
        assert psutil.Process(process.pid).memory_info().rss < MOST_MEGABYTES * 1e6


def _of_thousands_of_labels(model: Model) -> Model:
    """As large as a model gets that has learned two labels: all neighbours, and all n-grams."""
    head = model.heads["sentiment"]
    arrays = dict(head.state.arrays)
    few = len(arrays["word_hashes"]) + len(arrays["character_hashes"])
    grams = np.arange(MOST_NGRAMS, dtype=np.uint32) * 300_000
    for family in ("word", "character"):
        arrays |= {f"{family}_hashes": grams, f"{family}_idf": np.ones(MOST_NGRAMS, np.float32)}
    embedded = arrays["weights"][: len(arrays["weights"]) - few]
    arrays["weights"] = np.concatenate([embedded, np.zeros((2 * MOST_NGRAMS, 2), np.float32)])
    rows = np.arange(MOST_NEIGHBOURS) % len(arrays["neighbour_vectors"])
    for name in ("vectors", "weights", "labels"):
        arrays[f"neighbour_{name}"] = np.ascontiguousarray(arrays[f"neighbour_{name}"][rows])
    arrays["neighbour_starts"] = np.arange(MOST_NEIGHBOURS + 1, dtype=np.int32)
    return replace(model, heads={"sentiment": replace(head, state=State(head.state.fields, arrays))})


def seconds_worked(process: subprocess.Popen[bytes]) -> float:
    """CPU time of all its threads."""
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


@contextmanager
def backend(settings: Settings, folder: Path) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """`tiebreak serve` in a process of its own, once it is ready."""
    port, log = free_port(), folder / "backend.log"
    environment = os.environ | {"TIEBREAK_HOME": str(settings.home)}
    if settings.redis_url is not None:
        environment["TIEBREAK_REDIS_URL"] = settings.redis_url.get_secret_value()
    with log.open("wb") as output:
        command = [sys.executable, "-c", "from sdk_scripts.cli import main; main()", "serve", "--port", str(port)]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False) as client:
            eventually(lambda: _is_ready(client, process), what=f"the backend, see {log}")
            yield client, process
    finally:
        process.terminate()
        process.wait(30)


def _is_ready(client: httpx.Client, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None
    try:
        return bool(client.get("/health").json()["ready"])
    except httpx.TransportError:
        return False
