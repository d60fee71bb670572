"""What the steps of the demo do, each safe to repeat."""

from __future__ import annotations

import json
import re
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import yaml
from defusedxml.ElementTree import fromstring

from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import TiebreakError
from ml_backend.labeling.results import answers, project_key, write_answers
from ml_backend.settings import Settings
from sdk_scripts.demo_data import SUBMITTED, Review, Reviews, sentiment, slot_account, stars
from sdk_scripts.embedded import Report
from sdk_scripts.manifest_schema import TASK_KEY

if TYPE_CHECKING:
    from ml_backend.studio import Studio
    from sdk_scripts.hard_cases import HardCases
    from sdk_scripts.report import ReportFiles
    from sdk_scripts.sources import Dataset

NAME = "product_reviews"
HARD_CASES = 30
TRAINING_SECONDS = 600.0
PUSH_SECONDS = 300.0

Labelled = tuple[Review, tuple[int, ...]]


class DemoStalled(TiebreakError):
    """Something the demo waits for did not come; the message says where to look."""


@dataclass(frozen=True)
class Counts:
    tasks: int
    annotations: int
    annotators: int
    predictions: int
    model_versions: tuple[str, ...]


@dataclass(frozen=True)
class Mined:
    cases: HardCases
    review_tasks: int
    without_review: int
    """Cases that have no task in the review project."""


