"""Fixtures of the tests of Studio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ml_backend.studio import Studio
from tests.contract.studio_projects import CONFIG, LosesAnswers, Projects


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
