"""Reports of a live project's tasks, without its Label Studio."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from unit.analysis import exports

from ml_backend.labeling.results import project_key
from sdk_scripts.report import MadeReport
from sdk_scripts.sources import Dataset

PROJECT = {"id": 7, "title": "Reviews", "created_at": "2026-11-22T00:00:00Z", "description": "About reviews."}
URL = "http://127.0.0.1:8080/projects/7/data"
KEY = project_key(PROJECT)
VOTES = [("negative", "negative"), ("positive", "positive"), ("negative", "positive"), ("neutral",), ()]


def dataset(votes: list[tuple[str, ...]] = VOTES, *, line: str = "", **more: Any) -> Dataset:
    """Of a live project; `file()` of an export."""
    tasks = [exports.voted(id, f"the text of task {id}", *labels) for id, labels in enumerate(votes, start=1)]
    project = PROJECT | {"description": f"About reviews.\n\n{line}"}
    return exports.dataset(tasks, **{"project": project, "url": URL, **more})


def file(votes: list[tuple[str, ...]] = VOTES) -> Dataset:
    return dataset(votes, project=None, url=None)


def saying(report: MadeReport, labeled: int, **more: Any) -> MadeReport:
    """The same report with so many labeled tasks."""
    document = {**report.document, "overview": {**report.document["overview"], "labeled": labeled}, **more}
    files = {**report.files, "report.json": json.dumps(document).encode()}
    return replace(report, document=document, files=files)
