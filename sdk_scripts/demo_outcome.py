"""What the demo shows once the new version's predictions are pushed, and how it is verified."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
from defusedxml.ElementTree import fromstring

from ml_backend.labeling.answers import answers
from sdk_scripts.demo_project import NAME, Demo, DemoStalled
from sdk_scripts.manifest_schema import TASK_KEY

if TYPE_CHECKING:
    from sdk_scripts.hard_cases import HardCases
    from sdk_scripts.report import ReportFiles
    from sdk_scripts.sources import Dataset

HARD_CASES = 30


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


class Outcome:
    """The demo's project with the predictions of its live version."""

    def __init__(self, demo: Demo, live: str) -> None:
        self.demo = demo
        self.live = live
        self.review_url = ""

    def queue_problem(self) -> str:
        """Why the task that Label Studio serves next is not the least certain one; empty where it is."""
        served = self.demo.studio.next_task(self.demo.project_id)
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
        overlap = int(self.demo.studio.project(self.demo.project_id)["maximum_annotations"])
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

        return read_project(self.demo.studio, self.demo.studio.project(self.demo.project_id))

    # -- hard cases, report, figures -----------------------------------------------------------------------------------

    def mine(self) -> Mined:
        from sdk_scripts.mining import mine

        cases = mine(
            self.dataset,
            self.demo.settings,
            budget=HARD_CASES,
            apply=True,
            report=lambda line: self.demo.report(f"  {line}"),
        )
        review = cases.review
        if review is None or review.project is None:
            raise DemoStalled("Mining made no review project.", mend="See the messages above.")
        self.review_url = review.url
        reviewed = [task["data"].get("source_task") for task in self.demo.studio.tasks(review.project, data_only=True)]
        return Mined(cases, len(reviewed), sum(case.task not in reviewed for case in cases))

    def write_report(self) -> tuple[ReportFiles, list[str]]:
        """The report's files, and what is wrong with them."""
        from sdk_scripts.report import write_report

        files = write_report(self.dataset, self.demo.settings.folder("reports") / NAME, settings=self.demo.settings)
        return files, list(_damage(files))

    def measure(self) -> dict[str, float]:
        """What was pushed, held against the consensus of all twenty raters on reviews nobody labelled in the demo."""
        from ml_backend.labeling.confidence import expected_calibration_error

        truth = {review.key: review.truth for review in self.demo.reviews.held_out if review.truth}
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
                    said = answers(self.demo.config, prediction.regions).get("sentiment")
                    scores = [
                        float(one.get("score", 0)) for one in prediction.regions if one["from_name"] == "sentiment"
                    ]
                    if said is not None:
                        confidence.append(scores[0])
                        correct.append(said == (right,))
        return np.array(confidence), np.array(correct, dtype=bool)

    def counts(self) -> Counts:
        versions = self.demo.studio.model_versions(self.demo.project_id)
        people = {one.annotator for task in self.dataset.tasks for one in task.annotations}
        return Counts(
            tasks=len(self.dataset.tasks),
            annotations=sum(len(task.annotations) for task in self.dataset.tasks),
            annotators=len(people),
            predictions=sum(versions.values()),
            model_versions=tuple(sorted(versions, key=lambda version: (not version.startswith("zero"), version))),
        )


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
