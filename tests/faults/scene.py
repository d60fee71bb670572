"""One project under load: people annotate, Label Studio and others ask for predictions, and one fault comes between."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import yaml

from ml_backend.labeling.answers import write_answers
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import TiebreakError
from ml_backend.labeling.results import project_key
from ml_backend.model_registry import ModelRegistry
from ml_backend.queues import Jobs
from sdk_scripts.demo_data import Review, sentiment, slot_account, stars
from sdk_scripts.sync import sync
from tests.faults.estate import PASSWORD, ROOT, USER, Estate

LABELLED = 50
"""Tasks that come with three labels each; the others get theirs one by one."""
PEOPLE = 3
ANNOTATE_EVERY = 0.2
PREDICT_EVERY = 0.25
ANSWER_SECONDS = 5.0
"""A prediction that takes longer counts as none."""


@dataclass
class Scene:
    estate: Estate
    jobs: Jobs
    draw: Random
    project: int
    key: str
    xml: str
    people: tuple[int, ...]
    """Account ids of those who label."""
    tasks: list[tuple[int, Review]]
    acknowledged: set[int] = field(default_factory=set)
    """Ids of the annotations that Label Studio said it has."""
    opened: Counter[int] = field(default_factory=Counter)
    """Tasks that people opened, how often: Label Studio asks the backend for those that have no prediction yet."""
    refused: int = 0
    """Annotations that it did not take, or gave no answer to."""
    served: list[tuple[float, str]] = field(default_factory=list)
    """When which version answered /predict; "" for none."""
    promoted: list[str] = field(default_factory=list)
    """Versions in the order in which they became the live one."""
    problems: list[str] = field(default_factory=list)
    """What a fault itself found wrong."""

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry(self.estate.direct.models)

    def predict(self) -> str:
        """Ask for three tasks; the version that answers, which is noted, or "" where none does."""
        version = self._ask()
        self.served.append((time.monotonic(), version))
        return version

    def _ask(self) -> str:
        place = len(self.served) * 3 % (len(self.tasks) - 3)
        body = {
            "tasks": [{"id": id, "data": {"text": review.text}} for id, review in self.tasks[place : place + 3]],
            "project": self.key,
            "label_config": self.xml,
        }
        with suppress(httpx.HTTPError, ValueError, KeyError):
            url = f"http://127.0.0.1:{self.estate.backend_port}/predict"
            said = httpx.post(url, json=body, auth=(USER, PASSWORD), timeout=ANSWER_SECONDS, trust_env=False)
            if said.status_code == 200 and all("result" in it for it in said.json()["results"]):
                return str(said.json()["model_version"])
        return ""

    def note_promoted(self) -> None:
        with suppress(TiebreakError):
            pointer = self.registry.pointer(self.key)
            for version in (*reversed(pointer.before), pointer.version):
                if version and version not in self.promoted:
                    self.promoted.append(version)


def begin(estate: Estate, jobs: Jobs, reviews: list[Review], name: str, seed: int) -> Scene:
    """A project as code with hard cases that are found by themselves, and its tasks."""
    folder = estate.direct.folder("faults") / name
    shutil.copytree(ROOT / "label_configs" / "product_reviews", folder, dirs_exist_ok=True)
    fields = yaml.safe_load((folder / "project.yaml").read_text("utf-8"))
    # In random order: else every version would be followed by a minute of sorting, a call a task.
    fields |= {"name": name, "title": name[:50], "sampling": "uniform"}
    fields["hard_cases"] |= {"automatic": True, "one_more_annotator": False}
    del fields["quality"]
    (folder / "project.yaml").write_text(yaml.safe_dump(fields), "utf-8")
    project = sync([folder], estate.direct, apply=True).projects[name]
    stored = estate.studio.project(project)
    config = parse(stored["label_config"])
    people = tuple(estate.studio.add_annotator(*slot_account(slot)) for slot in range(PEOPLE))
    new = [
        {
            "data": {"text": review.text},
            "annotations": [_annotation(config, review, slot, who) for slot, who in enumerate(people)],
        }
        if place < LABELLED
        else {"data": {"text": review.text}}
        for place, review in enumerate(reviews)
    ]
    estate.studio.import_tasks(project, new)
    known = {review.text: review for review in reviews}
    tasks = [(t["id"], known[t["data"]["text"]]) for t in estate.studio.tasks(project, data_only=True)]
    tasks.sort(key=lambda task: task[0])
    return Scene(estate, jobs, Random(seed), project, project_key(stored), stored["label_config"], people, tasks)


@contextmanager
def under_load(scene: Scene) -> Iterator[None]:
    done = threading.Event()
    threads = [threading.Thread(target=work, args=(scene, done), daemon=True) for work in (_annotate, _ask)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join(60)


def _annotate(scene: Scene, done: threading.Event) -> None:
    """One label after the other, three a task, as people send them; every fifth time a task is opened first."""
    config, token = parse(scene.xml), scene.estate.direct.studio_token.get_secret_value()
    headers = {"Authorization": f"Token {token}"}
    asked = ((id, review, slot) for id, review in scene.tasks[LABELLED:] for slot in range(PEOPLE))
    with httpx.Client(base_url=scene.estate.direct.studio_url, headers=headers, timeout=30, trust_env=False) as client:
        for turn, (id, review, slot) in enumerate(asked):
            if done.wait(ANNOTATE_EVERY):
                return
            try:
                if turn % 5 == 0:
                    said = client.get(f"/api/projects/{scene.project}/next")
                    if said.status_code == 200:
                        scene.opened[int(said.json()["id"])] += 1
                said = client.post(
                    f"/api/tasks/{id}/annotations/", json=_annotation(config, review, slot, scene.people[slot])
                )
                if said.status_code == 201:
                    scene.acknowledged.add(int(said.json()["id"]))
                    continue
            except httpx.HTTPError:
                pass
            scene.refused += 1


def _ask(scene: Scene, done: threading.Event) -> None:
    while not done.wait(PREDICT_EVERY):
        scene.note_promoted()
        scene.predict()


def _annotation(config: LabelConfig, review: Review, slot: int, who: int) -> dict[str, Any]:
    rating = review.ratings[slot]
    given = {"sentiment": (sentiment(rating),), "stars": stars(rating)}
    return {"result": write_answers(config, given), "ground_truth": False, "completed_by": who}


def storm_body(scene: Scene) -> dict[str, Any]:
    """A webhook as Label Studio sends it."""
    file = ROOT / "tests" / "contract" / "recorded" / "webhook_ANNOTATION_CREATED.json"
    [recorded] = json.loads(file.read_text("utf-8"))
    return {**recorded["body"], "project": scene.estate.studio.project(scene.project)}
