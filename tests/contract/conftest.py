"""Fixtures of the tests against a real Label Studio."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.analysis.exports import SENTIMENT, choice

from ml_backend.cases import libraries_of
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from tests.contract.desk import ANNOTATORS, REVIEWERS, TEXTS, Desk
from tests.contract.studio_projects import CONFIG, LosesAnswers, Projects
from tests.contract.synced import Project


@pytest.fixture
def new_project(studio: Studio) -> Iterator[Projects]:
    made: list[int] = []

    def make(tasks: int = 0, **fields: Any) -> int:
        project = studio.create_project({"title": "Studio, live", "label_config": CONFIG, **fields})
        made.append(project["id"])
        if tasks:
            studio.import_tasks(project["id"], [{"data": {"text": f"text {number}"}} for number in range(tasks)])
        return project["id"]

    yield make
    for id in made:
        studio.delete_project(id)


@pytest.fixture
def losing(studio_server: Any) -> Callable[..., tuple[Studio, LosesAnswers]]:
    def make(path: str, **how: Any) -> tuple[Studio, LosesAnswers]:
        transport = LosesAnswers(path, **how)
        return Studio(studio_server.url, studio_server.token, timeout=2.0, pause=0.01, transport=transport), transport

    return make


@pytest.fixture
def make_desk(studio: Studio, studio_settings: Settings) -> Iterator[Any]:
    made: list[Desk] = []

    def desk(**standard: Any) -> Desk:
        people = {name: studio.add_annotator(f"{name}@example.com") for name in (*ANNOTATORS, *REVIEWERS)}
        fields = {"title": "Reviews", "label_config": SENTIMENT, "expert_instruction": "<p>What breaks is bad.</p>"}
        if standard:
            fields["description"] = f"tiebreak hard cases: {json.dumps(standard)}"
        project = studio.create_project(fields)["id"]
        tasks = [
            {
                "data": {"text": text},
                "annotations": [
                    {"result": [choice("sentiment", label)], "completed_by": people[who]}
                    for who, label in zip(ANNOTATORS, labels, strict=True)
                ],
            }
            for text, labels in TEXTS.items()
        ]
        studio.import_tasks(project, tasks)
        made.append(Desk(studio, studio_settings, project, people))
        return made[-1]

    yield desk
    for it in made:
        projects = studio.projects()
        reviews = [one for one in projects if f"tiebreak: hard-cases-of-{it.project}" in (one["description"] or "")]
        for project in (it.fields, *reviews, *libraries_of(projects, it.fields)):
            studio.delete_project(project["id"])


@pytest.fixture
def synced(tmp_path: Path, studio: Studio, studio_settings: Settings) -> Iterator[Project]:
    folder = tmp_path / "project"
    folder.mkdir()
    made = Project(folder, studio, studio_settings)
    made.manifest()
    yield made
    for one in studio.projects():
        if made.name in one["description"]:
            studio.delete_project(one["id"])