class Demo:
    """The demo's project on a running stack, whose settings these are."""

    def __init__(self, settings: Settings, reviews: Reviews, report: Report) -> None:
        from ml_backend.studio import Studio

        self.settings = settings
        self.reviews = reviews
        self.report = report
        self.studio: Studio = Studio.connect(settings)
        self.project_id = 0
        self.live = ""
        self.review_url = ""

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
        there = {str(task["data"].get(TASK_KEY)) for task in self.studio.tasks(self.project_id, data_only=True)}
        with_labels, without = self.reviews.labelled[:-SUBMITTED], self.reviews.labelled[-SUBMITTED:]
        new = [
            {"data": _keyed(review), "annotations": [self._annotation(review, slot) for slot in trio]}
            for review, trio in with_labels
            if review.key not in there
        ]
        new += [{"data": _keyed(review)} for review, _ in without if review.key not in there]
        if new:
            self.studio.import_tasks(self.project_id, new)
        tasks = self._labelled_tasks(with_labels)
        return sum(
            max(len(trio) - sum(not one.get("ground_truth") for one in tasks[review.key]["annotations"]), 0)
            for review, trio in with_labels
        )

    def _annotation(self, review: Review, slot: int) -> dict[str, Any]:
        rating = review.ratings[slot]
        given = {"sentiment": (sentiment(rating),), "stars": stars(rating)}
        return {
            "completed_by": self.accounts[slot],
            "result": write_answers(self.config, given),
            "ground_truth": False,
        }

    def _labelled_tasks(self, labelled: Sequence[Labelled]) -> dict[str, dict[str, Any]]:
        wanted = {review.key for review, _ in labelled}
        return {key: task for task in self.tasks() if (key := str(task["data"].get(TASK_KEY))) in wanted}

    def tasks(self) -> Iterator[dict[str, Any]]:
        return self.studio.tasks(self.project_id)

    # -- predictions and training --------------------------------------------------------------------------------------

    def zero_shot(self) -> tuple[int, int]:
        """Push the zero-shot predictions, unless a trained version has taken over in an earlier run.

        Returns how many predictions are stored, and how many of them have no score in [0, 1].
        """
        from sdk_scripts.prelabel import prelabel

        if not any(version.startswith("zero-shot") for version in self.studio.model_versions(self.project_id)):
            prelabel(self.settings, self.project_id, studio=self.studio)
        scores = [p.get("score") for task in self.tasks() for p in task["predictions"]]
        return len(scores), sum(not (isinstance(score, int | float) and 0 <= score <= 1) for score in scores)

    def submit(self) -> tuple[int, int]:
        """Submit the last ratings that are not there yet, one call each, as people would.

        Returns how many were submitted, and how many webhooks the backend took meanwhile.
        """
        last = self.reviews.labelled[-SUBMITTED:]
        tasks = self._labelled_tasks(last)
        before, submitted = self._webhooks(), 0
        for review, trio in last:
            task = tasks[review.key]
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

            def trained() -> bool:
                last = state.last()
                seen = last is not None and last.settled and last.labels >= labels
                return seen and not state.pending().labels and not state.is_training()

            _until(trained, TRAINING_SECONDS, f"No training has seen all {labels} labels", self._log("worker"))
        live = ModelRegistry(self.settings.models).live(self.key)
        if live is None:
            raise DemoStalled("The training gave no version.", mend=f"See {self._log('worker')}.")
        self.live = live
        return live

    def await_predictions(self, version: str) -> bool:
        """Wait until the worker has pushed the version's predictions and made it the project's own.

        Returns whether every task has one.
        """

        def shown() -> bool:
            return bool(self.studio.project(self.project_id)["model_version"] == version)

        _until(shown, PUSH_SECONDS, f"{version} did not become the project's model version", self._log("worker"))
        return self.studio.model_versions(self.project_id).get(version, 0) >= self.studio.task_count(self.project_id)

    def queue_problem(self) -> str:
        """Why the task that Label Studio serves next is not the least certain one; empty where it is."""
        served = self.studio.next_task(self.project_id)
        if served is None:
            return "Label Studio serves no task"
        least = min(self._scores().items(), key=lambda item: item[1], default=None)
        if least is None:
            return "no task that needs a label has a score"
        score = self._scores().get(served["id"])
        if score is None or score > least[1] + 1e-9:
            return f"Label Studio served task {served['id']} (score {score}), but task {least[0]} has {least[1]}"
        return ""

    def _scores(self) -> dict[int, float]:
        """Task id -> the live version's score, of tasks that still need annotators."""
        overlap = int(self.studio.project(self.project_id)["maximum_annotations"])
        return {
            task.id: prediction.score
            for task in self.dataset.tasks
            if len([one for one in task.annotations if not one.cancelled]) < overlap
            for prediction in task.predictions
            if prediction.model_version == self.live and prediction.score is not None
        }

    @cached_property
    def dataset(self) -> Dataset:
        """The project as it stands once the predictions are pushed."""
        from sdk_scripts.sources import read_project

        return read_project(self.studio, self.studio.project(self.project_id))

    # -- hard cases, report, figures -----------------------------------------------------------------------------------

    def mine(self) -> Mined:
        from sdk_scripts.hard_cases import mine

        cases = mine(
            self.dataset,
            self.settings,
            budget=HARD_CASES,
            apply=True,
            report=lambda line: self.report(f"  {line}"),
        )
        review = cases.review
        if review is None:
            raise DemoStalled("Mining made no review project.", mend="See the messages above.")
        self.review_url = review.url
        reviewed = [task["data"].get("source_task") for task in self.studio.tasks(review.project, data_only=True)]
        return Mined(cases, len(reviewed), sum(case.task not in reviewed for case in cases))

    def write_report(self) -> tuple[ReportFiles, list[str]]:
        """The report's files, and what is wrong with them."""
        from sdk_scripts.report import write_report

        files = write_report(self.dataset, self.settings.folder("reports") / NAME, settings=self.settings)
        return files, list(_damage(files))

    def measure(self) -> dict[str, float]:
        """What was pushed, held against the consensus of all twenty raters on reviews nobody labelled in the demo."""
        from ml_backend.labeling.confidence import expected_calibration_error

        truth = {review.key: review.truth for review in self.reviews.held_out if review.truth}
        classes = list(truth.values())
        found = {"accuracy_majority_class": max(map(classes.count, set(classes))) / len(classes)}
        by_version = {"accuracy_zero_shot": "zero-shot", "accuracy_held_out": self.live}
        for name, version in by_version.items():
            confidence, correct = self._held_out(truth, version)
            found[name] = float(np.mean(correct)) if len(correct) else float("nan")
            if version == self.live:
                found["ece"] = float(expected_calibration_error(confidence, correct))
        return found

    def _held_out(self, truth: Mapping[str, str], version: str) -> tuple[np.ndarray, np.ndarray]:
        """Confidence (0–1) and correctness of that version's pushed sentiment on held-out tasks; aligned."""
        confidence, correct = [], []
        for task in self.dataset.tasks:
            right = truth.get(str(task.data.get(TASK_KEY)))
            for prediction in task.predictions:
                if right and prediction.model_version.startswith(version):
                    said = answers(self.config, prediction.regions).get("sentiment")
                    scores = [
                        float(one.get("score", 0)) for one in prediction.regions if one["from_name"] == "sentiment"
                    ]
                    if said is not None:
                        confidence.append(scores[0])
                        correct.append(said == (right,))
        return np.array(confidence), np.array(correct, dtype=bool)

    def counts(self) -> Counts:
        versions = self.studio.model_versions(self.project_id)
        people = {one.annotator for task in self.dataset.tasks for one in task.annotations}
        return Counts(
            tasks=len(self.dataset.tasks),
            annotations=sum(len(task.annotations) for task in self.dataset.tasks),
            annotators=len(people),
            predictions=sum(versions.values()),
            model_versions=tuple(sorted(versions, key=lambda version: (not version.startswith("zero"), version))),
        )

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


def _damage(files: ReportFiles) -> Iterator[str]:
    """Opens each file the way its reader would."""
    page = _Tags()
    page.feed(files.html.read_text("utf-8"))
    if not {"html", "body", "h1"} <= page.seen:
        yield f"{files.html} is not a whole page"
    try:
        with zipfile.ZipFile(files.xlsx) as workbook:
            if workbook.testzip() or not len(fromstring(workbook.read("xl/workbook.xml"))):
                yield f"{files.xlsx} is damaged"
    except (zipfile.BadZipFile, KeyError) as error:
        yield f"{files.xlsx} does not open: {error}"
    try:
        json.loads(files.json.read_text("utf-8"))
    except ValueError as error:
        yield f"{files.json} does not open: {error}"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_endtag(self, tag: str) -> None:
        self.seen.add(tag)
