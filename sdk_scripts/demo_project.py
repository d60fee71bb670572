"""What the steps of the demo do, each safe to repeat."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from ml_backend.labeling.answers import write_answers
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import TiebreakError
from ml_backend.labeling.results import project_key
from ml_backend.settings import Settings
from sdk_scripts.demo_data import SUBMITTED, Review, Reviews, sentiment, slot_account, stars
from sdk_scripts.embedded import Report
from sdk_scripts.manifest_schema import TASK_KEY

if TYPE_CHECKING:
    from ml_backend.studio import Studio

NAME = "product_reviews"
HARD_CASES = 30
TRAINING_SECONDS = 600.0
PUSH_SECONDS = 300.0


class DemoStalled(TiebreakError):
    """Something the demo waits for did not come; the message says where to look."""


class Demo:
    """The demo's project on a running stack, whose settings these are."""

    def __init__(self, settings: Settings, reviews: Reviews, report: Report) -> None:
        from ml_backend.studio import Studio

        self.settings = settings
        self.reviews = reviews
        self.report = report
        self.studio: Studio = Studio.connect(settings)
        self.project_id = 0

    # -- the project and its tasks -------------------------------------------------------------------------------------

    def sync(self) -> bool:
        """Make or update the project from its manifest; whether a second plan is empty."""
        from sdk_scripts.sync import sync

        manifest = self._manifest()
        outcome = sync([manifest], self.settings, apply=True, report=lambda line: self.report(f"  {line}"))
        self.project_id = outcome.projects[NAME]
        return not sync([manifest], self.settings).changes

    def _manifest(self) -> Path:
        """The manifest of `label_configs`, with the reviews nobody labelled as its task source, as users would."""
        source = Path(__file__).parents[1] / "label_configs" / NAME
        folder = self.settings.folder("demo") / NAME
        shutil.copytree(source, folder, dirs_exist_ok=True)
        fields = yaml.safe_load((source / "project.yaml").read_text("utf-8"))
        fields["tasks"] = [{"file": "reviews.jsonl", "key": "review_id"}]
        (folder / "project.yaml").write_text(yaml.safe_dump(fields, sort_keys=False, allow_unicode=True), "utf-8")
        rows = [_data(review) for review in (*self.reviews.held_out, *self.reviews.unlabelled)]
        (folder / "reviews.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return folder / "project.yaml"

    @cached_property
    def key(self) -> str:
        return project_key(self.studio.project(self.project_id))

    @cached_property
    def config(self) -> LabelConfig:
        return parse(self.studio.project(self.project_id)["label_config"])

    @cached_property
    def accounts(self) -> tuple[int, ...]:
        """User ids of the slots."""
        slots = sorted({slot for _, trio in self.reviews.labelled for slot in trio})
        return tuple(self.studio.add_annotator(*slot_account(slot)) for slot in slots)

    def import_labelled(self) -> int:
        """Import the labelled tasks with their annotations, but for the last ones, whose annotations are submitted.

        Returns how many annotations are missing afterwards, or count as ground truth.
        """
        there = self._task_ids()
        with_labels, without = self.reviews.labelled[:-SUBMITTED], self.reviews.labelled[-SUBMITTED:]
        new = [
            {"data": _keyed(review), "annotations": [self._annotation(review, slot) for slot in trio]}
            for review, trio in with_labels
            if review.key not in there
        ]
        new += [{"data": _keyed(review)} for review, _ in without if review.key not in there]
        if new:
            self.studio.import_tasks(self.project_id, new)
        project = self.studio.project(self.project_id)
        missing = sum(len(trio) for _, trio in with_labels) - int(project["total_annotations_number"])
        return max(missing, 0) + int(project["ground_truth_number"])

    def _annotation(self, review: Review, slot: int) -> dict[str, Any]:
        rating = review.ratings[slot]
        given = {"sentiment": (sentiment(rating),), "stars": stars(rating)}
        return {
            "completed_by": self.accounts[slot],
            "result": write_answers(self.config, given),
            "ground_truth": False,
        }

    def _task_ids(self) -> dict[str, int]:
        """Key of a review -> id of its task."""
        return {
            str(task["data"].get(TASK_KEY)): int(task["id"])
            for task in self.studio.tasks(self.project_id, data_only=True)
        }

    # -- predictions and training --------------------------------------------------------------------------------------

    def zero_shot(self) -> tuple[int, int]:
        """Push the zero-shot predictions, unless an earlier run did.

        Returns how many are stored, and how many of the first hundred have no score in [0, 1].
        """
        from sdk_scripts.prelabel import prelabel

        stored = self._zero_shot_predictions()
        if not stored:
            prelabel(self.settings, self.project_id, studio=self.studio)
            stored = self._zero_shot_predictions()
        ids = sorted(self._task_ids().values())[:100]
        scores = [p.get("score") for task in self.studio.tasks(self.project_id, ids=ids) for p in task["predictions"]]
        return stored, sum(not (isinstance(score, int | float) and 0 <= score <= 1) for score in scores)

    def _zero_shot_predictions(self) -> int:
        versions = self.studio.model_versions(self.project_id)
        return sum(count for version, count in versions.items() if version.startswith("zero-shot"))

    def submit(self) -> tuple[int, int]:
        """Submit the last ratings that are not there yet, one call each, as people would.

        Returns how many were submitted, and how many webhooks the backend took meanwhile.
        """
        last = self.reviews.labelled[-SUBMITTED:]
        ids = self._task_ids()
        wanted = [ids[review.key] for review, _ in last]
        tasks = {task["id"]: task for task in self.studio.tasks(self.project_id, ids=wanted)}
        before, submitted = self._webhooks(), 0
        for review, trio in last:
            task = tasks[ids[review.key]]
            done = {_id(one["completed_by"]) for one in task["annotations"]}
            for slot in trio:
                if self.accounts[slot] not in done:
                    self.studio.create_annotation(task["id"], self._annotation(review, slot))
                    submitted += 1
        return submitted, self._webhooks() - before

    def _webhooks(self) -> int:
        """How many webhooks the backend has accepted."""
        settings = self.settings
        password = settings.backend_password.get_secret_value() if settings.backend_password else ""
        metrics = httpx.get(
            f"{settings.backend_url}/metrics", auth=(settings.backend_user or "", password), trust_env=False
        ).text
        found = re.search(r'^tiebreak_requests_total\{path="/webhook",status="202"\} (\S+)', metrics, re.MULTILINE)
        return int(float(found[1])) if found else 0

    def await_training(self) -> str:
        """Wait until a training has seen every label; returns the live version. Raises DemoStalled."""
        from ml_backend.model_registry import ModelRegistry
        from ml_backend.project_state import count_labels
        from ml_backend.queues import Jobs

        labels = count_labels(self.studio.project(self.project_id))
        with Jobs(self.settings) as jobs:
            state = jobs.state(self.key)

            if state.last() is None and not state.pending().labels and not state.is_training():
                jobs.request_training(self.key, self.project_id)  # the queues were emptied since an earlier run

            def trained() -> bool:
                last = state.last()
                seen = last is not None and last.settled and last.labels >= labels
                return seen and not state.pending().labels and not state.is_training()

            _until(trained, TRAINING_SECONDS, f"No training has seen all {labels} labels", self._log("worker"))
        live = ModelRegistry(self.settings.models).live(self.key)
        if live is None:
            raise DemoStalled("The training gave no version.", mend=f"See {self._log('worker')}.")
        return live

    def await_predictions(self, version: str) -> bool:
        """Wait until the worker has pushed the version's predictions and made it the project's own.

        Returns whether every task has one.
        """

        def shown() -> bool:
            return bool(self.studio.project(self.project_id)["model_version"] == version)

        _until(shown, PUSH_SECONDS, f"{version} did not become the project's model version", self._log("worker"))
        return self.studio.model_versions(self.project_id).get(version, 0) >= self.studio.task_count(self.project_id)

    def _log(self, name: str) -> Path:
        return self.settings.folder("logs") / f"{name}.log"


def _data(review: Review) -> dict[str, str]:
    return {"review_id": review.key, "text": review.text}


def _keyed(review: Review) -> dict[str, str]:
    """As sync would import it, so that neither takes the other's tasks for new."""
    return {**_data(review), TASK_KEY: review.key}


def _id(who: Any) -> int:
    return int(who["id"] if isinstance(who, Mapping) else who)


def _until(condition: Callable[[], bool], seconds: float, what: str, log: Path) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DemoStalled(f"{what} within {seconds:.0f} s.", mend=f"See {log}.")
        time.sleep(0.5)
