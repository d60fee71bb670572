"""What real workers are given to do in these tests, named by dotted path. Arguments are those of a shard's job."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

KEY = "7.1795381865"
SENTIMENT = """<View>
  <Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text"><Choice value="positive"/><Choice value="negative"/></Choices>
</View>"""


def poison(project_id: int, version: str, first: int, last: int, only_missing: bool) -> None:
    """As the kernel ends a process that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def careless(project_id: int, version: str, first: int, last: int, only_missing: bool) -> None:
    raise ValueError("an annotated text that nobody should read here")


def told(project_id: int, version: str, first: int, last: int, only_missing: bool) -> str:
    """Fails until somebody has mended it: until there is a file of the version's name."""
    from ml_backend.labeling.errors import StudioUnreachable

    if not (_shared() / version).exists():
        raise StudioUnreachable("No answer from http://me:secret@studio:8080.", mend="Start it.")
    (_shared() / f"{version}.{first}.done").touch()
    return "done"


def shard(project_id: int, version: str, first: int, last: int, only_missing: bool) -> None:
    """The product's own work on a shard, on tasks of which each takes 0.2 s and whose predictions are stored in files.

    `began` and `wrote` of a host say which shard it began and which predictions it stored, each time it did."""
    from ml_backend.jobs import job_settings
    from ml_backend.labeling.config import parse
    from ml_backend.prelabel_state import PrelabelState
    from ml_backend.queues import Jobs
    from sdk_scripts.prelabel import Run, predict_shard

    _note("began", first)
    with Jobs(job_settings()) as jobs:
        state = PrelabelState(jobs.redis, KEY)
        run = Run(Store(), {"id": project_id}, parse(SENTIMENT), KEY, version, Slow(version), state)  # type: ignore[arg-type]  # of them it asks no more
        predict_shard(run, (first, last))


class Store:
    """What predicting a shard asks of Label Studio, which every host reaches, even one that is cut off from Redis."""

    def tasks_without(self, project: int, version: str | None, *, between: tuple[int, int]) -> Iterator[dict[str, Any]]:
        there = self._there(between)
        yield from ({"id": task} for task in range(between[0], between[1] + 1) if task not in there)

    def count_with(self, project: int, version: str, *, between: tuple[int, int]) -> int:
        return len(self._there(between))

    def import_predictions(self, project: int, predictions: Sequence[Mapping[str, Any]]) -> int:
        tasks = [item["task"] for item in predictions]
        there = self._there((min(tasks), max(tasks)))
        for task in tasks:
            if task not in there:
                _note("wrote", task)
                (_shared() / f"prediction-{task}").touch()
        return len(tasks) - len(there)

    def _there(self, between: tuple[int, int]) -> set[int]:
        return {task for task in range(between[0], between[1] + 1) if (_shared() / f"prediction-{task}").exists()}


class Slow:
    """A model that takes its time."""

    def __init__(self, version: str, seconds: float = 0.2) -> None:
        self._version = version
        self._seconds = seconds

    def model_version(self, *_: Any) -> str:
        return self._version

    def predict(self, key: str, config: Any, tasks: Sequence[Mapping[str, Any]]) -> SimpleNamespace:
        value = {"choices": ["positive"]}
        region = {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": value}
        time.sleep(self._seconds * len(tasks))
        return SimpleNamespace(model_version=self._version, results=[{"result": [region], "score": 0.9}] * len(tasks))


def noted(folder: Path, what: str, host: str) -> list[int]:
    file = folder / f"{what}-{host}"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def _note(what: str, number: int) -> None:
    with (_shared() / f"{what}-{socket.gethostname()}").open("a") as file:
        file.write(f"{number}\n")


def _shared() -> Path:
    from ml_backend.jobs import job_settings

    return Path(job_settings().models)
